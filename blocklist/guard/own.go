package guard

import (
	"net/netip"

	"github.com/argine-dns/argine/blocklist"
)

// Own returns the guard for lists of one's own, with the same limits: special-purpose addresses may be listed there, since
// those of one's own network are nobody else's, and so may the top-level domains of private networks, such as lan. Look-alikes,
// which never hold anything, are not looked for.
func (g *Guard) Own() *Guard {
	own := *g
	own.own = true
	own.looks = looks{}
	own.limits.Special = []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	return &own
}

// Allow returns the guard for lists of one's own whose entries lift blocks, with the same limits: what is protected or
// popular may be listed there, and what covers too much lifts too much.
func (g *Guard) Allow() *Guard {
	allow := g.Own()
	allow.protected, allow.popular = protected{}, popular{}
	return allow
}

// Additions is a check under way, for those who come by the additions one by one and can't go through the whole list: the
// check of parents is left out.
type Additions struct {
	guard *Guard
	found *collector
}

// Additions begins a check; first says that it is of the first state of a list.
func (g *Guard) Additions(first bool) *Additions {
	a := &Additions{g, newCollector(g.limits.Keep)}
	a.found.first = first
	return a
}

// Add checks an entry that was not there before, or only monitored.
func (a *Additions) Add(e blocklist.Entry) {
	for _, f := range a.guard.Entry(e) {
		a.found.add(f)
	}
}

// Report ends the check. Added is how many of the entries after the update are not among those before it.
func (a *Additions) Report(before, after, added uint64) *Report {
	a.guard.sizes(Update{Before: before, After: after}, added, a.found)
	return a.found.finish()
}
