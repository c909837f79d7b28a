package dnsfilter

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// losses says what other settings take away of these, in words for the log: keys, lists and files that are gone, clients that are
// served no more, and what was blocked and is not. A file that was cut, or written from a template without its data, shows so.
// What is added or changed otherwise is no loss.
func (s *Settings) losses(next *Settings) (lost []string) {
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
	gone("list", s.listsNamed(), next.listsNamed())
	gone("allow file", s.Allow, next.Allow)
	gone("guard file", s.Guard.files(), next.Guard.files())
	gone("key", slices.Sorted(maps.Keys(s.given)), slices.Collect(maps.Keys(next.given)))
	for _, network := range s.served() {
		if !slices.ContainsFunc(next.served(), func(p netip.Prefix) bool { return covers(p, network) }) {
			note("service for " + network.String())
		}
	}
	old, policy := s.Policy(), next.Policy()
	for _, network := range slices.Concat([]netip.Prefix{{}}, old.viewNetworks(), policy.viewNetworks()) {
		before, after := old.viewAt(network), policy.viewAt(network)
		for _, what := range before.losses(&after) {
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

// listsNamed returns the names of the lists.
func (s *Settings) listsNamed() (names []string) {
	for i := range s.Lists {
		names = append(names, s.Lists[i].Rule.List)
	}
	return names
}

// served returns the networks whose queries are answered.
func (s *Settings) served() []netip.Prefix {
	if len(s.Clients) == 0 {
		return defaultClients
	}
	return s.Clients
}

// viewNetworks returns the networks that have a view.
func (p *Policy) viewNetworks() (all []netip.Prefix) {
	for _, v := range p.Views {
		all = append(all, v.Clients...)
	}
	return all
}

// viewAt returns what happens for a network: the view of the longest prefix that covers it, else what holds in general.
func (p *Policy) viewAt(network netip.Prefix) View {
	best, bits := p.general(), -1
	for _, v := range p.Views {
		for _, n := range v.Clients {
			if covers(n, network) && n.Bits() > bits {
				best, bits = v, n.Bits()
			}
		}
	}
	return best
}

// losses says what another view blocks no more, or diverts no more.
func (v *View) losses(next *View) (lost []string) {
	for i := range v.Rules {
		old, now := &v.Rules[i], Rule{}
		if at := slices.IndexFunc(next.Rules, func(r Rule) bool { return r.List == old.List }); at >= 0 {
			now = next.Rules[at]
		}
		lost = append(lost, old.losses(&now)...)
	}
	for _, q := range v.Quorums {
		if q.Action.blocks() && q.AtLeast <= len(q.Lists) && !slices.ContainsFunc(next.Quorums, q.keptBy) {
			lost = append(lost, "quorum of "+strings.Join(q.Lists, ", "))
		}
	}
	return lost
}

// losses says what another rule for the same list does no more.
func (r *Rule) losses(next *Rule) (lost []string) {
	if len(r.Divert) > 0 && len(next.Divert) == 0 {
		lost = append(lost, "divert of list "+r.List)
	}
	if r.Action.blocks() && !next.Action.blocks() {
		return append(lost, "action "+r.Action.String()+" of list "+r.List)
	}
	categories := slices.Sorted(maps.Keys(r.Categories))
	for _, category := range slices.AppendSeq(categories, maps.Keys(next.Categories)) {
		entry := blocklist.Match{Category: category}
		if r.action(&entry).blocks() && !next.action(&entry).blocks() {
			lost = append(lost, "category "+category+" of list "+r.List)
		}
	}
	return lost
}

// keptBy reports whether another quorum blocks all that this one does.
func (q Quorum) keptBy(next Quorum) bool {
	for _, list := range q.Lists {
		if !slices.Contains(next.Lists, list) {
			return false
		}
	}
	return next.Action.blocks() && next.AtLeast <= q.AtLeast
}
