package publish

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// ChangeResult counts what a change to the ledger did.
type ChangeResult struct {
	Added     uint64 `json:"added"`     // new entries
	Joined    uint64 `json:"joined"`    // new orders for entries that were already listed
	Changed   uint64 `json:"changed"`   // existing orders whose attributes have changed
	Removed   uint64 `json:"removed"`   // entries that are no longer listed
	Withdrawn uint64 `json:"withdrawn"` // withdrawn orders whose entries stay listed because of other orders
	Unchanged uint64 `json:"unchanged"` // orders that already existed with the same attributes
	Refused   uint64 `json:"refused"`   // entries left out because the guards hold them
	Broken    uint64 `json:"broken"`    // entries left out because they break the rules of the list
	// Breaches describes the first 20 of the entries that Broken counts, each with the rule that it breaks.
	Breaches []string `json:"breaches,omitempty"`
	// Orders has the changed orders of at most 20 targets that became listed, 20 that are no longer listed, and 20 others.
	Orders []OrderChange `json:"orders,omitempty"`
	// Guards has the guards' findings: at most 20 that hold an entry, and at most 20 that only report something. The
	// numbers in the report count all findings.
	Guards guard.Report `json:"guards"`
}

// OrderChange is what an operation did to the orders of one target.
type OrderChange = ledger.OrderChange

// fillPut is a function that records the orders of an operation, except those that the guards (screen) or the rules of
// the list (checker) refuse. It returns the number of orders by outcome.
type fillPut func(*ledger.Tx, *screen, *checker) (ledger.Counts, error)

// Add gives orders. Each entry is an order, which lists the entry's target and is identified by the entry's reference.
// A target stays listed while it has an order. If the target already has an order with the same reference, that order
// gets the attributes that the new one has, and keeps its other attributes.
//
// If an entry breaks a rule, Add changes nothing and fails with [ErrRules]. If an entry has already expired, it fails
// with [ErrOver]. If the guards hold an entry, it returns a [*guard.HeldError], unless by.Override gives a reason to
// add held entries. Without entries it fails with [blocklist.ErrMalformed].
func (l *Ledger) Add(ctx context.Context, entries []blocklist.Entry, by Audit) (ChangeResult, error) {
	if len(entries) == 0 {
		return ChangeResult{}, errNoEntry
	}
	return l.put(ctx, KindAdd, by, func(t *ledger.Tx, s *screen, c *checker) (ledger.Counts, error) {
		n, err := t.Put(ctx, c.strict(lasting(entries)), s.screen, nil)
		return n, errors.Join(err, s.err())
	})
}

// ErrOver is returned if a given day of expiry or review is already past. It wraps [blocklist.ErrMalformed].
var ErrOver = fmt.Errorf("%w: the day is over", blocklist.ErrMalformed)

// lasting yields the entries. For an entry that has already expired, it yields an error that wraps [ErrOver].
func lasting(entries []blocklist.Entry) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		now := time.Now()
		for _, e := range entries {
			var err error
			if !e.Expires.IsZero() && !e.Expires.After(now) {
				err = fmt.Errorf("%.80s: it would expire on %s: %w; give a later one", e.Target(), e.Expires.Format(time.DateOnly), ErrOver)
			}
			if !yield(e, err) {
				return
			}
		}
	}
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

// Errors for an operation that was given no entries.
var (
	errNoEntry   = fmt.Errorf("%w: no entry is named", blocklist.ErrMalformed)
	errNoEntries = fmt.Errorf("importing: %w: there are no entries", blocklist.ErrMalformed)
)

// Import is [Ledger.Add] for a stream of entries of any length, in bounded memory. Entries that break a rule are left
// out and counted. So are entries that the guards hold, unless by.Override gives a reason to add them. An error in the
// stream ends the import, and nothing is changed. If progress is not nil, Import calls it from time to time with the
// number of entries read.
func (l *Ledger) Import(ctx context.Context, entries iter.Seq2[blocklist.Entry, error], by Audit,
	progress func(uint64),
) (ChangeResult, error) {
	if entries == nil {
		return ChangeResult{}, errNoEntries
	}
	return l.put(ctx, KindImport, by, func(t *ledger.Tx, s *screen, c *checker) (ledger.Counts, error) {
		return t.Put(ctx, c.lenient(entries), s.screen, progress)
	})
}

