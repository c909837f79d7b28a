package dnsfilter

import (
	"encoding/binary"
	"iter"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// Sizes of messages. 1232 bytes pass every network in one piece (DNS flag day 2020).
const (
	headerSize = 12
	minSize    = 512
	udpSize    = 1232
)

// Bits of the second word of the header (RFC 1035, section 4.1.1; RFC 4035, section 3.1.6).
const (
	flagQR    = 1 << 15
	flagTC    = 1 << 9
	flagRD    = 1 << 8
	flagRA    = 1 << 7
	flagAD    = 1 << 5
	flagCD    = 1 << 4
	maskRcode = 15
)

// query is one question, in the forms that the path needs.
type query struct {
	msg     *dns.Msg
	name    []byte // lower-case wire form: what is decided on and cached
	spelled []byte // wire form as the client wrote it
	class   uint16
	qtype   uint16
	opt     *dns.OPT // nil without EDNS
	do      bool
	size    int // the longest answer the client takes, in bytes
	buf     [2 * blocklist.MaxName]byte
}

// parse takes a message apart that holds one question; false means that it breaks the rules.
func (q *query) parse(msg *dns.Msg, stream bool) bool {
	if len(msg.Question) != 1 || !q.parseEDNS(msg.Extra) {
		return false
	}
	asked := msg.Question[0]
	q.class, q.qtype = asked.Qclass, asked.Qtype
	n, err := dns.PackDomainName(asked.Name, q.buf[:], 0, nil, false)
	if err != nil {
		return false
	}
	q.spelled = q.buf[:n:n]
	q.name, err = blocklist.AppendName(q.buf[n:n], asked.Name)
	q.setSize(stream)
	return err == nil
}

// parseEDNS finds the OPT record, of which there is at most one, owned by the root (RFC 6891, section 6.1.1).
func (q *query) parseEDNS(extra []dns.RR) bool {
	for _, rr := range extra {
		opt, ok := rr.(*dns.OPT)
		if !ok {
			continue
		}
		if q.opt != nil || opt.Hdr.Name != "." {
			return false
		}
		q.opt, q.do = opt, opt.Do()
	}
	return true
}

func (q *query) setSize(stream bool) {
	q.size = minSize
	switch {
	case stream:
		q.size = dns.MaxMsgSize
	case q.opt != nil:
		q.size = min(max(int(q.opt.UDPSize()), minSize), udpSize)
	}
}

// key appends what the cache and questions in flight are told apart by.
func (q *query) key(dst []byte) []byte {
	dst = append(dst, q.name...)
	dst = binary.BigEndian.AppendUint16(dst, q.qtype)
	dst = binary.BigEndian.AppendUint16(dst, q.class)
	bits := byte(0)
	if q.do {
		bits |= 1
	}
	if q.msg.CheckingDisabled {
		bits |= 2
	}
	return append(dst, bits)
}

// answer is what a question gets, before the parts that depend on the client's own message are put in.
type answer struct {
	body     []byte   // a message without OPT; of its header only the rcode, AD and the counts are used
	extended uint8    // upper bits of the rcode
	ede      []uint16 // codes of RFC 8914, told to clients that speak EDNS
}

// message makes a body of records. A question that could not be read is left out.
func (q *query) message(rcode int, records, authority []dns.RR) answer {
	m := dns.Msg{Answer: records, Ns: authority, Compress: true}
	m.Rcode = rcode & maskRcode
	if q.spelled != nil {
		m.Question = q.msg.Question
	}
	body, err := m.Pack()
	if err != nil && rcode != dns.RcodeServerFailure {
		return q.message(dns.RcodeServerFailure, nil, nil)
	}
	return answer{body: body, extended: uint8(rcode >> 4)}
}

// finish makes the answer the client's own, in the memory of its body: id and flags, spelling of the name, EDNS, size.
func (q *query) finish(a answer) []byte {
	m := a.body
	flags := binary.BigEndian.Uint16(m[2:])&(maskRcode|flagAD) | flagQR | flagRA
	if !q.do && !q.msg.AuthenticatedData {
		flags &^= flagAD // RFC 6840, section 5.8
	}
	if q.msg.RecursionDesired {
		flags |= flagRD
	}
	if q.msg.CheckingDisabled {
		flags |= flagCD
	}
	optSize := 0
	if q.opt != nil {
		optSize = 11 + 6*len(a.ede)
	}
	if len(m)+optSize > q.size {
		flags |= flagTC
		m = m[:headerSize+len(q.spelled)+4]
		clear(m[6:headerSize])
	}
	binary.BigEndian.PutUint16(m, q.msg.Id)
	binary.BigEndian.PutUint16(m[2:], flags)
	copy(m[headerSize:], q.spelled)
	if q.opt == nil {
		return m
	}
	return q.appendOPT(m, a)
}

// appendOPT adds the one OPT record (RFC 6891, section 6.1.2). Nothing of the client's is echoed but the DO bit.
func (q *query) appendOPT(m []byte, a answer) []byte {
	binary.BigEndian.PutUint16(m[10:], binary.BigEndian.Uint16(m[10:])+1)
	m = append(m, 0, 0, byte(dns.TypeOPT))
	m = binary.BigEndian.AppendUint16(m, udpSize)
	do := byte(0)
	if q.do {
		do = 1 << 7
	}
	m = append(m, a.extended, 0, do, 0)
	m = binary.BigEndian.AppendUint16(m, uint16(6*len(a.ede)))
	for _, code := range a.ede {
		m = append(m, 0, dns.EDNS0EDE, 0, 2, byte(code>>8), byte(code))
	}
	return m
}

// record is one record of a packed message.
type record struct {
	authority bool
	rrtype    uint16
	ttl       []byte
	data      []byte
}

// records walks a packed message with one question. It stops where the message breaks off.
func records(m []byte) iter.Seq[record] {
	return func(yield func(record) bool) {
		answers, total := count(m, 6), count(m, 6)+count(m, 8)+count(m, 10)
		off := skipName(m, headerSize) + 4
		for i := range total {
			off = skipName(m, off)
			if off+10 > len(m) {
				return
			}
			end := off + 10 + count(m, off+8)
			if end > len(m) {
				return
			}
			r := record{rrtype: binary.BigEndian.Uint16(m[off:]), ttl: m[off+4 : off+8], data: m[off+10 : end]}
			r.authority = i >= answers && i < answers+count(m, 8)
			if !yield(r) {
				return
			}
			off = end
		}
	}
}

func count(m []byte, off int) int { return int(binary.BigEndian.Uint16(m[off:])) }

func skipName(m []byte, off int) int {
	for off < len(m) && m[off] != 0 {
		if m[off] >= 0xc0 {
			return off + 2
		}
		off += 1 + int(m[off])
	}
	return off + 1
}
