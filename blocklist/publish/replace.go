package publish

import (
	"context"
	"fmt"
	"iter"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// Replace makes the given entries the only orders with the given reference: it gives the orders like [Ledger.Import],
// and withdraws the orders with this reference on all other entries. Orders with another reference stay as they are. A
// changed order gets exactly the new attributes. An entry without a reference gets the given one.
//
// If an entry has another reference or breaks a rule, Replace changes nothing and fails with [blocklist.ErrMalformed]
// or [ErrRules]. The guards compare the numbers of orders before and after the change, as they do with entries for a
// release. If they hold the change, nothing is changed, and the error is a [*guard.HeldError], unless by.Override gives
// a reason.
func (l *Ledger) Replace(ctx context.Context, reference string, entries iter.Seq2[blocklist.Entry, error], by Audit,
	progress func(uint64),
) (ChangeResult, error) {
	if entries == nil {
		return ChangeResult{}, errNoEntries
	}
	var removed, withdrawn uint64
	r, err := l.put(ctx, KindImport, by, func(t *ledger.Tx, s *screen, c *checker) (ledger.Counts, error) {
		n, err := t.Replace(ctx, reference, c.strict(withReference(entries, reference)), s.screen, progress)
		if err != nil {
			return n.Counts, err
		}
		_, removed, _ = t.Changed()
		withdrawn = n.Withdrawn - removed
		report := s.guard.Additions(n.Before == 0).Report(n.Before, n.Before+n.Added+n.Joined-n.Withdrawn, n.Added+n.Joined)
		if report.Held > 0 && by.Override == "" {
			return n.Counts, &guard.HeldError{Report: report}
		}
		return n.Counts, nil
	})
	if err == nil {
		r.Removed, r.Withdrawn = removed, withdrawn
	}
	return r, err
}

// withReference yields the entries, each with this reference. For an entry that has another reference, it yields an
// error that wraps [blocklist.ErrMalformed].
func withReference(entries iter.Seq2[blocklist.Entry, error], reference string) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for e, err := range entries {
			if err == nil && e.Reference != "" && e.Reference != reference {
				err = fmt.Errorf("%.80s: %w: its reference is %q, and the orders to be replaced have %q", e.Target(), blocklist.ErrMalformed, e.Reference, reference)
			}
			e.Reference = reference
			if !yield(e, err) {
				return
			}
		}
	}
}
