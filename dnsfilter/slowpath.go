package dnsfilter

import (
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"
)

// plain answers a message of any kind, by taking it apart with miekg/dns; nil means that nothing is to be sent. It writes to the
// packet.
func (s *Server) plain(packet []byte, stream bool, client netip.Addr) []byte {
	msg := new(dns.Msg)
	action := accept(dns.Header{
		Bits: binary.BigEndian.Uint16(packet[2:]), Qdcount: uint16(count(packet, 4)), Ancount: uint16(count(packet, 6)),
		Nscount: uint16(count(packet, 8)), Arcount: uint16(count(packet, 10)),
	})
	edns, structured := s.current.Load().policy.mute(packet)
	err := msg.Unpack(packet)
	switch {
	case action == dns.MsgIgnore:
		return nil
	case action == dns.MsgRejectNotImplemented:
		return s.reject(msg, edns, stream, client, dns.RcodeNotImplemented)
	case action == dns.MsgReject || err != nil:
		return s.reject(msg, edns, stream, client, dns.RcodeFormatError)
	}
	return s.respond(msg, structured, stream, client)
}

// mute gives all options but cookies a code that is nobody's. Options that mean nothing here are to be ignored (RFC 6891, section
// 6.1.2), and miekg/dns fails on those that it knows and finds of another length. It reports whether the packet has EDNS, and asks
// for structured errors.
func (p *Policy) mute(packet []byte) (edns, structured bool) {
	for r := range records(packet) {
		if r.rrtype != dns.TypeOPT {
			continue
		}
		edns = true
		structured = structured || p.StructuredErrors != 0 && hasOption(r.data, p.StructuredErrors)
		for options := r.data; len(options) > 0; {
			code, _, rest, ok := nextOption(options)
			if !ok {
				break
			}
			if code != dns.EDNS0COOKIE {
				binary.BigEndian.PutUint16(options, dns.EDNS0LOCALSTART)
			}
			options = rest
		}
	}
	return edns, structured
}

// accept decides from the header alone: no reply to replies, NOTIMP for other opcodes than QUERY, FORMERR for several
// questions, for none unless there may be a cookie, and for records where a query has none.
func accept(h dns.Header) dns.MsgAcceptAction {
	if h.Bits&flagQR == 0 && h.Bits>>11&15 != dns.OpcodeQuery {
		return dns.MsgRejectNotImplemented
	}
	if h.Bits&flagQR == 0 && h.Qdcount == 0 && h.Ancount == 0 && h.Nscount == 0 && h.Arcount == 1 {
		return dns.MsgAccept // for a cookie
	}
	return dns.DefaultMsgAcceptFunc(h)
}

// reject answers a message of which no more than the header was understood. Who is not served is told no more than that.
func (s *Server) reject(msg *dns.Msg, edns, stream bool, client netip.Addr, rcode int) []byte {
	current := s.current.Load()
	if limiter := current.limiter; !stream && limiter != nil && !limiter.allows(client) {
		s.shared.limited.Add(1)
		return nil
	}
	if !current.policy.Serves(client) {
		rcode = dns.RcodeRefused
	}
	q := query{id: msg.Id, flags: headerFlags(msg), size: minSize, edns: edns}
	return q.refuse(nil, rcode, 0)
}

// respond returns the answer to a message; nil means none.
func (s *Server) respond(msg *dns.Msg, structured, stream bool, client netip.Addr) []byte {
	q := &query{counters: &s.shared, structured: structured}
	rcode := dns.RcodeFormatError
	switch {
	case msg.Opcode != dns.OpcodeQuery:
		q.id, q.size, q.flags = msg.Id, minSize, headerFlags(msg)
		rcode = dns.RcodeNotImplemented
	case q.parse(msg, stream):
		rcode = q.check()
	case len(msg.Question) == 0 && q.sentCookie != nil: // asked for a cookie alone (RFC 7873, section 5.4)
		rcode = dns.RcodeSuccess
	}
	current := s.current.Load()
	if m, ok := s.admit(current, nil, q, client, stream); !ok {
		return m
	}
	if q.question == nil && rcode == dns.RcodeSuccess && len(q.sentCookie) > clientCookie && !q.proven {
		rcode = dns.RcodeBadCookie // asked whether it is still good
	}
	if rcode != dns.RcodeSuccess || q.question == nil {
		return q.refuse(nil, rcode, 0)
	}
	m, wait := s.begin(current, nil, q)
	if wait {
		return s.resolve(current, q)
	}
	return m
}

// begin appends the answer to a query if there is one at once. It reports whether the upstream has to be waited for; an
// answer that is to be renewed is asked for beside.
func (s *Server) begin(c *course, dst []byte, q *query) (m []byte, wait bool) {
	m, ask := s.local(c, dst, q, s.cache.now())
	if !ask || len(m) == 0 {
		return m, ask
	}
	if at, _ := s.join(q, waiter{}); at != nil && at.begin(c, c.session) {
		c.session.Flush()
	}
	return m, false
}
