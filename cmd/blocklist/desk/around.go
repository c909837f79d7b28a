package desk

import (
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// around has what the list says about an entry that a person has named: the current orders of the entry, and the listed
// entries that cover it or are part of it.
type around struct {
	Target string
	Orders []blocklist.Entry // current orders of the entry, see [publish.Ledger.Orders]
	Cover  string            // the listed entry that covers the named one; empty: none
	Below  []string          // the first listed entries that are part of the named one
	More   bool              // whether there are further entries that are part of the named one
	Urgent bool              // whether an urgent order is about the entry
	Effect publish.Effect    // what subscribers do with the entry; set only if the entry can't be withdrawn
}

// maxBelow is the maximum length of Below in [around].
const maxBelow = 5

// around looks up the current orders of an entry, and the listed entries that cover it or are part of it.
func (v *visit) around(e blocklist.Entry) (a around, err error) {
	a = around{Target: e.Target()}
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

// below returns the first listed entries that are part of e: for a domain, its pages and subdomains; for a host, its
// pages; for a path, the pages below it.
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

// pageLimit is the maximum number of entries to read: maxBelow, one more to know whether there are further entries, and
// one more because the named entry itself may be among them.
const pageLimit = maxBelow + 2

// pagesOf returns the range of the URL entries that an entry covers on its host. It is the zero value for an entry that
// covers no pages.
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
