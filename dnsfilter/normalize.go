package dnsfilter

import (
	"encoding/binary"
	"fmt"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// errReply is the error for a malformed or truncated reply.
var errReply = fmt.Errorf("the upstream's answer is %w", blocklist.ErrMalformed)

// normalizeReply converts a packed reply to the form that the cache keeps, in the reply's memory if possible. The
// result has the given question, with the name in lower case, and only the records that answer it (see scrub.go). The
// ID field has the first extended error code plus one, or 0. All record boundaries and names are checked.
func normalizeReply(m, question []byte) ([]byte, error) {
	off := dnswire.HeaderSize + len(question)
	if !isWhole(m, off) {
		return nil, errReply
	}
	copy(m[dnswire.HeaderSize:], question)
	copy(m, "\x00\x00")
	end, err := checkRecords(m, off, question[:len(question)-4])
	if err != nil {
		return nil, err
	}
	if trimmed, ok := trim(m[:end]); ok {
		return trimmed, nil
	}
	return repack(m[:end])
}

// isWhole reports whether a reply has exactly one question, which ends at offset off, and no TC bit. A reply that is
// truncated even over TCP is not usable (RFC 2181, section 9).
func isWhole(m []byte, off int) bool {
	return len(m) >= off && dnswire.Count(m, dnswire.Question) == 1 && !dnswire.IsTruncated(m)
}

// checkRecords checks the records of a reply, which begin at offset off. It returns the end of the authority section,
// and sets the count of the additional section to 0.
func checkRecords(m []byte, off int, name []byte) (end int, err error) {
	additional := dnswire.Count(m, dnswire.Additional)
	before := dnswire.Count(m, dnswire.Answer) + dnswire.Count(m, dnswire.Authority)
	made := false
	end = off
	for i := range before + additional {
		rrtype, next := dnswire.CheckRecord(m, off)
		if next == 0 || rrtype == dns.TypeOPT && i < before { // RFC 6891, section 6.1.1, forbids it there
			return 0, errReply
		}
		made = made || rrtype == dns.TypeDNAME
		restoreCase(m[:next], off, name, made && rrtype == dns.TypeCNAME)
		if rrtype == dns.TypeOPT {
			mergeOPT(m, dnswire.SkipName(m, off), next)
		}
		if off = next; i < before {
			end = next
		}
	}
	dnswire.SetCount(m, dnswire.Additional, 0)
	return end, nil
}

// restoreCase undoes the 0x20 case randomization in the last record of m, which begins at offset off. The argument made
// is true for a CNAME record that was synthesized from a DNAME record: its target has labels of the query name, too.
func restoreCase(m []byte, off int, name []byte, made bool) {
	if dnswire.HasLabel(m, off) {
		dnswire.RestoreCase(m[off:], name)
	}
	if made {
		dnswire.RestoreLabels(m[dnswire.SkipName(m, off)+10:], name)
	}
}

// mergeOPT stores the content of an OPT record in the header: an extended rcode becomes SERVFAIL, and the first
// extended error goes into the ID field. The argument at is the offset of the record's type field, and end is the
// offset of its end.
func mergeOPT(m []byte, at, end int) {
	binary.BigEndian.PutUint16(m, firstError(m[at+10:end]))
	if m[at+4] != 0 {
		dnswire.SetRcode(m, dns.RcodeServerFailure)
	}
}

// firstError returns the first registered extended error code in packed EDNS options, plus one. It returns 0 if they
// have no such code.
func firstError(options []byte) uint16 {
	for len(options) > 0 {
		code, data, rest, ok := dnswire.NextOption(options)
		if !ok {
			break
		}
		if code == dns.EDNS0EDE && len(data) >= 2 && data[0] == 0 && data[1] < 0xff {
			return uint16(data[1]) + 1
		}
		options = rest
	}
	return 0
}

// repack normalizes a reply whose records are out of order or mixed with records that do not answer the question.
func repack(m []byte) ([]byte, error) {
	msg := new(dns.Msg)
	if err := msg.Unpack(m); err != nil {
		return nil, errReply
	}
	out, err := packReply(msg.Question, msg)
	copy(out, m[:2])
	return out, err
}

// packReply is normalizeReply for an unpacked message.
func packReply(asked []dns.Question, reply *dns.Msg) ([]byte, error) {
	if reply.Truncated {
		return nil, errReply
	}
	m := dns.Msg{Question: asked, Compress: true}
	m.AuthenticatedData = reply.AuthenticatedData
	if m.Rcode = reply.Rcode; m.Rcode > dnswire.MaskRcode {
		m.Rcode = dns.RcodeServerFailure
	}
	m.Answer, m.Ns = scrub(asked[0], reply)
	for _, rr := range reply.Extra {
		m.Id = max(m.Id, extendedError(rr))
	}
	return m.Pack()
}

// extendedError returns the first registered extended error code in an OPT record, plus one. It returns 0 if the record
// has no such code, or if rr is no OPT record.
func extendedError(rr dns.RR) uint16 {
	if opt, ok := rr.(*dns.OPT); ok {
		for _, o := range opt.Option {
			if e, ok := o.(*dns.EDNS0_EDE); ok && e.InfoCode < 0xff {
				return e.InfoCode + 1
			}
		}
	}
	return 0
}
