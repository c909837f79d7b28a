package desk

import "strings"

// place is a link to a page in the navigation.
type place struct {
	Path, Key string
	N, Others uint64 // number of things that wait on the page: for the person, and for other people

	Own, OfOthers []task // the tasks that are counted in N and in Others
}

// navigation returns the links to the pages that a person may see.
func navigation(c content) []place {
	all := []place{
		{Path: "/", Key: "nav.start"},
		{Path: "/proposals", Key: "nav.proposals"},
		{Path: "/entries", Key: "nav.entries"},
		{Path: "/pending", Key: "nav.pending"},
		{Path: "/urgent", Key: "nav.urgent"},
		{Path: "/due", Key: "nav.due"},
		{Path: "/subscribers", Key: "nav.subscribers"},
		{Path: "/platforms", Key: "nav.platforms"},
		{Path: "/history", Key: "nav.history"},
	}
	if c.May("audit") {
		all = append(all, place{Path: "/reports", Key: "nav.reports"}, place{Path: "/people", Key: "nav.people"})
	}
	own, others := c.visit.tasks()
	for i := range all {
		all[i].Own, all[i].OfOthers = tasksAt(own, all[i].Path), tasksAt(others, all[i].Path)
		all[i].N, all[i].Others = badges(all[i].Own), badges(all[i].OfOthers)
	}
	return all
}

// tasksAt returns the tasks that the badge of the page with this path counts.
func tasksAt(tasks []task, path string) (all []task) {
	for _, t := range tasks {
		if at, _, _ := strings.Cut(t.Link, "?"); at == path && t.badge() > 0 {
			all = append(all, t)
		}
	}
	return all
}

// badges returns the number of things that these tasks count.
func badges(tasks []task) (n uint64) {
	for _, t := range tasks {
		n += t.badge()
	}
	return n
}
