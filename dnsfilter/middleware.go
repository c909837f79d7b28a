package dnsfilter

import (
	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// Answer answers a query for a name that the policy blocks, exactly as a [Server] does; it is for handlers in other
// servers. Unless the decision blocks it writes nothing, and whoever comes next has to answer. Where the action is Drop it
// writes nothing either, and nobody is to. What the answer of others leads to is not decided on here.
func (p *Policy) Answer(store *blocklist.Store, w dns.ResponseWriter, msg *dns.Msg) (Decision, error) {
	q := new(query)
	stream := w.RemoteAddr().Network() != "udp"
	if msg.Response || msg.Opcode != dns.OpcodeQuery || !q.parse(msg, stream) || q.check() != dns.RcodeSuccess {
		return Decision{}, nil // whoever comes next knows what to do with it
	}
	q.structured = p.wantsStructured(msg)
	v := p.View(clientAddr(w.RemoteAddr()))
	d := v.Decide(store, q.name())
	if !d.Blocks() {
		return d, nil
	}
	wire, ok := d.answer(nil, q)
	if !ok {
		return d, nil
	}
	reply := new(dns.Msg) // as a message, so that writers which count or log can see it
	if err := reply.Unpack(wire); err != nil {
		return d, err
	}
	reply.Compress = true
	return d, w.WriteMsg(reply)
}
