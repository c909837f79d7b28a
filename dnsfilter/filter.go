package dnsfilter

import (
	"net"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// Filter is a policy within another server of github.com/miekg/dns: it goes in front of the handler that is there. It
// answers blocked queries exactly as a [Server] does, by the name asked for and by what the answer of that handler
// leads to. It refuses malformed queries as a Server does, so that no query reaches that handler without a decision.
// The access list, the rate limit, cookies and special zones are the other server's business.
type Filter struct {
	// OnDecision is called for each decision that a list (or quorum, or allow list) takes, before the answer is
	// written, by the goroutine that answers: it should return soon. Set it before the first query. Nil costs nothing.
	OnDecision func(FilterEvent)

	store    *blocklist.Store
	policy   Policy
	views    *views
	counters counters
}

// FilterEvent is a decision of a filter. It has what a log should not keep without a reason: who has asked, and for
// what.
type FilterEvent struct {
	Client   netip.Addr // zero if it has no IP address
	Question dns.Question
	Decision Decision
}

// FilterStats counts what a filter did since it was made.
type FilterStats struct {
	Queries uint64 // that came, responses apart
	// decisions by list (or quorum) and action; names that no list holds are not counted
	Lists map[string]map[Action]uint64
}

// Stats returns the counters.
func (f *Filter) Stats() FilterStats {
	out := FilterStats{Queries: f.counters.queries.Load(), Lists: make(map[string]map[Action]uint64)}
	f.counters.addLists(out.Lists)
	return out
}

// report tells a program of a decision that a list has taken.
func (f *Filter) report(q *query, asked dns.Question, d *Decision) {
	if f.OnDecision != nil && d.By() != "" {
		f.OnDecision(FilterEvent{q.client, asked, *d})
	}
}

// NewFilter makes a filter. It fails as [Policy.Check] does.
func NewFilter(store *blocklist.Store, p Policy) (*Filter, error) {
	if err := p.Check(store); err != nil {
		return nil, err
	}
	return &Filter{store: store, policy: p, views: newViews(&p)}, nil
}

// Handler returns a handler that answers blocked queries, and passes all others to next, whose answers it inspects.
// There is no answer where the action is [Drop]. It is cheap enough to be made for each query.
//
// The name is decided on whatever the opcode is. A question that breaks the rules, or one of several, gets FORMERR, an
// unknown version of EDNS BADVERS, a class other than IN REFUSED. Zone transfers of names that are not blocked pass as
// they are, and so do messages without a question, which no name can be answered to. Responses are not answered.
func (f *Filter) Handler(next dns.Handler) dns.Handler {
	return dns.HandlerFunc(func(w dns.ResponseWriter, msg *dns.Msg) {
		if msg.Response {
			return
		}
		f.counters.queries.Add(1)
		q := &query{counters: &f.counters}
		if rcode := q.parseFiltered(msg, w.RemoteAddr()); rcode != dns.RcodeSuccess {
			_ = write(w, q.refuse(nil, rcode, 0)) // the client may have gone away
			return
		}
		if q.question != nil {
			q.structured = f.policy.wantsStructured(msg)
			d := f.views.decide(f.store, q)
			if f.report(q, msg.Question[0], &d); d.Blocks() {
				_ = d.writeTo(w, q)
				return
			}
			if !isTransfer(q.qtype) {
				w = &inspectingWriter{ResponseWriter: w, filter: f, query: q, asked: msg.Question}
			}
		}
		next.ServeDNS(w, msg)
	})
}

// parseFiltered reads the question of a message, if it has one, and returns the rcode of what is not passed on.
func (q *query) parseFiltered(msg *dns.Msg, from net.Addr) (rcode int) {
	read := q.parseMessage(msg, from.Network() != "udp")
	q.client = plainAddr(clientAddr(from))
	switch {
	case len(msg.Question) == 0:
		return dns.RcodeSuccess
	case !read:
		return dns.RcodeFormatError
	case isTransfer(q.qtype):
		return q.checkClass()
	}
	return q.check()
}

// writeTo writes what a client gets by a decision that blocks.
func (d *Decision) writeTo(w dns.ResponseWriter, q *query) error {
	wire, ok := d.appendAnswer(nil, q)
	if !ok {
		return nil
	}
	return write(w, wire)
}

// write writes an answer as a message, so that writers which count or log can see it.
func write(w dns.ResponseWriter, wire []byte) error {
	reply := new(dns.Msg)
	if err := reply.Unpack(wire); err != nil {
		return err
	}
	reply.Compress = true
	return w.WriteMsg(reply)
}

// inspectingWriter inspects the answers of the next handler.
type inspectingWriter struct {
	dns.ResponseWriter

	filter *Filter
	query  *query
	asked  []dns.Question
}

// WriteMsg writes an answer, or the one of a decision that blocks it.
func (w *inspectingWriter) WriteMsg(reply *dns.Msg) error {
	out := *reply
	d, err := w.inspect(&out)
	switch {
	case err != nil:
		return err
	case d.Blocks():
		return d.writeTo(w.ResponseWriter, w.query)
	}
	return w.ResponseWriter.WriteMsg(&out)
}

// Write is WriteMsg for a packed answer. One that can't be read is not written.
func (w *inspectingWriter) Write(packed []byte) (int, error) {
	reply := new(dns.Msg)
	if err := reply.Unpack(packed); err != nil {
		return 0, err
	}
	reply.Compress = true
	if err := w.WriteMsg(reply); err != nil {
		return 0, err
	}
	return len(packed), nil
}

// inspect decides on what an answer leads to, which is read as the answer to the question that was asked, whatever
// question it has. It removes records that do not answer it, and additional addresses that are listed, or of listed
// names.
func (w *inspectingWriter) inspect(reply *dns.Msg) (Decision, error) {
	reply.Answer, _ = scrub(w.asked[0], reply)
	wire, err := (&dns.Msg{Question: w.asked, Answer: reply.Answer}).Pack()
	if err != nil {
		return Decision{}, err
	}
	view := w.filter.views.of(w.query.client)
	if !w.query.allowed {
		listed := func(rr dns.RR) bool { return view.withholds(w.filter.store, rr) }
		reply.Ns = slices.DeleteFunc(slices.Clone(reply.Ns), listed)
		reply.Extra = slices.DeleteFunc(slices.Clone(reply.Extra), listed)
	}
	d := w.query.inspect(w.filter.store, view, wire)
	w.filter.report(w.query, w.asked[0], &d)
	return d, nil
}

// withholds reports whether an additional record is removed: an address that is listed, or of a listed name, and any
// alias or service.
func (v *View) withholds(store *blocklist.Store, rr dns.RR) bool {
	var addr net.IP
	switch rr := rr.(type) {
	case *dns.A:
		addr = rr.A
	case *dns.AAAA:
		addr = rr.AAAA
	case *dns.CNAME, *dns.DNAME, *dns.SVCB, *dns.HTTPS:
		return true
	default:
		return false
	}
	a, _ := netip.AddrFromSlice(addr)
	name, err := blocklist.AppendName(nil, rr.Header().Name)
	if err != nil {
		return true
	}
	byName, byAddr := v.Decide(store, name), v.DecideAddr(store, a)
	return byName.Blocks() || byAddr.Blocks() && !byName.Allows()
}
