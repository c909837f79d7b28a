package desk

// place is a page of the navigation.
type place struct {
	Path, Key string
	N         uint64 // how many things wait there; 0: none
}

// navigation returns the pages that a person may see.
func navigation(c content) []place {
	s := c.Status
	all := []place{
		{"/", "nav.start", 0},
		{"/entries", "nav.entries", 0},
		{"/pending", "nav.pending", missing(s.Pending)},
		{"/history", "nav.history", 0},
	}
	return all
}