func (l *Ledger) put(ctx context.Context, kind string, by Audit, fill fillPut) (r ChangeResult, err error) {
	err = l.history.Change(ctx, kind, by, func(t *ledger.Tx) error {
		s, err := l.newScreen(ctx, by)
		if err != nil {
			return err
		}
		c, err := l.newChecker(ctx, by)
		if err != nil {
			return err
		}
		n, err := fill(t, s, c)
		r = ChangeResult{
			Added: n.Added, Joined: n.Joined, Changed: n.Changed, Unchanged: n.Unchanged, Refused: s.refused,
			Broken: c.broken, Breaches: c.breaches, Guards: s.report(), Orders: t.OrderChanges(),
		}
		return err
	})
	if err != nil {
		return ChangeResult{}, err
	}
	return r, nil
}

// Remove withdraws all orders of the given entries, so that these are no longer listed. It compares only the targets of
// entries, not their attributes. If an entry is not listed, Remove changes nothing and fails with [ErrNotListed].
// Without entries it fails with [blocklist.ErrMalformed].
func (l *Ledger) Remove(ctx context.Context, entries []blocklist.Entry, by Audit) (ChangeResult, error) {
	if len(entries) == 0 {
		return ChangeResult{}, errNoEntry
	}
	return l.withdraw(ctx, by, func(t *ledger.Tx) error {
		for _, e := range entries {
			if err := t.Remove(ctx, e.Target()); err != nil {
				return l.explain(ctx, e, err)
			}
		}
		return nil
	})
}

// Withdraw withdraws the orders that have the given reference. It withdraws them on the given entries, or on all
// entries if none are given. The empty reference selects the orders without a reference; it needs entries, otherwise
// Withdraw fails with [blocklist.ErrMalformed]. An entry with another order stays listed. If one of the given entries
// has no such order, Withdraw changes nothing and fails with [ErrNotListed] or [ErrNoOrder].
func (l *Ledger) Withdraw(ctx context.Context, reference string, entries []blocklist.Entry, by Audit) (ChangeResult,
	error,
) {
	if reference == "" && len(entries) == 0 {
		return ChangeResult{}, errNoEntry
	}
	return l.withdraw(ctx, by, func(t *ledger.Tx) error {
		if len(entries) == 0 {
			return t.WithdrawAll(ctx, reference)
		}
		for _, e := range entries {
			if err := t.Withdraw(ctx, e.Target(), reference); err != nil {
				return l.explain(ctx, e, err)
			}
		}
		return nil
	})
}

// withdraw records an operation of [KindRemove]. The function do withdraws the orders.
func (l *Ledger) withdraw(ctx context.Context, by Audit, do func(*ledger.Tx) error) (r ChangeResult, err error) {
	err = l.history.Change(ctx, KindRemove, by, func(t *ledger.Tx) error {
		err := do(t)
		_, r.Removed, r.Withdrawn = t.Changed()
		r.Orders = t.OrderChanges()
		return err
	})
	if err != nil {
		return ChangeResult{}, err
	}
	return r, nil
}

// Undo reverses the changes that an operation made to orders, and records this as a new operation. Orders that the old
// operation gave are withdrawn, orders that it withdrew are given again, and orders that it changed get their earlier
// attributes. If a later operation has changed one of these orders, Undo changes nothing and fails with
// [ErrChangedSince]. If the guards hold an entry that would be listed again, it returns a [*guard.HeldError], unless
// by.Override gives a reason. Undo sets by.Reference to the number of the old operation.
func (l *Ledger) Undo(ctx context.Context, operation int64, by Audit) (r ChangeResult, err error) {
	by.Reference = undone.With(operation).String()
	err = l.history.Change(ctx, KindUndo, by, func(t *ledger.Tx) error {
		s, err := l.newScreen(ctx, by)
		if err != nil {
			return err
		}
		if err := t.Undo(ctx, operation, s.screen); err != nil {
			return fmt.Errorf("undoing operation %d: %w", operation, err)
		}
		r = ChangeResult{Guards: s.report(), Orders: t.OrderChanges()}
		r.Added, r.Removed, r.Changed = t.Changed()
		return s.err()
	})
	if err != nil {
		return ChangeResult{}, err
	}
	return r, nil
}

// Orders returns the current orders of a target, oldest first. Each order is an entry: the target with the attributes
// of the order. It returns none if the target is not listed.
func (l *Ledger) Orders(ctx context.Context, target string) ([]blocklist.Entry, error) {
	return l.history.Orders(ctx, target)
}

// Covering returns the most specific listed entry with a broader target that covers all of e. It returns false if there
// is none.
func (l *Ledger) Covering(ctx context.Context, e blocklist.Entry) (blocklist.Entry, bool, error) {
	return l.history.FirstListed(ctx, subjectOf(e).covers)
}
