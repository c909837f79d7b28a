package config

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
)

// Losses returns the protection and service that a change to the next settings takes away, as texts for the log:
// missing keys, lists and files, clients that are no longer served, and blocks that no longer apply. So a truncated
// file is noticed, or one that was generated from a template without data. Additions and other changes are not losses.
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
	gone("policy zone", s.policyZoneNames(), next.policyZoneNames())
	forward, canaries := s.zoneNames()
	nextForward, nextCanaries := next.zoneNames()
	gone("forward zone", forward, nextForward)
	gone("canary name", canaries, nextCanaries)
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

// covers reports whether the outer network includes all addresses of the inner one.
func covers(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

// ListNames returns the names of all lists.
func (s *Settings) ListNames() (names []string) {
	for i := range s.Lists {
		names = append(names, s.Lists[i].Rule.List)
	}
	return names
}

// served returns the networks of served clients.
func (s *Settings) served() []netip.Prefix {
	if len(s.Clients) == 0 {
		return dnsfilter.DefaultClients()
	}
	return s.Clients
}

// viewNetworks returns the client networks of all views.
func viewNetworks(p *dnsfilter.Policy) (all []netip.Prefix) {
	for _, v := range p.Views {
		all = append(all, v.Clients...)
	}
	return all
}

// viewAt returns the view for a network: the one with the longest prefix that covers it, or else the general view.
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

// viewLosses returns what a view blocks or diverts now, but not with the next settings, as texts for the log.
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

// ruleLosses returns what the rule of a list blocks or diverts now, but not with the next settings, as texts for the
// log.
func ruleLosses(r, next *dnsfilter.Rule) (lost []string) {
	if len(r.Divert) > 0 && len(next.Divert) == 0 {
		lost = append(lost, "divert of list "+r.List)
	}
	if zoneLost(r, next) {
		lost = append(lost, "policy zone of list "+r.List)
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

// quorumKept reports whether a quorum with the next settings still blocks at least the names that it blocks now.
func quorumKept(q, next *dnsfilter.Quorum) bool {
	for _, list := range q.Lists {
		if !slices.Contains(next.Lists, list) {
			return false
		}
	}
	return next.Action.Blocks() && next.AtLeast <= q.AtLeast
}
