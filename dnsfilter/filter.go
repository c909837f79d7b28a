package dnsfilter

import (
	"net"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// Filter is a policy within another server of github.com/miekg/dns: it goes in front of the handler that is there. What is
// blocked is answered exactly as a [Server] does, by the name asked for and by what the answer of that handler leads to. What
// can't be read is refused, as a Server does, so nothing reaches that handler undecided. Who is served, at what rate, and the
// special zones are the other server's business.
type Filter struct {
	store    *blocklist.Store
	policy   Policy
	views    *views
	counters counters // which nobody asks for
}

// NewFilter makes a filter.
func NewFilter(store *blocklist.Store, p Policy) *Filter {
	return &Filter{store: store, policy: p, views: newViews(&p)}
}

// Handler returns a handler that answers what is blocked, and passes all other queries to next, whose answers it looks at
// before they go out. Where the action is [Drop] nobody answers. It is cheap enough to be made for each query.
//
// The name is decided on whatever the opcode is. A question that breaks the rules, or one of several, gets FORMERR, an unknown
// version of EDNS BADVERS, a class other than IN REFUSED. Zone transfers of names that are not blocked pass as they are, and so
// do messages without a question, which no name can be answered to. Responses are not answered.
func (f *Filter) Handler(next dns.Handler) dns.Handler {
	return dns.HandlerFunc(func(w dns.ResponseWriter, msg *dns.Msg) {
		if msg.Response {
			return
		}
		q := &query{counters: &f.counters}
		if rcode := q.readMessage(msg, w.RemoteAddr()); rcode != dns.RcodeSuccess {
			_ = write(w, q.refuse(nil, rcode, 0)) // a client that went away is no concern of ours
			return
		}
		if q.question != nil {
			q.structured = f.policy.wantsStructured(msg)
			if d := f.views.decide(f.store, q); d.Blocks() {
				_ = d.writeTo(w, q)
				return
			}
			if !isTransfer(q.qtype) {
				w = &inspected{ResponseWriter: w, filter: f, query: q, asked: msg.Question}
			}
		}
		next.ServeDNS(w, msg)
	})
}

// readMessage reads the question of a message, if it has one, and returns the rcode of what is not passed on.
func (q *query) readMessage(msg *dns.Msg, from net.Addr) (rcode int) {
	read := q.parse(msg, from.Network() != "udp")
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
	wire, ok := d.answer(nil, q)
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

// inspected is the way of an answer to the client.
type inspected struct {
	dns.ResponseWriter

	filter *Filter
	query  *query
	asked  []dns.Question
}

// WriteMsg writes an answer, or the one that takes its place.
func (w *inspected) WriteMsg(reply *dns.Msg) error {
	d, err := w.inspect(*reply)
	switch {
	case err != nil:
		return err
	case d.Blocks():
		return d.writeTo(w.ResponseWriter, w.query)
	}
	return w.ResponseWriter.WriteMsg(reply)
}

// Write is WriteMsg for a packed answer. One that can't be read is not written.
func (w *inspected) Write(packed []byte) (int, error) {
	var reply dns.Msg
	if err := reply.Unpack(packed); err != nil {
		return 0, err
	}
	d, err := w.inspect(reply)
	switch {
	case err != nil:
		return 0, err
	case d.Blocks():
		return len(packed), d.writeTo(w.ResponseWriter, w.query)
	}
	return w.ResponseWriter.Write(packed)
}

// inspect decides on what an answer leads to. It is taken for one to the question that was asked, whatever it says.
func (w *inspected) inspect(reply dns.Msg) (Decision, error) {
	reply.Question, reply.Compress = w.asked, false
	wire, err := reply.Pack()
	if err != nil {
		return Decision{}, err
	}
	return w.query.inspect(w.filter.store, w.filter.views.of(w.query.client), wire), nil
}
