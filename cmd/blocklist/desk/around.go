package desk

import (
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// around is what the list has around an entry that a person has named.
type around struct {
	Target string
	Scope  string            // key of the text that says what it covers
	Orders []blocklist.Entry // that it rests on
	Cover  string            // the listed entry that covers it; empty: none
	Below  []string          // the first listed entries that are part of it
	More   bool              // there are others
	Urgent bool              // an urgent order is about it
}

// maxBelow is how many entries below one a page names.
const maxBelow = 5

// around returns what the list has around an entry.
func (v *visit) around(e blocklist.Entry) (a around, err error) {
	a = around{Target: e.Target(), Scope: scopeOf(e)}
	a.Urgent = v.now.Urgent != nil && slices.ContainsFunc(v.now.Urgent.Entries, func(o blocklist.Entry) bool {
		return o.Target() == a.Target
	})
	if a.Orders, err = v.ledger.Orders(v.r.Context(), a.Target); err != nil {
		return a, err
	}
	covering, ok, err := v.ledger.Covering(v.r.Context(), e)
	if err != nil {
		return a, err
	}
	if ok && !covering.Monitor {
		a.Cover = covering.Target()
	}
	below, err := v.below(e)
	for _, other := range below {
		a.Below = append(a.Below, other.Target())
	}
	if a.More = len(a.Below) > maxBelow; a.More {
		a.Below = a.Below[:maxBelow]
	}
	return a, err
}

// below returns the first listed entries that are part of another one: pages on the host, names below it, and pages
// below a path.
func (v *visit) below(e blocklist.Entry) (all []blocklist.Entry, err error) {
	if pages := pagesOf(e); pages.From != "" {
		if all, err = first(v.ledger.EntriesIn(v.r.Context(), pages)); err != nil {
			return nil, err
		}
	}
	if name, ok := e.Name(); ok && e.Scope == blocklist.ScopeDomain {
		var more []blocklist.Entry
		more, err = first(v.ledger.EntriesUnder(v.r.Context(), name, pageLimit))
		all = append(all, more...)
	}
	all = slices.DeleteFunc(all, func(other blocklist.Entry) bool { return other.Target() == e.Target() })
	return all[:min(len(all), maxBelow+1)], err
}

// pageLimit is how many entries are read: those that are shown, one that says that there are others, and the entry
// itself.
const pageLimit = maxBelow + 2

// pagesOf returns the range of the pages that an entry covers on its host; the zero value if there are none.
func pagesOf(e blocklist.Entry) publish.EntryRange {
	prefix, isPath := strings.CutSuffix(e.Target(), "*")
	if name, ok := e.Name(); ok {
		prefix, isPath = "https://"+strings.TrimSuffix(blocklist.DomainEntry(name).Target(), ".")+"/", true
	}
	if !isPath {
		return publish.EntryRange{}
	}
	return publish.EntryRange{From: prefix, Before: prefix + afterAll, Most: pageLimit}
}
