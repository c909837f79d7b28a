package dnsfilter

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/cookie"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// start appends to dst the header of an answer without records, and the question.
func (q *query) start(dst []byte, rcode int) []byte {
	dst = binary.BigEndian.AppendUint16(dst, q.id)
	dst = binary.BigEndian.AppendUint16(dst, q.replyFlags(uint16(rcode&dnswire.MaskRcode)))
	dst = append(dst, 0, byte(min(len(q.question), 1)), 0, 0, 0, 0, 0, 0)
	return append(dst, q.question...)
}

// personalize makes an answer to the same question of another client, or of ours to the upstream, the client's own: ID,
// flags, case of the name.
func (q *query) personalize(m []byte) {
	binary.BigEndian.PutUint16(m, q.id)
	dnswire.SetFlags(m, q.replyFlags(dnswire.Flags(m)))
	copy(m[dnswire.HeaderSize:], q.question)
	if end := dnswire.HeaderSize + len(q.question); dnswire.HasLabel(m, end) { // most owners are pointers to the name
		dnswire.RestoreCase(m[end:], q.question[:len(q.question)-4])
	}
}

// replyFlags returns the flags of the answer; of the given ones only the rcode and AD count.
func (q *query) replyFlags(given uint16) uint16 {
	flags := given&(dnswire.MaskRcode|dnswire.FlagAD) | q.flags&(dnswire.MaskOpcode|dnswire.FlagRD) | dnswire.FlagQR
	if q.flags&dnswire.MaskOpcode == 0 { // else these bits are not defined
		flags |= dnswire.FlagRA | q.flags&dnswire.FlagCD
	}
	if !q.do && q.flags&dnswire.FlagAD == 0 {
		flags &^= dnswire.FlagAD // RFC 6840, section 5.8
	}
	return flags
}

// finish completes an answer: EDNS if the client speaks it, and the size that the client takes. The upper bits of the
// rcode and the extended errors are sent to clients with EDNS only. A text that does not fit is left out.
func (q *query) finish(m []byte, rcode uint8, e ede) []byte {
	optSize := 0
	if q.edns {
		optSize = dnswire.OPTSize + q.cookieSize() + q.keepaliveSize()
		e.fit(q.size - len(m) - optSize)
		optSize += e.size()
	}
	if len(m)+optSize > q.size {
		m = m[:dnswire.HeaderSize+len(q.question)]
		dnswire.Truncate(m)
		clear(m[6:dnswire.HeaderSize])
	}
	if !q.edns {
		return m
	}
	return q.appendOPT(m, rcode, &e)
}

// appendOPT appends the one OPT record (RFC 6891, section 6.1.2). Nothing of the client's is echoed but the DO bit and
// its cookie.
func (q *query) appendOPT(m []byte, rcode uint8, e *ede) []byte {
	dnswire.SetCount(m, dnswire.Additional, dnswire.Count(m, dnswire.Additional)+1)
	m = dnswire.AppendOPT(m, rcode, q.do, e.size()+q.cookieSize()+q.keepaliveSize())
	if q.hasCookie {
		m = append(append(m, 0, dns.EDNS0COOKIE, 0, cookie.Size), q.cookie[:]...)
	}
	if q.keepalive > 0 {
		m = binary.BigEndian.AppendUint16(append(m, 0, dns.EDNS0TCPKEEPALIVE, 0, 2), q.keepalive-1)
	}
	return e.append(m)
}

// cookieSize returns how many bytes the cookie takes in the answer.
func (q *query) cookieSize() int {
	if q.hasCookie {
		return 4 + cookie.Size
	}
	return 0
}

// keepaliveSize returns how many bytes edns-tcp-keepalive (RFC 7828) takes in the answer.
func (q *query) keepaliveSize() int {
	if q.keepalive > 0 {
		return 6
	}
	return 0
}

// refuse appends an answer that is nothing but an rcode, and an extended error unless that is 0.
func (q *query) refuse(dst []byte, rcode int, code uint16) []byte {
	return q.finish(q.start(dst, rcode), uint8(rcode>>4), ede{codes: [2]uint16{code}})
}

// truncated appends an answer that asks the client to come over TCP.
func (q *query) truncated(dst []byte) []byte {
	m := q.start(dst, dns.RcodeSuccess)
	dnswire.Truncate(m)
	return q.finish(m, 0, ede{})
}
