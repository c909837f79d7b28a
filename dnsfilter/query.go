package dnsfilter

import (
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// query is one question, in the forms that the path needs. It is filled by read, from a datagram as it came, or by parse,
// from a message that miekg/dns has taken apart; both give the same.
type query struct {
	id         uint16
	flags      uint16 // of the header; RD, AD and CD count
	class      uint16
	qtype      uint16
	edns       bool
	do         bool
	version    uint8      // of EDNS
	size       int        // the longest answer the client takes, in bytes
	question   []byte     // wire form as the client wrote it: name, type, class; nil if there is none to repeat
	key        []byte     // the same with the name in lower case, and a byte for DO and CD: what answers are told apart by
	structured bool       // the client asks for structured errors
	options    []byte     // of EDNS, as they came in a datagram
	allowed    bool       // by a list, with all that it leads to
	client     netip.Addr // in plain form; zero if it has none
	keepalive  uint16     // what the answer says of how long the connection may be idle: tenths of a second plus one, 0: nothing
	counters   *counters

	sentCookie []byte           // of the client, and whatever it takes for ours; nil if there is none
	stamped    bool             // cookie is to be in the answer
	proven     bool             // sentCookie is ours
	stale      bool             // there is an expired answer
	cookie     [fullCookie]byte // made by stampCookie

	buf     [2 * (blocklist.MaxName + 5)]byte
	reached [blocklist.MaxName]byte // for a name that an answer leads to
	chain   chain                   // of a decision on one
}

// Bits of the last byte of a key.
const (
	keyDO = 1
	keyCD = 2
)

// name returns the name in lower-case wire form: what is decided on.
func (q *query) name() []byte { return q.key[: len(q.key)-5 : len(q.key)-5] }

// read takes an ordinary query from a datagram: one question, and EDNS with whatever options. For everything else it returns false, and the plain path has to look. The query keeps a reference to the datagram.
func (q *query) read(m []byte) bool {
	if len(m) < headerSize+5 {
		return false
	}
	q.id, q.flags = binary.BigEndian.Uint16(m), binary.BigEndian.Uint16(m[2:])
	if q.flags&^(flagRD|flagAD|flagCD) != 0 || binary.BigEndian.Uint32(m[4:]) != 1<<16 || m[8]|m[9]|m[10] != 0 {
		return false
	}
	end := q.readName(m)
	if end == 0 || end+4 > len(m) {
		return false
	}
	q.qtype, q.class = binary.BigEndian.Uint16(m[end:]), binary.BigEndian.Uint16(m[end+2:])
	q.question = m[headerSize : end+4]
	if !q.readEDNS(m[end+4:], m[11]) {
		return false
	}
	q.finishKey(append(q.key, m[end:end+4]...))
	return true
}

// readName copies the name to the key, in lower case, and returns where it ends; 0 if it is not a plain one.
func (q *query) readName(m []byte) int {
	key, off := q.buf[:0], headerSize
	for off < len(m) && m[off] != 0 {
		length := int(m[off])
		if length > blocklist.MaxLabel || off+length >= len(m) || len(key)+length+2 > blocklist.MaxName {
			return 0
		}
		key = append(key, m[off:off+1+length]...)
		off += 1 + length
	}
	if off >= len(m) {
		return 0
	}
	lowerName(key)
	q.key = append(key, 0)
	return off + 1
}

// lowerName lowers the letters of a name in wire form. Lengths of labels are below them.
func lowerName(name []byte) {
	for i, c := range name {
		if c-'A' < 26 {
			name[i] = c + 'a' - 'A'
		}
	}
}

// readEDNS reads what follows the question: nothing, or an OPT record.
func (q *query) readEDNS(m []byte, records byte) bool {
	q.edns, q.do, q.version, q.size = false, false, 0, minSize
	q.sentCookie, q.stamped, q.options, q.structured = nil, false, nil, false
	if records == 0 {
		return len(m) == 0
	}
	const fixed = 11
	if records > 1 || len(m) < fixed || m[0] != 0 || count(m, 1) != int(dns.TypeOPT) || m[5]|m[6] != 0 || count(m, 9) != len(m)-fixed {
		return false
	}
	if len(m) > fixed && !q.readOptions(m[fixed:]) {
		return false
	}
	q.edns, q.do, q.size = true, m[7]&0x80 != 0, clientSize(count(m, 3))
	return true
}

// parse takes a message that holds one question; false means that it breaks the rules.
func (q *query) parse(msg *dns.Msg, stream bool) bool {
	q.id, q.size, q.flags = msg.Id, minSize, headerFlags(msg)
	if !q.parseEDNS(msg.Extra) || len(msg.Question) != 1 || !isBare(msg) {
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
	q.finishKey(append(key, tail...))
	if stream {
		q.size = dns.MaxMsgSize
	}
	return err == nil
}

// isBare reports whether a query has no records beside its question, which no query needs but one for an incremental transfer
// (RFC 1995, section 3). Messages of other kinds may have some.
func isBare(msg *dns.Msg) bool {
	transfer := msg.Question[0].Qtype == dns.TypeIXFR
	return msg.Opcode != dns.OpcodeQuery || len(msg.Answer) == 0 && (len(msg.Ns) == 0 || transfer)
}

// headerFlags returns the flags of a message that an answer depends on.
func headerFlags(msg *dns.Msg) (flags uint16) {
	flags = uint16(msg.Opcode) << 11 & maskOpcode
	if msg.RecursionDesired {
		flags |= flagRD
	}
	if msg.AuthenticatedData {
		flags |= flagAD
	}
	if msg.CheckingDisabled {
		flags |= flagCD
	}
	return flags
}

// parseEDNS finds the OPT record, of which there is at most one, owned by the root (RFC 6891, section 6.1.1).
func (q *query) parseEDNS(extra []dns.RR) bool {
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

// clientSize is how much we send to a client that says how much it takes.
func clientSize(says int) int { return min(max(says, minSize), udpSize) }

// finishKey puts the last byte behind name, type and class.
func (q *query) finishKey(key []byte) {
	bits := byte(0)
	if q.do {
		bits |= keyDO
	}
	if q.flags&flagCD != 0 {
		bits |= keyCD
	}
	q.key = append(key, bits)
}

// copyTo makes a copy that shares nothing.
func (q *query) copyTo(to *query) {
	to.id, to.flags, to.class, to.qtype = q.id, q.flags, q.class, q.qtype
	to.edns, to.do, to.version, to.size = q.edns, q.do, q.version, q.size
	to.structured = q.structured
	to.allowed, to.client, to.counters = q.allowed, q.client, q.counters
	to.stale, to.keepalive = q.stale, q.keepalive
	to.sentCookie, to.options, to.stamped, to.cookie = nil, nil, q.stamped, q.cookie
	to.key = append(to.buf[:0], q.key...)
	half := len(to.buf) / 2
	to.question = append(to.buf[half:half], q.question...)
}

// overStream reports whether the client is known to be where the answer goes.
func (q *query) overStream() bool { return q.size > udpSize }

// check returns the rcode of a query that is refused before anything is looked up.
func (q *query) check() int {
	if rcode := q.checkClass(); rcode != dns.RcodeSuccess || !refusedType(q.qtype) {
		return rcode
	}
	return dns.RcodeRefused
}

// checkClass is check but for the type.
func (q *query) checkClass() int {
	switch {
	case q.version != 0:
		return dns.RcodeBadVers
	case q.class != dns.ClassINET:
		return dns.RcodeRefused
	}
	return dns.RcodeSuccess
}

// refusedType reports whether a type asks for something else than the records of a name.
func refusedType(t uint16) bool {
	switch t {
	case dns.TypeMAILA, dns.TypeMAILB, dns.TypeOPT, dns.TypeTKEY, dns.TypeTSIG:
		return true
	}
	return isTransfer(t)
}

// isTransfer reports whether a type asks for a whole zone.
func isTransfer(t uint16) bool { return t == dns.TypeAXFR || t == dns.TypeIXFR }
