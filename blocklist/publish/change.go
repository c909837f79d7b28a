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
	Added     uint64        `json:"added"`              // entries that are new
	Joined    uint64        `json:"joined"`             // further orders of entries that were listed already
	Changed   uint64        `json:"changed"`            // standing orders that got other attributes
	Removed   uint64        `json:"removed"`            // entries that are not listed any more
	Withdrawn uint64        `json:"withdrawn"`          // orders of entries that are still listed
	Unchanged uint64        `json:"unchanged"`          // orders that stood already, with these attributes
	Refused   uint64        `json:"refused"`            // entries left out because the guards hold them
	Broken    uint64        `json:"broken"`             // entries left out because they break the rules of the list
	Breaches  []string      `json:"breaches,omitempty"` // the first 20 entries in Broken, and the reasons
	Orders    []OrderChange `json:"orders,omitempty"`   // changed orders: at most 20 given, 20 withdrawn, and 20 others
	// Guards has the findings of the guards: first those that hold an entry, then the others. At most 20 of each are
	// in it, and all are counted.
	Guards guard.Report `json:"guards"`
}

// OrderChange is what an operation did to the orders of one target.
type OrderChange = ledger.OrderChange

// fillPut gives the orders of an operation that the guards (screen) and the rules of the list (checker) accept.
type fillPut func(*ledger.Tx, *screen, *checker) (ledger.Counts, error)

// Add gives orders: an entry is an order with the entry's reference, which lists its target. An entry stays listed
// while one of its orders stands. If an order with this reference stands, it gets the attributes of the new order, and
// keeps its other attributes. If an entry breaks a rule, Add changes nothing and fails with [ErrRules]. If an entry
// would already have expired, it fails with [ErrOver]. If the guards hold an entry, Add changes nothing and returns a
// [*guard.HeldError]. With by.Override, held entries are added as well. Without entries it fails with
// [blocklist.ErrMalformed].
func (l *Ledger) Add(ctx context.Context, entries []blocklist.Entry, by Audit) (ChangeResult, error) {
	if len(entries) == 0 {
		return ChangeResult{}, errNoEntry
	}
	return l.put(ctx, KindAdd, by, func(t *ledger.Tx, s *screen, c *checker) (ledger.Counts, error) {
		n, err := t.Put(ctx, c.strict(lasting(entries)), s.screen, nil)
		return n, errors.Join(err, s.err())
	})
}

// ErrOver is returned for a new order whose day of expiry or of review is already past. It wraps
// [blocklist.ErrMalformed].
var ErrOver = fmt.Errorf("%w: the day is over", blocklist.ErrMalformed)

// lasting yields the entries. It yields [ErrOver] at an entry that has already expired.
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

// Errors of a change without entries.
var (
	errNoEntry   = fmt.Errorf("%w: no entry is named", blocklist.ErrMalformed)
	errNoEntries = fmt.Errorf("importing: %w: there are no entries", blocklist.ErrMalformed)
)

// Import is Add for a stream of entries of any length, in bounded memory. It leaves out and counts entries that break a
// rule. It also leaves out and counts entries that the guards hold, unless by.Override gives a reason to add them. An
// error in the stream changes nothing. If progress is not nil, Import calls it from time to time with the number of
// entries read.
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

// Remove withdraws all orders of entries, so that they are not listed any more. It finds them by their targets;
// attributes don't matter. If an entry is not listed, nothing is changed, and the error is [ErrNotListed]. Without
// entries it fails with [blocklist.ErrMalformed].
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

// Withdraw withdraws the orders with a reference on the given entries, or on all entries if none are given. An empty
// reference means the orders without a reference. These can be withdrawn from given entries only: without entries,
// Withdraw then fails with [blocklist.ErrMalformed]. An entry stays listed while another order stands. If a given entry
// has no such order, nothing is changed, and the error is [ErrNotListed] or [ErrNoOrder].
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

// withdraw records an operation that withdraws orders.
func (l *Ledger) withdraw(ctx context.Context, by Audit, withdraw func(*ledger.Tx) error) (r ChangeResult, err error) {
	err = l.history.Change(ctx, KindRemove, by, func(t *ledger.Tx) error {
		err := withdraw(t)
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
// operation gave are withdrawn, orders that it withdrew are given again, and orders that it changed are as before. It
// fails with [ErrChangedSince], and changes nothing, if a later operation has changed one of these orders. If the
// guards hold an entry that would be listed again, the error is a [*guard.HeldError], unless by.Override gives a
// reason. By.Reference is set to the operation.
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

// Orders returns the standing orders of a target, oldest first, each as the entry that was given. It returns none if
// the target is not listed.
func (l *Ledger) Orders(ctx context.Context, target string) ([]blocklist.Entry, error) {
	return l.history.Orders(ctx, target)
}

// Covering returns the most specific listed entry that covers all of e, and false if there is none. An entry with the
// target of e does not count.
func (l *Ledger) Covering(ctx context.Context, e blocklist.Entry) (blocklist.Entry, bool, error) {
	return l.history.FirstListed(ctx, subjectOf(e).covers)
}
