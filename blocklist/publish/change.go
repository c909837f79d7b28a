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
	Changed   uint64 // entries whose attributes are other ones now
	Removed   uint64
	Unchanged uint64          // entries that were there like this already
	Refused   uint64          // entries that were not taken, because the guards hold them
	Findings  []guard.Finding // what the guards found in the entries: the first that hold, and the first that don't
}

// Add lists entries. An entry that is there with other attributes gets the new ones. If the guards hold one of them,
// nothing is changed, and the error is a [*guard.HeldError]; with by.Override they are taken all the same.
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

// Import is Add for a stream of entries of any length, in bounded memory. Entries that the guards hold are left out and
// counted, unless by.Override says why they are taken; what lists commonly trip ([guard.Check.Common]) is taken, and
// reported: the release decides about it. An error in the stream changes nothing. Progress, if it is not nil, is called
// now and then with the number of entries read.
func (l *Ledger) Import(ctx context.Context, entries iter.Seq2[blocklist.Entry, error], by Audit,
	progress func(uint64)) (ChangeResult, error) {
	if entries == nil {
		return ChangeResult{}, fmt.Errorf("importing: %w: there are no entries", blocklist.ErrMalformed)
	}
	return l.put(ctx, KindImport, entries, by, progress)
}

func (l *Ledger) put(ctx context.Context, kind string, entries iter.Seq2[blocklist.Entry, error], by Audit,
	progress func(uint64)) (r ChangeResult, err error) {
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

// Remove takes entries out, by their targets; attributes don't matter. If one of them is not there, nothing is changed,
// and it fails with [ErrNotListed].
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
