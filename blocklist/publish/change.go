package publish

import (
	"context"
	"fmt"
	"iter"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// ChangeResult counts what a change to the ledger did.
type ChangeResult struct {
	Added     uint64 // entries that are new
	Changed   uint64 // listed entries with new attributes
	Removed   uint64
	Unchanged uint64          // entries that were already listed with these attributes
	Refused   uint64          // entries left out because the guards hold them
	Findings  []guard.Finding // of the guards: first those that hold an entry, then the others; at most 20 of each
}

// Add puts entries on the list. An entry that is already listed with other attributes gets the new ones. If the guards
// hold an entry, Add changes nothing and returns a [*guard.HeldError]. With by.Override, held entries are added as
// well.
func (l *Ledger) Add(ctx context.Context, entries []blocklist.Entry, by Audit) (ChangeResult, error) {
	return l.put(ctx, KindAdd, eachEntry(entries), by, nil)
}

func eachEntry(entries []blocklist.Entry) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Import is Add for a stream of entries of any length, in bounded memory. It leaves out and counts entries that the
// guards hold, unless by.Override gives a reason to add them. Findings of the common checks ([guard.Check.Common])
// don't hold an entry here: they are reported, and the next release decides. An error in the stream changes nothing. If
// progress is not nil, Import calls it from time to time with the number of entries read.
func (l *Ledger) Import(ctx context.Context, entries iter.Seq2[blocklist.Entry, error], by Audit,
	progress func(uint64),
) (ChangeResult, error) {
	if entries == nil {
		return ChangeResult{}, fmt.Errorf("importing: %w: there are no entries", blocklist.ErrMalformed)
	}
	return l.put(ctx, KindImport, entries, by, progress)
}

func (l *Ledger) put(ctx context.Context, kind string, entries iter.Seq2[blocklist.Entry, error], by Audit,
	progress func(uint64),
) (r ChangeResult, err error) {
	err = l.history.Change(ctx, kind, by, func(t *ledger.Tx) error {
		s, err := l.newScreen(ctx, by)
		if err != nil {
			return err
		}
		s.bulk = kind == KindImport
		n, err := t.Put(ctx, entries, s.screen, progress)
		if err != nil {
			return err
		}
		r = ChangeResult{Added: n.Added, Changed: n.Changed, Unchanged: n.Unchanged, Refused: s.refused, Findings: s.found()}
		if s.bulk {
			return nil
		}
		return s.err()
	})
	if err != nil {
		return ChangeResult{}, err
	}
	return r, nil
}

// Remove takes entries off the list. It finds them by their targets; attributes don't matter. If one of them is not
// listed, nothing is changed, and the error is [ErrNotListed].
func (l *Ledger) Remove(ctx context.Context, entries []blocklist.Entry, by Audit) (ChangeResult, error) {
	err := l.history.Change(ctx, KindRemove, by, func(t *ledger.Tx) error {
		for _, e := range entries {
			if err := t.Remove(ctx, e.Target()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return ChangeResult{}, err
	}
	return ChangeResult{Removed: uint64(len(entries))}, nil
}
