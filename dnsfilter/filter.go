package dnsfilter

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// Filter applies a policy within another server of github.com/miekg/dns: it wraps that server's handler. It decides on
// the query name and on the targets in the wrapped handler's answer, and answers blocked queries exactly as a [Server]
// does. It refuses malformed queries as a Server does, so the wrapped handler gets no query without a decision. The
// access list, the rate limit, cookies and special-use zones are left to the other server.
type Filter struct {
	// OnDecision is called for each decision by a list, quorum or allow list, before the answer is written. It runs in the
	// goroutine that answers, so it should return soon. Set it before the first query. Nil: no calls.
	OnDecision func(FilterEvent)

	store    *blocklist.Store
	policy   Policy
	views    *views
	counters counters
}

// FilterEvent is a decision of a filter. The client and the query name are personal data: do not log them without a
// reason.
type FilterEvent struct {
	Client   netip.Addr // zero if the client has no IP address
	Question dns.Question
	Decision Decision
}

// FilterStats are the counters of a filter since it was created.
type FilterStats struct {
	Queries uint64 // received queries; responses are not counted
	// decisions by list (or quorum) and action; names on no list are not counted
	Lists map[string]map[Action]uint64
}

// Stats returns the counters.
func (f *Filter) Stats() FilterStats {
	out := FilterStats{Queries: f.counters.queries.Load(), Lists: make(map[string]map[Action]uint64)}
	f.counters.addLists(out.Lists)
	return out
}

// report calls OnDecision for a decision by a list.
func (f *Filter) report(q *query, asked dns.Question, d *Decision) {
	if f.OnDecision != nil && d.By() != "" {
		f.OnDecision(FilterEvent{q.client, asked, *d})
	}
}

// NewFilter creates a filter. The errors are those of [Policy.Check], and [blocklist.ErrMalformed] for a policy with
// policy zones, which need a [Server].
func NewFilter(store *blocklist.Store, p Policy) (*Filter, error) {
	if err := p.Check(store); err != nil {
		return nil, err
	}
	if p.hasZones() {
		return nil, fmt.Errorf("creating a filter: %w: policy zones need a server, which asks an upstream", blocklist.ErrMalformed)
	}
	return &Filter{store: store, policy: p, views: newViews(&p)}, nil
}

// Handler returns a handler that answers blocked queries and passes all others to the handler next. It inspects the
// answers of that handler. Blocked queries with the action [Drop] get no answer. Handler is cheap enough to be called
// for each query.
//
// Every opcode is subject to the decision on the name. Malformed questions and several questions get FORMERR, an
// unknown EDNS version gets BADVERS, and a class other than IN gets REFUSED. Messages without a question, and zone
// transfers of names that are not blocked, are passed to the handler next, and their answers are not inspected.
// Responses are not answered.
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

// parseFiltered parses the question of a message, if the message has one. It returns the rcode of the refusal, or
// NOERROR if the message is not refused.
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

// writeTo writes the answer to a blocked query.
func (d *Decision) writeTo(w dns.ResponseWriter, q *query) error {
	wire, ok := d.appendAnswer(nil, q)
	if !ok {
		return nil
	}
	return write(w, wire)
}

// write writes a packed answer by WriteMsg, so that a wrapped response writer can count or log it.
func write(w dns.ResponseWriter, wire []byte) error {
	reply := new(dns.Msg)
	if err := reply.Unpack(wire); err != nil {
		return err
	}
	reply.Compress = true
	return w.WriteMsg(reply)
}

// inspectingWriter is a response writer that inspects the answers of the next handler.
type inspectingWriter struct {
	dns.ResponseWriter

	filter *Filter
	query  *query
	asked  []dns.Question
}

// WriteMsg writes an answer, or the blocked answer if the inspection blocks it.
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

// Write is WriteMsg for a packed answer. A malformed answer is not written.
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

// inspect returns the decision on the targets in an answer. It takes the question from the client's query, not from the
// answer. It removes from the answer the records that do not answer this question, and those for which the method
// withholds returns true.
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

// withholds reports whether a record is removed from the authority and the additional section. It returns true for a
// listed address, for an address of a listed name, and for any CNAME, DNAME, SVCB or HTTPS record.
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
