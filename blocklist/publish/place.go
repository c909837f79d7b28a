package publish

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// place returns where an entry stands among the names: its labels, or those of a URL's host, from the right, each with a dot
// behind it. Whatever lies below a name has a place that begins with the name's. Domains right below a top-level domain have
// none: they are most of a list, and what could be above them is a single label.
func place(e blocklist.Entry) any {
	text := ""
	if name, ok := e.Name(); ok {
		if e.Scope == blocklist.ScopeDomain && name.Labels() <= 2 {
			return nil
		}
		text = name.String()
	} else if e.Scope == blocklist.ScopeURL {
		text, _, _ = strings.Cut(strings.TrimPrefix(e.Key(), "*."), "/")
	}
	if text == "" {
		return nil
	}
	return fromRight(text)
}

// fromRight takes escaped dots for others: that makes a place longer, but no name's beginning another one.
func fromRight(name string) string {
	labels := strings.Split(name, ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".") + "."
}

// expires returns an entry's expiry as the ledger keeps it beside the attributes.
func expires(e blocklist.Entry) any {
	if e.Expires.IsZero() {
		return nil
	}
	return e.Expires.Unix()
}

// manyAdded is the number of additions from which going through the whole list is faster than looking below each.
const manyAdded = 5000

// perhapsBelow yields the entries that may lie below one that was added, and others: those that [place] finds where it can,
// else all.
func (l *Ledger) perhapsBelow(ctx context.Context, changes iter.Seq2[blocklist.Change, error]) (iter.Seq2[blocklist.Entry, error], error) {
	var places []string
	for c, err := range changes {
		if err != nil {
			return nil, err
		}
		name, ok := c.Entry.Name()
		if c.Removed || !ok {
			continue
		}
		if len(places) == manyAdded || name.Labels() < 2 {
			return l.Entries(ctx), nil
		}
		places = append(places, fromRight(name.String()))
	}
	if len(places) == 0 {
		return nil, nil
	}
	return l.below(ctx, topmost(places)), nil
}

// topmost leaves out places below others, so that nothing is counted twice.
func topmost(places []string) (top []string) {
	slices.Sort(places)
	for _, p := range places {
		if len(top) == 0 || !strings.HasPrefix(p, top[len(top)-1]) {
			top = append(top, p)
		}
	}
	return top
}

// below yields the entries at and below places.
func (l *Ledger) below(ctx context.Context, places []string) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for _, p := range places {
			end := strings.TrimSuffix(p, ".") + "/" // the octet after the dot
			for e, err := range query(ctx, l.db, scanEntry, `SELECT target, attributes FROM entries WHERE place >= ? AND place < ? ORDER BY place, target`, p, end) {
				if !yield(e, err) {
					return
				}
			}
		}
	}
}
