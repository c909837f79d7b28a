package desk

import "github.com/argine-dns/argine/blocklist/publish"

// place is a page of the navigation.
type place struct {
	Path, Key string
	N         uint64 // number of things that wait on the page; 0: none
}

// navigation returns the pages that a person may see.
func navigation(c content) []place {
	s := c.Status
	all := []place{
		{"/", "nav.start", 0},
		{"/proposals", "nav.proposals", 0},
		{"/entries", "nav.entries", 0},
		{"/pending", "nav.pending", missing(s.Pending)},
		{"/urgent", "nav.urgent", waitingOrders(s)},
		{"/due", "nav.due", s.Due.Review + s.Due.Expired},
		{"/subscribers", "nav.subscribers", 0},
		{"/platforms", "nav.platforms", 0},
		{"/history", "nav.history", 0},
	}
	if c.May("audit") {
		all = append(all, place{"/reports", "nav.reports", 0}, place{"/people", "nav.people", 0})
	}
	return all
}

// waitingOrders returns how many documents with urgent orders wait for a signature.
func waitingOrders(s *publish.Status) uint64 {
	if s.Ordered != nil {
		return 1
	}
	return 0
}
