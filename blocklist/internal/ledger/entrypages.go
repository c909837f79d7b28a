package ledger

import (
	"context"
	"iter"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// EntryRange selects entries by their targets, in sorted order. The zero value selects all.
type EntryRange struct {
	From, Before string // the first target, and the first target after the range; empty: no limit
	Last         bool   // whether the entries are taken from the end of the range, in reverse order
	Most         int    // maximum number of entries; 0: no limit
}

// EntriesIn yields the entries in a range. It does not read entries outside the range.
func (v View) EntriesIn(ctx context.Context, r EntryRange) iter.Seq2[blocklist.Entry, error] {
	text, args := r.query(`SELECT target, attributes FROM entries`)
	return query(ctx, v.q, scanEntry, text, args...)
}

// query returns the SQL statement for the range, and its arguments. The argument selected is the statement up to the
// name of the table.
func (r EntryRange) query(selected string) (text string, args []any) {
	text, args = selected+` WHERE target >= ?`, []any{r.From}
	if r.Before != "" {
		text, args = text+` AND target < ?`, append(args, r.Before)
	}
	text += ` ORDER BY target`
	if r.Last {
		text += ` DESC`
	}
	if r.Most > 0 {
		text, args = text+` LIMIT ?`, append(args, r.Most)
	}
	return text, args
}

// WithdrawnIn yields the targets in a range that were once listed and are no longer listed.
func (v View) WithdrawnIn(ctx context.Context, r EntryRange) iter.Seq2[string, error] {
	text, args := r.query(`SELECT target FROM gone`)
	return query(ctx, v.q, func(row scanner) (target string, err error) {
		return target, row.Scan(&target)
	}, text, args...)
}

// EntriesUnder yields at most limit entries of scope domain, host and url whose name or host is a subdomain of name. It
// finds no domain entries directly below a top-level domain: they are not in the index, see [reversedName]. It may also
// find a name with an escaped dot that is not a subdomain, see [reversed].
func (v View) EntriesUnder(ctx context.Context, name blocklist.Name, limit int) iter.Seq2[blocklist.Entry, error] {
	at := reversed(name.String())
	return query(ctx, v.q, scanEntry, `SELECT target, attributes FROM entries WHERE place > ? AND place < ?
		ORDER BY place, target LIMIT ?`, at, strings.TrimSuffix(at, ".")+"/", limit)
}
