package dnsfilter

import (
	"slices"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// isDiverted reports whether clients find a host by answers of a type: addresses, and types that could lead around
// these.
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
