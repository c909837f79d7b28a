package publish

import (
	"context"
	"iter"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// EntryRange selects entries by their place in the order of targets. The zero value selects all.
type EntryRange = ledger.EntryRange

// EntriesIn yields the current entries in a range, and reads no others. The last value may be an error.
func (l *Ledger) EntriesIn(ctx context.Context, r EntryRange) iter.Seq2[blocklist.Entry, error] {
	return l.history.EntriesIn(ctx, r)
}

// WithdrawnIn yields the targets in a range that were listed and are not any more. The last value may be an error.
func (l *Ledger) WithdrawnIn(ctx context.Context, r EntryRange) iter.Seq2[string, error] {
	return l.history.WithdrawnIn(ctx, r)
}

// EntriesUnder yields at most that many current entries about hosts below a name: names and URLs. The last value may be
// an error.
func (l *Ledger) EntriesUnder(ctx context.Context, name blocklist.Name, most int) iter.Seq2[blocklist.Entry, error] {
	return l.history.EntriesUnder(ctx, name, most)
}
