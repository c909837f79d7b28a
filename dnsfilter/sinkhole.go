package dnsfilter

import (
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// sinkhole appends the answer with the rule's sinkhole addresses of the queried type.
func (d *Decision) sinkhole(dst []byte, q *query) []byte {
	return d.addresses(dst, q, d.rule.Sinkhole, d.forged(q))
}

// hasAddress reports whether the rule has sinkhole addresses for a query type.
func (r *Rule) hasAddress(qtype uint16) bool {
	return slices.ContainsFunc(r.Sinkhole, func(a netip.Addr) bool { return addressType(a) == qtype })
}

// addresses appends an answer with those of the given addresses that are of the queried type. If none is of this type,
// the answer is no data. The argument why has the extended errors of the answer.
func (d *Decision) addresses(dst []byte, q *query, all []netip.Addr, why ede) []byte {
	m := q.start(dst, dns.RcodeSuccess)
	n := 0
	for _, addr := range all {
		if addressType(addr) == q.qtype {
			m = appendAddress(m, q.qtype, addr, d.rule.ttl())
			n++
		}
	}
	if dnswire.SetCount(m, dnswire.Answer, n); n == 0 {
		m = d.deny(m, q)
	}
	return q.finish(m, 0, why)
}

func addressType(addr netip.Addr) uint16 {
	if addr.Is4() {
		return dns.TypeA
	}
	return dns.TypeAAAA
}

// appendAddress appends an A or AAAA record. Its owner is the query name.
func appendAddress(m []byte, rrtype uint16, addr netip.Addr, ttl uint32) []byte {
	if addr.Is4() {
		data := addr.As4()
		return appendRecord(m, rrtype, ttl, data[:])
	}
	data := addr.As16()
	return appendRecord(m, rrtype, ttl, data[:])
}

// cname appends an answer that consists of one CNAME record, for a blocked query.
func (d *Decision) cname(dst []byte, q *query, target blocklist.Name) []byte {
	m := appendRecord(q.start(dst, dns.RcodeSuccess), dns.TypeCNAME, d.rule.ttl(), []byte(target))
	dnswire.SetCount(m, dnswire.Answer, 1)
	return q.finish(m, 0, d.forged(q))
}

// target returns the target of the CNAME record in the answer to a blocked query, or an empty name if the answer has no
// CNAME record. A client that requests structured errors gets no CNAME record from a sinkhole.
func (d *Decision) target(q *query) blocklist.Name {
	if d.Action == LocalData {
		return d.hit.target()
	}
	if d.Action != Sinkhole || q.structured {
		return ""
	}
	return d.rule.SinkholeName
}
