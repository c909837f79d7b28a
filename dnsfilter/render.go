package dnsfilter

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/cookie"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// start appends the header of an answer without records, and the question.
func (q *query) start(dst []byte, rcode int) []byte {
	dst = binary.BigEndian.AppendUint16(dst, q.id)
	dst = binary.BigEndian.AppendUint16(dst, q.replyFlags(uint16(rcode&dnswire.MaskRcode)))
	dst = append(dst, 0, byte(min(len(q.question), 1)), 0, 0, 0, 0, 0, 0)
	return append(dst, q.question...)
}

// personalize adapts an answer from the cache or the upstream to this client's query: it sets the ID, the flags, and
// the letter case of the name.
func (q *query) personalize(m []byte) {
	binary.BigEndian.PutUint16(m, q.id)
	dnswire.SetFlags(m, q.replyFlags(dnswire.Flags(m)))
	copy(m[dnswire.HeaderSize:], q.question)
	if end := dnswire.HeaderSize + len(q.question); dnswire.HasLabel(m, end) { // most owners are pointers to the name
		dnswire.RestoreCase(m[end:], q.question[:len(q.question)-4])
	}
}

// replyFlags returns the header flags of the answer. Of the argument, it uses the rcode and the AD bit only.
func (q *query) replyFlags(given uint16) uint16 {
	flags := given&(dnswire.MaskRcode|dnswire.FlagAD) | q.flags&(dnswire.MaskOpcode|dnswire.FlagRD) | dnswire.FlagQR
	if q.flags&dnswire.MaskOpcode == 0 { // RA and CD are defined for the opcode QUERY only
		flags |= dnswire.FlagRA | q.flags&dnswire.FlagCD
	}
	if !q.do && q.flags&dnswire.FlagAD == 0 {
		flags &^= dnswire.FlagAD // RFC 6840, section 5.8
	}
	return flags
}

// finish completes an answer: it truncates it to the client's maximum size and, if the client uses EDNS, adds an OPT
// record. The argument rcode has the upper bits of an extended rcode. Without EDNS, these and the extended errors are
// lost. Extended errors that do not fit are left out.
func (q *query) finish(m []byte, rcode uint8, e ede) []byte {
	optSize := 0
	if q.edns {
		optSize = dnswire.OPTSize + q.cookieSize() + q.keepaliveSize() + q.nsidSize()
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

// appendOPT appends the OPT record of the answer (RFC 6891, section 6.1.2). Only the DO bit and the client cookie are
// copied from the query.
func (q *query) appendOPT(m []byte, rcode uint8, e *ede) []byte {
	dnswire.SetCount(m, dnswire.Additional, dnswire.Count(m, dnswire.Additional)+1)
	options := e.size() + q.cookieSize() + q.keepaliveSize() + q.nsidSize()
	padding := q.paddingSize(len(m) + dnswire.OPTSize + options)
	m = dnswire.AppendOPT(m, rcode, q.do, options+padding)
	if q.hasCookie {
		m = append(append(m, 0, dns.EDNS0COOKIE, 0, cookie.Size), q.cookie[:]...)
	}
	if q.keepalive > 0 {
		m = binary.BigEndian.AppendUint16(append(m, 0, dns.EDNS0TCPKEEPALIVE, 0, 2), q.keepalive-1)
	}
	if q.nsid != "" {
		m = append(append(m, 0, byte(dns.EDNS0NSID), 0, byte(len(q.nsid))), q.nsid...)
	}
	m = e.append(m)
	if padding > 0 {
		m = binary.BigEndian.AppendUint16(append(m, 0, dns.EDNS0PADDING), uint16(padding-4))
		m = append(m, zeros[:padding-4]...)
	}
	return m
}

// paddingBlock is the block length for padding: the size of a padded answer is a multiple of it (RFC 8467, section
// 4.1).
const paddingBlock = 468

// zeros is the data of padding.
var zeros [paddingBlock]byte //nolint:gochecknoglobals // never written to

// paddingSize returns the size of the padding option (RFC 7830), in bytes. The argument is the size of the answer
// without it.
func (q *query) paddingSize(size int) int {
	if !q.padded {
		return 0
	}
	padded := min((size+4+paddingBlock-1)/paddingBlock*paddingBlock, q.size)
	if padded < size+4 {
		return 0
	}
	return padded - size
}

// cookieSize returns the size of the cookie option in the answer, in bytes.
func (q *query) cookieSize() int {
	if q.hasCookie {
		return 4 + cookie.Size
	}
	return 0
}

// keepaliveSize returns the size of the edns-tcp-keepalive option (RFC 7828) in the answer, in bytes.
func (q *query) keepaliveSize() int {
	if q.keepalive > 0 {
		return 6
	}
	return 0
}

// nsidSize returns the size of the NSID option (RFC 5001) in the answer, in bytes.
func (q *query) nsidSize() int {
	if q.nsid == "" {
		return 0
	}
	return 4 + len(q.nsid)
}

// refuse appends an answer without records, with an rcode and, unless code is 0, an extended error.
func (q *query) refuse(dst []byte, rcode int, code uint16) []byte {
	return q.finish(q.start(dst, rcode), uint8(rcode>>4), ede{codes: [2]uint16{code}})
}

// truncated appends an empty answer with TC set, so that the client retries over TCP.
func (q *query) truncated(dst []byte) []byte {
	m := q.start(dst, dns.RcodeSuccess)
	dnswire.Truncate(m)
	return q.finish(m, 0, ede{})
}
