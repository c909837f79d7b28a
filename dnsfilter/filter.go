package dnsfilter

import (
	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// Filter is a policy within another server of github.com/miekg/dns: it goes in front of the handler that is there. What is
// blocked is answered exactly as a [Server] does, by the name asked for and by what the answer of that handler leads to. Who is
// served, at what rate, and the special zones are the other server's business.
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
func (f *Filter) Handler(next dns.Handler) dns.Handler {
	return dns.HandlerFunc(func(w dns.ResponseWriter, msg *dns.Msg) {
		q := f.read(w, msg)
		if q == nil {
			next.ServeDNS(w, msg) // which knows what to do with it
			return
		}
		if d := f.views.decide(f.store, q); d.Blocks() {
			_ = d.writeTo(w, q) // a client that went away is no concern of ours
			return
		}
		next.ServeDNS(&inspected{ResponseWriter: w, filter: f, query: q, asked: msg.Question}, msg)
	})
}

// read returns the question of a message, nil if it has none that is decided on.
func (f *Filter) read(w dns.ResponseWriter, msg *dns.Msg) *query {
	client := w.RemoteAddr()
	q := &query{counters: &f.counters}
	if msg.Response || msg.Opcode != dns.OpcodeQuery || !q.parse(msg, client.Network() != "udp") || q.check() != dns.RcodeSuccess {
		return nil
	}
	q.structured = f.policy.wantsStructured(msg)
	q.client = plainAddr(clientAddr(client))
	return q
}

// writeTo writes what a client gets by a decision that blocks: as a message, so that writers which count or log can see it.
func (d *Decision) writeTo(w dns.ResponseWriter, q *query) error {
	wire, ok := d.answer(nil, q)
	if !ok {
		return nil
	}
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
