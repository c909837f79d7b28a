package guard

import "github.com/argine-dns/argine/blocklist"

// Additions is a check under way, for a caller that has the additions one by one and not the whole list: the check of
// parents is left out.
type Additions struct {
	guard *Guard
	found *collector
}

// Additions begins a check; first says that it is of the first state of a list.
func (g *Guard) Additions(first bool) *Additions {
	a := &Additions{g, newCollector()}
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
	a.guard.growth(Update{Before: before, After: after}, added, a.found)
	return a.found.finish()
}
