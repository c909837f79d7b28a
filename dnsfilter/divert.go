package dnsfilter

import (
	"slices"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// isDiverted reports whether queries of a type are diverted: those for addresses, and those for types such as HTTPS,
// whose answers could lead clients around the proxy.
func isDiverted(qtype uint16) bool {
	return qtype == dns.TypeA || qtype == dns.TypeAAAA || qtype == dns.TypeANY || isService(qtype)
}

// diverting returns the first rule with addresses in Divert whose list has url entries for the host, or nil.
func (v *View) diverting(store *blocklist.Store, host []byte) *Rule {
	for i := range v.Rules {
		if r := &v.Rules[i]; len(r.Divert) > 0 && store.HasURLs(r.List, host) {
			return r
		}
	}
	return nil
}

// diverts reports whether any rule of the view has addresses in Divert.
func (v *View) diverts() bool {
	return slices.ContainsFunc(v.Rules, func(r Rule) bool { return len(r.Divert) > 0 })
}
