package ledger

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// reversedName returns the name of an entry as the index of names has it, in the column place: its labels, or those of
// a URL's host, from the right, each with a dot behind it. What lies below a name begins with the name's. Domains right
// below a top-level domain have none: they are most of a list, and what could be above them is a single label.
func reversedName(e blocklist.Entry) any {
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
	return reversed(text)
}

// reversed writes the labels of a name from the right. It takes escaped dots for others: that makes the result longer,
// but no name's the beginning of another one.
func reversed(name string) string {
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

// CandidatesBelow yields the entries that may lie below one that was added, and others: found in the index where that
// is possible, else all. It returns nil if nothing can lie below what was added.
func (v View) CandidatesBelow(ctx context.Context,
	changes iter.Seq2[blocklist.Change, error]) (iter.Seq2[blocklist.Entry, error], error) {
	var names []string
	for c, err := range changes {
		if err != nil {
			return nil, err
		}
		name, ok := c.Entry.Name()
		if c.Removed || !ok {
			continue
		}
		if len(names) == manyAdded || name.Labels() < 2 {
			return v.Entries(ctx), nil
		}
		names = append(names, reversed(name.String()))
	}
	if len(names) == 0 {
		return nil, nil
	}
	return v.below(ctx, roots(names)), nil
}

// roots leaves out reversed names below others, so that nothing is counted twice.
func roots(names []string) (top []string) {
	slices.Sort(names)
	for _, n := range names {
		if len(top) == 0 || !strings.HasPrefix(n, top[len(top)-1]) {
			top = append(top, n)
		}
	}
	return top
}

// below yields the entries at and below reversed names.
func (v View) below(ctx context.Context, names []string) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for _, n := range names {
			end := strings.TrimSuffix(n, ".") + "/" // the octet after the dot
			for e, err := range query(ctx, v.q, scanEntry, `SELECT target, attributes FROM entries WHERE place >= ? AND place < ? ORDER BY place, target`, n, end) {
				if !yield(e, err) {
					return
				}
			}
		}
	}
}
