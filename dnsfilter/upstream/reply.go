package upstream

import (
	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// optionPadding is the code of the EDNS option that pads a message (RFC 7830).
const optionPadding = 12

// id returns the ID of a message.
func id(m []byte) uint16 { return uint16(dnswire.Uint16(m, 0)) }

// hasKind reports whether a reply is a response of the opcode of a query.
func hasKind(reply, query []byte) bool {
	const mask = dnswire.FlagQR | dnswire.MaskOpcode
	return dnswire.Flags(reply)&mask == dnswire.FlagQR|dnswire.Flags(query)&dnswire.MaskOpcode
}

// isReplyTo reports whether reply is a response to the question of query, whatever the case of its letters. The ID and
// the case are yet to be compared.
func isReplyTo(reply, query []byte) bool {
	end := dnswire.QuestionEnd(query)
	if end == 0 || len(reply) < end || !hasKind(reply, query) || dnswire.Count(reply, dnswire.Question) != 1 {
		return false
	}
	sameName := dnswire.EqualFold(reply[dnswire.HeaderSize:end-4], query[dnswire.HeaderSize:end-4])
	return sameName && string(reply[end-4:end]) == string(query[end-4:end])
}

// isHeaderOnlyFailure reports whether reply is a failure without a question, of a resolver that could not read the
// query, or refuses to.
func isHeaderOnlyFailure(reply, query []byte) bool {
	return hasKind(reply, query) && dnswire.Count(reply, dnswire.Question) == 0 && dnswire.Rcode(reply) != 0
}

// isFailure reports whether a reply says nothing of the name: neither what it has nor that it does not exist.
func isFailure(reply []byte) bool {
	return dnswire.IsFailure(reply) || dnswire.Rcode(reply) == dns.RcodeSuccess && extendedRcode(reply) != 0
}

// extendedRcode returns the upper bits of the rcode (RFC 6891, section 6.1.3) of a reply that has an OPT record and
// nothing else.
func extendedRcode(reply []byte) int {
	records := dnswire.Count(reply, dnswire.Answer) + dnswire.Count(reply, dnswire.Authority)
	opt, ok := optOf(reply)
	if !ok || records != 0 || dnswire.Count(reply, dnswire.Question) != 1 {
		return 0
	}
	return opt.Rcode()
}

// optOf returns the OPT record of a message that has one behind its question and nothing else.
func optOf(m []byte) (dnswire.OPT, bool) {
	end := dnswire.QuestionEnd(m)
	if end == 0 || dnswire.Count(m, dnswire.Additional) != 1 {
		return nil, false
	}
	return dnswire.AsOPT(m[end:])
}

// mayRefuseEDNS reports whether a reply may be a failure because the query had an OPT record (RFC 6891, section 7).
func mayRefuseEDNS(reply []byte) bool {
	switch dnswire.Rcode(reply) {
	case dns.RcodeFormatError, dns.RcodeNotImplemented:
		return true
	case dns.RcodeSuccess:
		return extendedRcode(reply) != 0 // BADVERS
	}
	return false
}

// canDropEDNS reports whether a query of our own has an OPT record that it may do without: one that does not have the
// DO bit.
func canDropEDNS(query []byte) bool {
	opt, ok := optOf(query)
	return ok && !opt.DO()
}

// dropEDNS appends a query of our own without its OPT record.
func dropEDNS(dst, query []byte) []byte {
	dst = append(dst, query[:dnswire.QuestionEnd(query)]...)
	dnswire.SetCount(dst, dnswire.Additional, 0)
	return dst
}
