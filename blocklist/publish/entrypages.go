package publish

import (
	"context"
	"iter"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// EntryRange selects a range of entries in the order of their targets. The zero value selects all.
type EntryRange = ledger.EntryRange

// EntriesIn yields the current entries in a range. It does not read entries outside the range. The last value may be an
// error.
func (l *Ledger) EntriesIn(ctx context.Context, r EntryRange) iter.Seq2[blocklist.Entry, error] {
	return l.history.EntriesIn(ctx, r)
}

// WithdrawnIn yields the targets in a range that were once listed and no longer are. The last value may be an error.
func (l *Ledger) WithdrawnIn(ctx context.Context, r EntryRange) iter.Seq2[string, error] {
	return l.history.WithdrawnIn(ctx, r)
}

// EntriesUnder yields at most limit current entries: those for names below a name, and for URLs on hosts below it. The
// last value may be an error.
func (l *Ledger) EntriesUnder(ctx context.Context, name blocklist.Name, limit int) iter.Seq2[blocklist.Entry, error] {
	return l.history.EntriesUnder(ctx, name, limit)
}
