package dnsfilter

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/cookie"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// query is one question, in the forms that answering it needs. It is filled by parsePacket, from a datagram as it came,
// or by parseMessage, from a message that miekg/dns has unpacked; both give the same.
type query struct {
	id         uint16
	flags      uint16 // of the header; RD, AD and CD count
	class      uint16
	qtype      uint16
	edns       bool
	do         bool
	version    uint8      // of EDNS
	size       int        // the longest answer the client takes, in bytes
	question   []byte     // wire form as the client wrote it: name, type, class; nil if there is none
	key        []byte     // the same with the name in lower case, and a byte for DO and CD: the key of the cache
	structured bool       // the client asks for structured errors
	options    []byte     // of EDNS, as they came in a datagram
	allowed    bool       // by a list, with all that the name leads to
	client     netip.Addr // in plain form; zero if it has none
	keepalive  uint16     // edns-tcp-keepalive of the answer: tenths of a second plus one; 0: none
	counters   *counters

	sentCookie  []byte // the cookie of the client, with that of a server behind it, if there is one; nil: none
	hasCookie   bool   // the answer has cookie
	cookieValid bool   // sentCookie is ours
	hasStale    bool   // there is an expired answer
	cookie      cookie.Cookie

	buf     [2 * (blocklist.MaxName + 5)]byte
	reached [blocklist.MaxName]byte // for a name that an answer leads to
	chain   chain                   // of a decision on such a name
}

// Bits of the last byte of a key.
const (
	keyDO = 1
	keyCD = 2
)

// name returns the name in lower-case wire form.
func (q *query) name() []byte { return q.key[: len(q.key)-5 : len(q.key)-5] }

// asked returns the question with the name in lower case.
func (q *query) asked() []byte { return q.key[:len(q.key)-1] }

// parsePacket reads an ordinary query from a datagram: one question, and EDNS with any options. For everything else it
// returns false, and the slow path has to look. The query keeps a reference to the datagram.
func (q *query) parsePacket(m []byte) bool {
	if len(m) < dnswire.HeaderSize+5 {
		return false
	}
	q.id, q.flags = binary.BigEndian.Uint16(m), dnswire.Flags(m)
	const ordinary = dnswire.FlagRD | dnswire.FlagAD | dnswire.FlagCD
	// one question, no records but one
	if q.flags&^ordinary != 0 || binary.BigEndian.Uint32(m[4:]) != 1<<16 || m[8]|m[9]|m[10] != 0 {
		return false
	}
	key, end := dnswire.AppendName(q.buf[:0], m, dnswire.HeaderSize)
	if end == 0 || end+4 > len(m) {
		return false
	}
	q.qtype, q.class = binary.BigEndian.Uint16(m[end:]), binary.BigEndian.Uint16(m[end+2:])
	q.question = m[dnswire.HeaderSize : end+4]
	if !q.parseEDNS(m[end+4:], m[11]) {
		return false
	}
	q.setKey(append(key, m[end:end+4]...))
	return true
}

// parseEDNS reads what follows the question of a datagram: nothing, or an OPT record.
func (q *query) parseEDNS(m []byte, records byte) bool {
	q.edns, q.do, q.version, q.size = false, false, 0, dnswire.MinSize
	q.sentCookie, q.hasCookie, q.options, q.structured = nil, false, nil, false
	if records == 0 {
		return len(m) == 0
	}
	opt, ok := dnswire.AsOPT(m)
	if !ok || records > 1 || opt.Rcode() != 0 || opt.Version() != 0 || opt.Length() != len(m)-dnswire.OPTSize {
		return false
	}
	if len(m) > dnswire.OPTSize && !q.parseOptions(m[dnswire.OPTSize:]) {
		return false
	}
	q.edns, q.do, q.size = true, opt.DO(), clientSize(opt.Size())
	return true
}

// parseOptions finds the first cookie among EDNS options; false means that it is none, or that an option is cut. All
// other options mean nothing here (RFC 6891, section 6.1.2).
func (q *query) parseOptions(options []byte) bool {
	q.options = options
	for len(options) > 0 {
		code, data, rest, ok := dnswire.NextOption(options)
		if !ok {
			return false
		}
		if code == dns.EDNS0COOKIE && q.sentCookie == nil {
			if !cookie.IsSize(len(data)) {
				return false
			}
			q.sentCookie = data
		}
		options = rest
	}
	return true
}

// parseMessage reads a message that holds one question; false means that it is malformed.
func (q *query) parseMessage(msg *dns.Msg, stream bool) bool {
	q.id, q.size, q.flags = msg.Id, dnswire.MinSize, headerFlags(msg)
	if !q.parseOPT(msg.Extra) || len(msg.Question) != 1 || !isBare(msg) {
		return false
	}
	asked := msg.Question[0]
	q.class, q.qtype = asked.Qclass, asked.Qtype
	half := len(q.buf) / 2
	n, err := dns.PackDomainName(asked.Name, q.buf[half:], 0, nil, false)
	if err != nil {
		return false
	}
	tail := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, q.qtype), q.class)
	q.question = append(q.buf[half:half+n], tail...)
	key, err := blocklist.AppendName(q.buf[:0], asked.Name)
	q.setKey(append(key, tail...))
	if stream {
		q.size = dns.MaxMsgSize
	}
	return err == nil
}

