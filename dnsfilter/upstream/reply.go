package upstream

import (
	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// optionPadding is the code of the EDNS option that pads a message (RFC 7830).
const optionPadding = 12

// id returns the ID of a message.
func id(m []byte) uint16 { return uint16(dnswire.Uint16(m, 0)) }

// hasKind reports whether a reply has the QR bit set and the same opcode as the query.
func hasKind(reply, query []byte) bool {
	const mask = dnswire.FlagQR | dnswire.MaskOpcode
	return dnswire.Flags(reply)&mask == dnswire.FlagQR|dnswire.Flags(query)&dnswire.MaskOpcode
}

// isReplyTo reports whether reply is a response with the question of query, ignoring letter case. It does not compare
// the IDs.
func isReplyTo(reply, query []byte) bool {
	end := dnswire.QuestionEnd(query)
	if end == 0 || len(reply) < end || !hasKind(reply, query) || dnswire.Count(reply, dnswire.Question) != 1 {
		return false
	}
	sameName := dnswire.EqualFold(reply[dnswire.HeaderSize:end-4], query[dnswire.HeaderSize:end-4])
	return sameName && string(reply[end-4:end]) == string(query[end-4:end])
}

// isHeaderOnlyFailure reports whether reply is a failure without a question. Resolvers send such replies if they can't
// parse a query or refuse it.
func isHeaderOnlyFailure(reply, query []byte) bool {
	return hasKind(reply, query) && dnswire.Count(reply, dnswire.Question) == 0 && dnswire.Rcode(reply) != 0
}

// isFailure reports whether the rcode of a reply is a failure: an extended rcode, or a failure as in
// [dnswire.IsFailure].
func isFailure(reply []byte) bool {
	return dnswire.IsFailure(reply) || dnswire.Rcode(reply) == dns.RcodeSuccess && extendedRcode(reply) != 0
}

// extendedRcode returns the upper bits of the rcode (RFC 6891, section 6.1.3). It returns 0 unless the OPT record is
// the only record of the reply.
func extendedRcode(reply []byte) int {
	records := dnswire.Count(reply, dnswire.Answer) + dnswire.Count(reply, dnswire.Authority)
	opt, ok := optOf(reply)
	if !ok || records != 0 || dnswire.Count(reply, dnswire.Question) != 1 {
		return 0
	}
	return opt.Rcode()
}

// optOf returns the OPT record of a message. It returns false unless that is the only record of the additional section
// and follows the question.
func optOf(m []byte) (dnswire.OPT, bool) {
	end := dnswire.QuestionEnd(m)
	if end == 0 || dnswire.Count(m, dnswire.Additional) != 1 {
		return nil, false
	}
	return dnswire.AsOPT(m[end:])
}

// mayRefuseEDNS reports whether a reply is a failure that the OPT record of the query may have caused (RFC 6891,
// section 7).
func mayRefuseEDNS(reply []byte) bool {
	switch dnswire.Rcode(reply) {
	case dns.RcodeFormatError, dns.RcodeNotImplemented:
		return true
	case dns.RcodeSuccess:
		return extendedRcode(reply) != 0 // BADVERS
	}
	return false
}

// canDropEDNS reports whether a query has an OPT record that can be left out, since it has no DO bit.
func canDropEDNS(query []byte) bool {
	opt, ok := optOf(query)
	return ok && !opt.DO()
}

// dropEDNS appends a query to dst, without the OPT record, which is its last record.
func dropEDNS(dst, query []byte) []byte {
	dst = append(dst, query[:dnswire.QuestionEnd(query)]...)
	dnswire.SetCount(dst, dnswire.Additional, 0)
	return dst
}
