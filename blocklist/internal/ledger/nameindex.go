package ledger

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// reversedName returns an entry's value in the column place, the index of names: the name of the entry, or the host of
// a URL, with its labels in reverse order and a dot after each. So the value of a subdomain begins with the value of
// its parent. The value is nil for a domain entry directly below a top-level domain: most entries are such domains, and
// only an entry for a whole top-level domain could be above them.
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

// reversed returns the labels of a name in reverse order, with a dot after each. It splits at escaped dots, too. So the
// name a\.b.example seems to be below b.example, although it is not. No name that is below another one is missed.
func reversed(name string) string {
	labels := strings.Split(name, ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".") + "."
}

// expires returns an entry's value in the column expires: Unix seconds, or nil if it has no expiry.
func expires(e blocklist.Entry) any {
	if e.Expires.IsZero() {
		return nil
	}
	return e.Expires.Unix()
}

// manyAdded is the maximum number of added names for which searching below each one is faster than reading the whole
// list.
const manyAdded = 5000

// CandidatesBelow yields all current entries that lie below an entry that the changes add, and perhaps other entries.
// It uses the index of names if possible, and otherwise yields all entries. It returns nil if no entry can lie below an
// added one.
func (v View) CandidatesBelow(ctx context.Context,
	changes iter.Seq2[blocklist.Change, error],
) (iter.Seq2[blocklist.Entry, error], error) {
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

// roots returns those reversed names that are not below another of the names, so that [View.below] yields no entry
// twice.
func roots(names []string) (top []string) {
	slices.Sort(names)
	for _, n := range names {
		if len(top) == 0 || !strings.HasPrefix(n, top[len(top)-1]) {
			top = append(top, n)
		}
	}
	return top
}

// below yields the entries for names and for the names below them. The argument has the names with their labels
// reversed, see [reversed].
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