// isBare reports whether a query has no records beside its question, which no query needs but one for an incremental
// transfer (RFC 1995, section 3). Messages of other kinds may have some.
func isBare(msg *dns.Msg) bool {
	transfer := msg.Question[0].Qtype == dns.TypeIXFR
	return msg.Opcode != dns.OpcodeQuery || len(msg.Answer) == 0 && (len(msg.Ns) == 0 || transfer)
}

// headerFlags returns the flags of a message that an answer depends on.
func headerFlags(msg *dns.Msg) (flags uint16) {
	flags = uint16(msg.Opcode) << 11 & dnswire.MaskOpcode
	if msg.RecursionDesired {
		flags |= dnswire.FlagRD
	}
	if msg.AuthenticatedData {
		flags |= dnswire.FlagAD
	}
	if msg.CheckingDisabled {
		flags |= dnswire.FlagCD
	}
	return flags
}

// parseOPT reads the OPT record of a message, of which there is at most one, owned by the root (RFC 6891, section
// 6.1.1).
func (q *query) parseOPT(extra []dns.RR) bool {
	for _, rr := range extra {
		opt, ok := rr.(*dns.OPT)
		if !ok {
			continue
		}
		second := q.edns
		q.edns, q.do, q.version, q.size = true, opt.Do(), opt.Version(), clientSize(int(opt.UDPSize()))
		if second || opt.Hdr.Name != "." || !q.parseCookie(opt) {
			return false
		}
	}
	return true
}

// parseCookie reads the first cookie of an OPT record; false means that it is none.
func (q *query) parseCookie(opt *dns.OPT) bool {
	for _, o := range opt.Option {
		if c, ok := o.(*dns.EDNS0_COOKIE); ok {
			sent, err := hex.DecodeString(c.Cookie)
			if err != nil || !cookie.IsSize(len(sent)) {
				return false
			}
			q.sentCookie = sent
			break
		}
	}
	return true
}

// clientSize returns how long an answer may be, in bytes, to a client that takes as much as it says.
func clientSize(says int) int { return min(max(says, dnswire.MinSize), dnswire.UDPSize) }

// setKey puts the last byte behind name, type and class.
func (q *query) setKey(key []byte) {
	bits := byte(0)
	if q.do {
		bits |= keyDO
	}
	if q.flags&dnswire.FlagCD != 0 {
		bits |= keyCD
	}
	q.key = append(key, bits)
}

// copyTo makes a copy that shares no memory.
func (q *query) copyTo(to *query) {
	to.id, to.flags, to.class, to.qtype = q.id, q.flags, q.class, q.qtype
	to.edns, to.do, to.version, to.size = q.edns, q.do, q.version, q.size
	to.structured = q.structured
	to.allowed, to.client, to.counters = q.allowed, q.client, q.counters
	to.hasStale, to.keepalive = q.hasStale, q.keepalive
	to.sentCookie, to.options, to.hasCookie, to.cookie = nil, nil, q.hasCookie, q.cookie
	to.key = append(to.buf[:0], q.key...)
	half := len(to.buf) / 2
	to.question = append(to.buf[half:half], q.question...)
}

// overStream reports whether the query came over a connection, so that its client's address is not forged.
func (q *query) overStream() bool { return q.size > dnswire.UDPSize }

// check returns the rcode of a query that is refused before anything is looked up.
func (q *query) check() int {
	if rcode := q.checkClass(); rcode != dns.RcodeSuccess || !isRefusedType(q.qtype) {
		return rcode
	}
	return dns.RcodeRefused
}

// checkClass is check without the type.
func (q *query) checkClass() int {
	switch {
	case q.version != 0:
		return dns.RcodeBadVers
	case q.class != dns.ClassINET:
		return dns.RcodeRefused
	}
	return dns.RcodeSuccess
}

// isRefusedType reports whether a type asks for something else than the records of a name.
func isRefusedType(t uint16) bool {
	switch t {
	case dns.TypeMAILA, dns.TypeMAILB, dns.TypeOPT, dns.TypeTKEY, dns.TypeTSIG:
		return true
	}
	return isTransfer(t)
}

// isTransfer reports whether a type asks for a whole zone.
func isTransfer(t uint16) bool { return t == dns.TypeAXFR || t == dns.TypeIXFR }

// isService reports whether answers of a type may come with addresses of their targets, for clients to use (RFC 9460).
func isService(qtype uint16) bool { return qtype == dns.TypeSVCB || qtype == dns.TypeHTTPS }
