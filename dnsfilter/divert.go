package dnsfilter

import (
	"slices"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// isDiverted tells types by whose answers clients find a host: addresses, and what could lead them around these. All others
// are the upstream's to answer.
func isDiverted(qtype uint16) bool {
	return qtype == dns.TypeA || qtype == dns.TypeAAAA || qtype == dns.TypeANY || isService(qtype)
}

// diverting returns the first rule that diverts and whose list has url entries for a host; nil if there is none.
func (v *View) diverting(store *blocklist.Store, host []byte) *Rule {
	for i := range v.Rules {
		if r := &v.Rules[i]; len(r.Divert) > 0 && store.HasURLs(r.List, host) {
			return r
		}
	}
	return nil
}

// diverts reports whether any rule of the view does.
func (v *View) diverts() bool {
	return slices.ContainsFunc(v.Rules, func(r Rule) bool { return len(r.Divert) > 0 })
}

// divert answers with the addresses of the proxy. Where there are none of the family, and for other types, there is no data: what
// could be reached otherwise would go around the proxy.
func (d *Decision) divert(dst []byte, q *query) []byte {
	var why ede
	if d.rule.Reason != NoReason && !q.structured {
		why.codes[0] = dns.ExtendedErrorCodeForgedAnswer
	}
	return d.addresses(dst, q, d.rule.Divert, why)
}
