package config

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
)

// Losses says what other settings take away of these, in words for the log: keys, lists and files that are gone,
// clients that are served no more, and what was blocked and is not. A file that was cut, or written from a template
// without its data, shows so. What is added or changed otherwise is no loss.
func (s *Settings) Losses(next *Settings) (lost []string) {
	note := func(what string) {
		if !slices.Contains(lost, what) {
			lost = append(lost, what)
		}
	}
	gone := func(kind string, names, now []string) {
		for _, name := range names {
			if !slices.Contains(now, name) {
				note(kind + " " + name)
			}
		}
	}
	gone("list", s.ListNames(), next.ListNames())
	gone("allow file", s.Allow, next.Allow)
	gone("guard file", s.Guard.Files(), next.Guard.Files())
	gone("key", slices.Sorted(maps.Keys(s.given)), slices.Collect(maps.Keys(next.given)))
	for _, network := range s.served() {
		if !slices.ContainsFunc(next.served(), func(p netip.Prefix) bool { return covers(p, network) }) {
			note("service for " + network.String())
		}
	}
	old, policy := s.Policy(), next.Policy()
	for _, network := range slices.Concat([]netip.Prefix{{}}, viewNetworks(&old), viewNetworks(&policy)) {
		before, after := viewAt(&old, network), viewAt(&policy, network)
		for _, what := range viewLosses(&before, &after) {
			if network.IsValid() {
				what += " for " + network.String()
			}
			note(what)
		}
	}
	return lost
}

// covers reports whether all addresses of a network are in another one.
func covers(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

// ListNames returns the names of the lists.
func (s *Settings) ListNames() (names []string) {
	for i := range s.Lists {
		names = append(names, s.Lists[i].Rule.List)
	}
	return names
}

// served returns the networks whose queries are answered.
func (s *Settings) served() []netip.Prefix {
	if len(s.Clients) == 0 {
		return dnsfilter.DefaultClients()
	}
	return s.Clients
}

// viewNetworks returns the networks that have a view.
func viewNetworks(p *dnsfilter.Policy) (all []netip.Prefix) {
	for _, v := range p.Views {
		all = append(all, v.Clients...)
	}
	return all
}

// viewAt returns what happens for a network: the view of the longest prefix that covers it, else what holds in general.
func viewAt(p *dnsfilter.Policy, network netip.Prefix) dnsfilter.View {
	best, bits := p.View(netip.Addr{}), -1
	for _, v := range p.Views {
		for _, n := range v.Clients {
			if covers(n, network) && n.Bits() > bits {
				best, bits = v, n.Bits()
			}
		}
	}
	return best
}

// viewLosses says what another view blocks no more, or diverts no more.
func viewLosses(v, next *dnsfilter.View) (lost []string) {
	for i := range v.Rules {
		old, now := &v.Rules[i], dnsfilter.Rule{}
		if at := slices.IndexFunc(next.Rules, func(r dnsfilter.Rule) bool { return r.List == old.List }); at >= 0 {
			now = next.Rules[at]
		}
		lost = append(lost, ruleLosses(old, &now)...)
	}
	for _, q := range v.Quorums {
		if q.Action.Blocks() && q.AtLeast <= len(q.Lists) &&
			!slices.ContainsFunc(next.Quorums, func(n dnsfilter.Quorum) bool { return quorumKept(&q, &n) }) {
			lost = append(lost, "quorum of "+strings.Join(q.Lists, ", "))
		}
	}
	return lost
}

// ruleLosses says what another rule for the same list does no more.
func ruleLosses(r, next *dnsfilter.Rule) (lost []string) {
	if len(r.Divert) > 0 && len(next.Divert) == 0 {
		lost = append(lost, "divert of list "+r.List)
	}
	if r.Action.Blocks() && !next.Action.Blocks() {
		return append(lost, "action "+r.Action.String()+" of list "+r.List)
	}
	categories := slices.Sorted(maps.Keys(r.Categories))
	for _, category := range slices.AppendSeq(categories, maps.Keys(next.Categories)) {
		entry := blocklist.Match{Category: category}
		if r.ActionFor(&entry).Blocks() && !next.ActionFor(&entry).Blocks() {
			lost = append(lost, "category "+category+" of list "+r.List)
		}
	}
	return lost
}

// quorumKept reports whether another quorum blocks all that this one does.
func quorumKept(q, next *dnsfilter.Quorum) bool {
	for _, list := range q.Lists {
		if !slices.Contains(next.Lists, list) {
			return false
		}
	}
	return next.Action.Blocks() && next.AtLeast <= q.AtLeast
}
