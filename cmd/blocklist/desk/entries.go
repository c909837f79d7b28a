package desk

import (
	"slices"

	"github.com/argine-dns/argine/blocklist/publish"
)

// entriesPage is a page of the list's entries.
type entriesPage struct {
	Entries        []listed
	Prefix, Scope  string // values in the query of the URL
	Scopes         []string
	Down           bool   // whether the entries are in reverse order
	Turn           string // URL of the page in the opposite order
	Previous, Next string
}

// scopes returns the ranges of targets, by scope, for those scopes whose targets have a common beginning: host and url.
func scopes() map[string]publish.EntryRange {
	return map[string]publish.EntryRange{
		"host": {From: "=", Before: ">"},
		"url":  {From: "https://", Before: "https:/0"},
	}
}

func (v *visit) entries() error {
	q := v.r.URL.Query()
	p := entriesPage{Prefix: q.Get("prefix"), Scope: q.Get("scope"), Down: q.Get("sort") == "-target", Scopes: []string{"host", "url"}}
	all := []publish.EntryRange{scopes()[p.Scope]}
	if p.Prefix != "" {
		all = beginnings(p.Prefix)
	}
	// A page is read beginning at the row next to it: the one before its first row, or the one after its last row.
	after, before := q.Get("after"), q.Get("before")
	part := publish.EntryRange{Most: pageLength + 1, Last: p.Down != (before != "")}
	if at := after + before; at != "" && part.Last {
		part.Before = at
	} else if at != "" {
		part.From = at + "\x00"
	}
	found, err := v.entriesIn(all, part)
	if err != nil {
		return err
	}
	more := len(found) > pageLength
	found = found[:min(len(found), pageLength)]
	if before != "" {
		slices.Reverse(found)
	}
	if p.Entries, err = v.effects(found); err != nil {
		return err
	}
	p.links(v, more, after, before)
	return v.show("entries", "entries.title", p)
}

// links fills in the URLs of the previous page, of the next page, and of the page in the opposite order. The arguments
// after and before are the parameters of the query with these names; more reports whether there are further entries.
func (p *entriesPage) links(v *visit, more bool, after, before string) {
	u := *v.r.URL
	for _, key := range []string{"after", "before"} {
		u.RawQuery = parsed(withQuery(&u, key, "")).RawQuery
	}
	if n := len(p.Entries); n > 0 {
		if after != "" || before != "" && more {
			p.Previous = withQuery(&u, "before", p.Entries[0].Target())
		}
		if before != "" || more {
			p.Next = withQuery(&u, "after", p.Entries[n-1].Target())
		}
	}
	if p.Down {
		p.Turn = withQuery(&u, "sort", "")
	} else {
		p.Turn = withQuery(&u, "sort", "-target")
	}
}
