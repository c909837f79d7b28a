package dnsfilter

import (
	"encoding/binary"
	"iter"

	"github.com/miekg/dns"
)

// Sizes of messages. 1232 bytes pass every network in one piece (DNS flag day 2020).
const (
	headerSize = 12
	minSize    = 512
	udpSize    = 1232
)

// Bits of the second word of the header (RFC 1035, section 4.1.1; RFC 4035, section 3.1.6).
const (
	flagQR     = 1 << 15
	flagTC     = 1 << 9
	flagRD     = 1 << 8
	flagRA     = 1 << 7
	flagAD     = 1 << 5
	flagCD     = 1 << 4
	maskRcode  = 15
	maskOpcode = 15 << 11
)

// start appends to dst the header of an answer without records, and the question.
func (q *query) start(dst []byte, rcode int) []byte {
	dst = binary.BigEndian.AppendUint16(dst, q.id)
	dst = binary.BigEndian.AppendUint16(dst, q.replyFlags(uint16(rcode&maskRcode)))
	dst = append(dst, 0, byte(min(len(q.question), 1)), 0, 0, 0, 0, 0, 0)
	return append(dst, q.question...)
}

// own makes a body, which answers the same question of somebody else's, the client's own: id, flags, spelling of the name.
func (q *query) own(m []byte) {
	binary.BigEndian.PutUint16(m, q.id)
	binary.BigEndian.PutUint16(m[2:], q.replyFlags(binary.BigEndian.Uint16(m[2:])))
	copy(m[headerSize:], q.question)
	if end := headerSize + len(q.question); writesOut(m, end) { // of later owners all but few are pointers to the first
		respell(m[end:], q.question[:len(q.question)-4])
	}
}

// replyFlags makes the flags of the answer; of those given only the rcode and AD count.
func (q *query) replyFlags(given uint16) uint16 {
	flags := given&(maskRcode|flagAD) | q.flags&(maskOpcode|flagRD) | flagQR
	if q.flags&maskOpcode == 0 { // else these bits are not defined
		flags |= flagRA | q.flags&flagCD
	}
	if !q.do && q.flags&flagAD == 0 {
		flags &^= flagAD // RFC 6840, section 5.8
	}
	return flags
}

// finish completes an answer: EDNS if the client speaks it, and the size that the client takes. The upper bits of the
// rcode and the extended errors are told to clients with EDNS only. A text that does not fit is left out.
func (q *query) finish(m []byte, extended uint8, e ede) []byte {
	optSize := 0
	if q.edns {
		optSize = 11 + q.cookieOption() + q.keepaliveOption()
		e.fit(q.size - len(m) - optSize)
		optSize += e.size()
	}
	if len(m)+optSize > q.size {
		m = m[:headerSize+len(q.question)]
		m[2] |= flagTC >> 8
		clear(m[6:headerSize])
	}
	if !q.edns {
		return m
	}
	return q.appendOPT(m, extended, &e)
}

// fit leaves out what there is no room for: no answer is cut because of it (RFC 8914, section 3).
func (e *ede) fit(room int) {
	if e.size() > room {
		e.text = [2]string{}
	}
	if e.size() > room {
		*e = ede{}
	}
}

// appendOPT adds the one OPT record (RFC 6891, section 6.1.2). Nothing of the client's is echoed but the DO bit and its cookie.
func (q *query) appendOPT(m []byte, extended uint8, e *ede) []byte {
	binary.BigEndian.PutUint16(m[10:], binary.BigEndian.Uint16(m[10:])+1)
	do := byte(0)
	if q.do {
		do = 1 << 7
	}
	size := e.size() + q.cookieOption() + q.keepaliveOption()
	m = append(m, 0, 0, byte(dns.TypeOPT), udpSize>>8, udpSize&0xff, extended, 0, do, 0, byte(size>>8), byte(size))
	if q.stamped {
		m = append(append(m, 0, dns.EDNS0COOKIE, 0, fullCookie), q.cookie[:]...)
	}
	if q.keepalive > 0 {
		m = binary.BigEndian.AppendUint16(append(m, 0, dns.EDNS0TCPKEEPALIVE, 0, 2), q.keepalive-1)
	}
	return e.append(m)
}

// keepaliveOption returns how many bytes edns-tcp-keepalive (RFC 7828) takes in the answer.
func (q *query) keepaliveOption() int {
	if q.keepalive > 0 {
		return 6
	}
	return 0
}

// outdate makes an answer that has expired one that stands in for a better one (RFC 8767), and returns the extended error
// that says so.
func outdate(m []byte) uint16 {
	for r := range records(m) {
		binary.BigEndian.PutUint32(r.ttl, staleTTL)
	}
	if count(m, 2)&maskRcode == dns.RcodeNameError {
		return dns.ExtendedErrorCodeStaleNXDOMAINAnswer
	}
	return dns.ExtendedErrorCodeStaleAnswer
}

// refuse appends an answer that is nothing but an rcode and why.
func (q *query) refuse(dst []byte, rcode int, why uint16) []byte {
	return q.finish(q.start(dst, rcode), uint8(rcode>>4), ede{codes: [2]uint16{why}})
}

// record is one record of a packed message.
type record struct {
	section section
	rrtype  uint16
	owner   int // where its name is in the message
	at      int // where its data is
	ttl     []byte
	data    []byte
}

// end returns where the record ends.
func (r *record) end() int { return r.at + len(r.data) }

// isInternet reports whether the class of the record is IN.
func (r *record) isInternet(m []byte) bool { return count(m, r.at-8) == dns.ClassINET }

// covers reports whether the record, which is an RRSIG record, is for records of a type.
func (r *record) covers(rrtype uint16) bool {
	return len(r.data) > 2 && binary.BigEndian.Uint16(r.data) == rrtype
}

// section is a part of a message.
type section uint8

const (
	answerSection section = iota
	authoritySection
	additionalSection
)

// records walks the records of a packed message. It stops where the message breaks off.
func records(m []byte) iter.Seq[record] {
	return func(yield func(record) bool) {
		answers, authority, additional := count(m, 6), count(m, 8), count(m, 10)
		off := headerSize
		for range count(m, 4) {
			off = skipName(m, off) + 4
		}
		for i := range answers + authority + additional {
			owner := off
			off = skipName(m, off)
			if off+10 > len(m) {
				return
			}
			end := off + 10 + count(m, off+8)
			if end > len(m) {
				return
			}
			r := record{rrtype: binary.BigEndian.Uint16(m[off:]), owner: owner, at: off + 10, ttl: m[off+4 : off+8], data: m[off+10 : end]}
			if i >= answers {
				r.section = authoritySection
			}
			if i >= answers+authority {
				r.section = additionalSection
			}
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
