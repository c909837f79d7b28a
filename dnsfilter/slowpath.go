package dnsfilter

import (
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/cookie"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// slowPath answers a packet of any kind, by unpacking it with miekg/dns; nil means that nothing is sent. It writes to
// the packet.
func (s *Server) slowPath(packet []byte, stream bool, client netip.Addr) []byte {
	msg := new(dns.Msg)
	action := accept(dns.Header{
		Bits:    dnswire.Flags(packet),
		Qdcount: uint16(dnswire.Count(packet, dnswire.Question)),
		Ancount: uint16(dnswire.Count(packet, dnswire.Answer)),
		Nscount: uint16(dnswire.Count(packet, dnswire.Authority)),
		Arcount: uint16(dnswire.Count(packet, dnswire.Additional)),
	})
	edns, structured := s.current.Load().policy.hideOptions(packet)
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

// hideOptions replaces the codes of all options but cookies by one without a meaning. Options without a meaning here
// have to be ignored (RFC 6891, section 6.1.2), and miekg/dns fails on those that it knows if their length is wrong. It
// reports whether the packet has EDNS, and asks for structured errors.
func (p *Policy) hideOptions(packet []byte) (edns, structured bool) {
	for r := range dnswire.Records(packet) {
		if r.Type != dns.TypeOPT {
			continue
		}
		edns = true
		structured = structured || p.StructuredErrors != 0 && dnswire.HasOption(r.Data, p.StructuredErrors)
		for options := r.Data; len(options) > 0; {
			code, _, rest, ok := dnswire.NextOption(options)
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
	if h.Bits&dnswire.FlagQR == 0 && h.Bits>>11&15 != dns.OpcodeQuery {
		return dns.MsgRejectNotImplemented
	}
	if h.Bits&dnswire.FlagQR == 0 && h.Qdcount == 0 && h.Ancount == 0 && h.Nscount == 0 && h.Arcount == 1 {
		return dns.MsgAccept // for a cookie
	}
	return dns.DefaultMsgAcceptFunc(h)
}

// reject answers a message of which only the header could be read. A client that is not served gets REFUSED.
func (s *Server) reject(msg *dns.Msg, edns, stream bool, client netip.Addr, rcode int) []byte {
	c := s.current.Load()
	if !stream && c.limiter != nil && !c.limiter.Allow(networkKey(client)) {
		s.shared.limited.Add(1)
		return nil
	}
	if !serves(c.clients, client) {
		rcode = dns.RcodeRefused
	}
	q := query{id: msg.Id, flags: headerFlags(msg), size: dnswire.MinSize, edns: edns}
	return q.refuse(nil, rcode, 0)
}

// respond returns the answer to a message; nil means none.
func (s *Server) respond(msg *dns.Msg, structured, stream bool, client netip.Addr) []byte {
	q := &query{counters: &s.shared, structured: structured}
	rcode := dns.RcodeFormatError
	switch {
	case msg.Opcode != dns.OpcodeQuery:
		q.id, q.size, q.flags = msg.Id, dnswire.MinSize, headerFlags(msg)
		rcode = dns.RcodeNotImplemented
	case q.parseMessage(msg, stream):
		rcode = q.check()
	case len(msg.Question) == 0 && q.sentCookie != nil: // asks for a cookie alone (RFC 7873, section 5.4)
		rcode = dns.RcodeSuccess
	}
	c := s.current.Load()
	if m, ok := s.admit(c, nil, q, client, stream); !ok {
		return m
	}
	if q.question == nil && rcode == dns.RcodeSuccess && len(q.sentCookie) > cookie.ClientSize && !q.cookieValid {
		rcode = dns.RcodeBadCookie // asks whether it is still good
	}
	if rcode != dns.RcodeSuccess || q.question == nil {
		return q.refuse(nil, rcode, 0)
	}
	m, wait := s.answerOrAsk(c, nil, q)
	if wait {
		return s.forward(c, q)
	}
	return m
}

// wantsStructured reports whether a client asks for structured errors.
func (p *Policy) wantsStructured(msg *dns.Msg) bool {
	opt := msg.IsEdns0()
	if p.StructuredErrors == 0 || opt == nil {
		return false
	}
	for _, o := range opt.Option {
		if o.Option() == p.StructuredErrors {
			return true
		}
	}
	return false
}
