package guard

import "github.com/argine-dns/argine/blocklist"

// Additions is an incremental check for a caller that gets the additions one by one and does not have the whole list.
// It leaves out [CheckParent].
type Additions struct {
	guard *Guard
	found *collector
}

// Additions starts an incremental check. The argument first is true if the update creates the first state of a list.
func (g *Guard) Additions(first bool) *Additions {
	a := &Additions{g, newCollector()}
	a.found.first = first
	return a
}

// Add checks an entry that is new, or that was only monitored before.
func (a *Additions) Add(e blocklist.Entry) {
	for _, f := range a.guard.Entry(e) {
		a.found.add(f)
	}
}

// Report finishes the check and returns its report. The arguments are the number of entries before the update, the
// number after it, and the number of new entries.
func (a *Additions) Report(before, after, added uint64) *Report {
	a.guard.growth(Update{Before: before, After: after}, added, a.found)
	return a.found.finish()
}
