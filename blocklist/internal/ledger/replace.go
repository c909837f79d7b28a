package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/argine-dns/argine/blocklist"
)

// Replacement counts what [Tx.Replace] did to the orders with the given reference.
type Replacement struct {
	Counts
	Before    uint64 // orders with the reference before the replacement
	Withdrawn uint64 // orders withdrawn because the stream did not have them
}

// Replace makes the orders of a stream, which all have the given reference, the only orders with this reference. Orders
// with another reference stay the same. New and changed orders are recorded as [Tx.Put] does, but a changed order has
// exactly the new attributes.
func (t *Tx) Replace(ctx context.Context, reference string, entries iter.Seq2[blocklist.Entry, error], screen Screen,
	progress func(uint64),
) (r Replacement, err error) {
	if _, err := t.tx.ExecContext(ctx, `CREATE TEMP TABLE replaced (target TEXT PRIMARY KEY) WITHOUT ROWID`); err != nil {
		return r, err
	}
	if r.Before, err = t.markReplaced(ctx, reference); err != nil {
		return r, err
	}
	seen, err := t.tx.PrepareContext(ctx, `DELETE FROM replaced WHERE target = ?`)
	if err != nil {
		return r, err
	}
	all := &batch{limit: maxBatch, screen: screen, exact: true, seen: seen}
	if r.Counts, err = t.put(ctx, entries, all, progress); err != nil {
		return r, err
	}
	for target, err := range query(ctx, t.q, scanText, `SELECT target FROM replaced ORDER BY target`) {
		if err != nil {
			return r, err
		}
		if err := t.Withdraw(ctx, target, reference); err != nil {
			return r, err
		}
		r.Withdrawn++
	}
	_, err = t.tx.ExecContext(ctx, `DROP TABLE replaced`)
	return r, errors.Join(err, seen.Close())
}

// markReplaced fills a temporary table with the targets of all orders that have the given reference, and returns their
// number. The name of the table is "replaced".
func (t *Tx) markReplaced(ctx context.Context, reference string) (n uint64, err error) {
	insert, err := t.tx.PrepareContext(ctx, `INSERT INTO replaced VALUES (?)`)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, insert.Close()) }()
	for o, err := range t.OrdersWith(ctx, reference) {
		if err != nil {
			return n, err
		}
		if _, err := insert.ExecContext(ctx, o.Target()); err != nil {
			return n, fmt.Errorf("order on %.80q: %w", o.Target(), err)
		}
		n++
	}
	return n, nil
}
