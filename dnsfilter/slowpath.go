package dnsfilter

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/cookie"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// slowPath returns the answer to any packet, by unpacking it with miekg/dns. It returns nil if nothing is to be sent.
// It modifies the packet.
func (s *Server) slowPath(packet []byte, from ClientMessage) []byte {
	how, client := from.Transport, from.Client.Addr()
	q := &query{counters: &s.shared, tap: s.current.Load().taps.tap(from, packet)}
	m := s.answerSlowly(packet, q, how, client)
	q.tap.answer(q.question, m)
	return m
}

// answerSlowly does the work of slowPath, except that it passes no messages to the taps.
func (s *Server) answerSlowly(packet []byte, q *query, how Transport, client netip.Addr) []byte {
	if answer := s.current.Load().answerNotify(packet, client); answer != nil {
		return answer
	}
	msg := new(dns.Msg)
	action := accept(dns.Header{
		Bits:    dnswire.Flags(packet),
		Qdcount: uint16(dnswire.Count(packet, dnswire.Question)),
		Ancount: uint16(dnswire.Count(packet, dnswire.Answer)),
		Nscount: uint16(dnswire.Count(packet, dnswire.Authority)),
		Arcount: uint16(dnswire.Count(packet, dnswire.Additional)),
	})
	opt := s.current.Load().policy.hideOptions(packet)
	opt.padded = opt.padded && how.isEncrypted()
	err := msg.Unpack(packet)
	switch {
	case action == dns.MsgIgnore:
		return nil
	case action == dns.MsgRejectNotImplemented:
		return s.reject(msg, opt, how, client, dns.RcodeNotImplemented)
	case action == dns.MsgReject || err != nil:
		return s.reject(msg, opt, how, client, dns.RcodeFormatError)
	}
	return s.respond(msg, q, opt, how, client)
}

// ednsRequest has what a query on the slow path requests by its EDNS options.
type ednsRequest struct {
	edns       bool // the query has an OPT record
	structured bool // the client requests structured errors
	padded     bool // the client requests padding of the answer
	nsid       bool // the client requests the NSID
}

// hideOptions replaces the codes of all EDNS options except cookies by an unassigned code, and returns what the options
// request. Options that are not supported have to be ignored (RFC 6891, section 6.1.2), but miekg/dns rejects a message
// in which an option that it knows has a wrong length.
func (p *Policy) hideOptions(packet []byte) (opt ednsRequest) {
	for r := range dnswire.Records(packet) {
		if r.Type != dns.TypeOPT {
			continue
		}
		opt.edns = true
		opt.nsid = opt.nsid || dnswire.HasOption(r.Data, dns.EDNS0NSID)
		opt.padded = opt.padded || dnswire.HasOption(r.Data, dns.EDNS0PADDING)
		opt.structured = opt.structured || p.StructuredErrors != 0 && dnswire.HasOption(r.Data, p.StructuredErrors)
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
	return opt
}

// accept decides by the header of a message whether it is accepted. Responses are ignored. Opcodes other than QUERY get
// NOTIMP. Several questions and unexpected records get FORMERR, and so does a message without a question, unless it may
// be a cookie request.
func accept(h dns.Header) dns.MsgAcceptAction {
	if h.Bits&dnswire.FlagQR == 0 && h.Bits>>11&15 != dns.OpcodeQuery {
		return dns.MsgRejectNotImplemented
	}
	if h.Bits&dnswire.FlagQR == 0 && h.Qdcount == 0 && h.Ancount == 0 && h.Nscount == 0 && h.Arcount == 1 {
		return dns.MsgAccept // it may be a cookie request
	}
	return dns.DefaultMsgAcceptFunc(h)
}

// reject returns the refusal of a message that is not accepted or can't be unpacked, with the given rcode. A client
// that is not served gets REFUSED instead. Beyond the rate limit, reject returns nil.
func (s *Server) reject(msg *dns.Msg, opt ednsRequest, how Transport, client netip.Addr, rcode int) []byte {
	c := s.current.Load()
	if !how.isStream() && c.limiter != nil && !c.limiter.Allow(networkKey(client)) {
		s.shared.limited.Add(1)
		return nil
	}
	if !serves(c.clients, client) {
		rcode = dns.RcodeRefused
	}
	q := query{id: msg.Id, flags: headerFlags(msg), size: dnswire.MinSize, edns: opt.edns, padded: opt.padded}
	return q.refuse(nil, rcode, 0)
}

// respond returns the answer to an unpacked message, or nil if nothing is to be sent.
func (s *Server) respond(msg *dns.Msg, q *query, opt ednsRequest, how Transport, client netip.Addr) []byte {
	q.structured, q.padded = opt.structured, opt.padded
	rcode := dns.RcodeFormatError
	switch {
	case msg.Opcode != dns.OpcodeQuery:
		q.id, q.size, q.flags = msg.Id, dnswire.MinSize, headerFlags(msg)
		rcode = dns.RcodeNotImplemented
	case q.parseMessage(msg, how.isStream()):
		rcode = q.check()
	case len(msg.Question) == 0 && q.sentCookie != nil: // a cookie request (RFC 7873, section 5.4)
		rcode = dns.RcodeSuccess
	}
	c := s.current.Load()
	if opt.nsid {
		q.nsid = c.id.NSID
	}
	if m, ok := s.admit(c, nil, q, client, how.isStream()); !ok {
		return m
	}
	if q.question == nil && rcode == dns.RcodeSuccess && len(q.sentCookie) > cookie.ClientSize && !q.cookieValid {
		rcode = dns.RcodeBadCookie // its server cookie is invalid
	}
	if rcode != dns.RcodeSuccess || q.question == nil {
		return c.id.refuse(q, rcode)
	}
	m, wait := s.answerOrAsk(c, nil, q)
	if wait {
		return s.forward(c, q)
	}
	return m
}

// wantsStructured reports whether a client requests structured errors.
func (p *Policy) wantsStructured(msg *dns.Msg) bool {
	return p.StructuredErrors != 0 && requests(msg, p.StructuredErrors)
}

// requests reports whether a message has the EDNS option with the given code.
func requests(msg *dns.Msg, code uint16) bool {
	opt := msg.IsEdns0()
	return opt != nil && slices.ContainsFunc(opt.Option, func(o dns.EDNS0) bool { return o.Option() == code })
}
