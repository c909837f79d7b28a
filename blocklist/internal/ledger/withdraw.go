package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// OrderChange is an operation's change of the orders for one target. Before and After are sorted by age, oldest first.
type OrderChange struct {
	Target        string
	Before, After []blocklist.Entry // orders before and after the operation; empty: the target is not listed
}

// MarshalJSON encodes each order as its entry line.
func (c OrderChange) MarshalJSON() ([]byte, error) {
	lines := func(all []blocklist.Entry) []string {
		text := make([]string, len(all))
		for i, e := range all {
			text[i] = e.String()
		}
		return text
	}
	return json.Marshal(map[string]any{"target": c.Target, "before": lines(c.Before), "after": lines(c.After)})
}

// maxOrderChanges is the maximum number of each kind of changes in [Tx.OrderChanges].
const maxOrderChanges = 20

// OrderChanges returns the operation's changes so far: first targets that became listed, then targets that are no
// longer listed, then listed targets with changed orders. It returns the first maxOrderChanges of each kind.
func (t *Tx) OrderChanges() []OrderChange { return slices.Concat(t.outcomes[:]...) }

// Changed returns the number of targets that became listed, of targets that are no longer listed, and of listed targets
// with changed orders. If a target changes several times, each time counts.
func (t *Tx) Changed() (came, went, stayed uint64) { return t.counts[0], t.counts[1], t.counts[2] }

func (t *Tx) note(target string, before, after orders) error {
	kind := 2
	switch {
	case len(before) == 0:
		kind = 0
	case len(after) == 0:
		kind = 1
	}
	t.counts[kind]++
	kept := &t.outcomes[kind]
	if len(*kept) == maxOrderChanges {
		return nil
	}
	was, err1 := before.parse(target)
	is, err2 := after.parse(target)
	*kept = append(*kept, OrderChange{target, was, is})
	return errors.Join(err1, err2)
}

// logOrders records the changes that lead from the old orders of a target to the current ones. The argument last is the
// ID of the target's last change; logOrders returns the ID of the new last change.
func (t *Tx) logOrders(ctx context.Context, target string, last int64, old, current orders) (int64, error) {
	if err := t.note(target, old, current); err != nil {
		return 0, err
	}
	was, err1 := old.published(target)
	is, err2 := current.published(target)
	err := errors.Join(err1, err2)
	var changes []changeRow
	if err == nil && (len(old) > 1 || len(current) > 1) {
		changes, err = orderChanges(target, old, current)
	}
	if err != nil {
		return 0, err
	}
	if len(old) > 0 && (was != is || len(current) == 0) {
		changes = append(changes, changeRow{sign: signRemoved, attributes: was})
	}
	if len(current) > 0 && (was != is || len(old) == 0) {
		changes = append(changes, changeRow{sign: signAdded, attributes: is})
	}
	for _, c := range changes {
		if last, err = t.log(ctx, c.sign, target, c.attributes, last); err != nil {
			return 0, err
		}
	}
	return last, nil
}

// setOrders replaces the old orders of a target by the current ones, and logs the changes.
func (t *Tx) setOrders(ctx context.Context, target string, old, current orders) error {
	change, err := t.lastChange(ctx, target)
	if err != nil {
		return err
	}
	if change, err = t.logOrders(ctx, target, change, old, current); err != nil {
		return err
	}
	if err := t.storeOrders(ctx, target, current); err != nil {
		return err
	}
	if len(current) == 0 {
		return errors.Join(exec(ctx, t.stmts.remove, target), exec(ctx, t.stmts.putGone, target, change))
	}
	e, err := current.entry(target)
	if err != nil {
		return err
	}
	return errors.Join(exec(ctx, t.stmts.removeGone, target),
		exec(ctx, t.stmts.put, target, e.String()[len(target):], reversedName(e), expires(e), change))
}

// storeOrders replaces the rows of a target in the table of orders by the given orders. A single order gets no row.
func (t *Tx) storeOrders(ctx context.Context, target string, standing orders) error {
	if err := exec(ctx, t.stmts.removeOrders, target); err != nil || len(standing) < 2 {
		return err
	}
	lines, err := standing.parse(target)
	if err != nil {
		return err
	}
	for i, o := range lines {
		if err := exec(ctx, t.stmts.putOrder, target, i, standing[i], expires(o)); err != nil {
			return err
		}
	}
	return nil
}

// orders returns the orders of a target.
func (t *Tx) orders(ctx context.Context, target string) (standing orders, err error) {
	rows, err := t.stmts.findOrders.QueryContext(ctx, target)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err says what there is to say
	for rows.Next() {
		attributes, err := scanText(rows)
		if err != nil {
			return nil, err
		}
		standing = append(standing, attributes)
	}
	return standing, rows.Err()
}

// Remove withdraws all orders of a target. It fails with [ErrNotListed] if there are none.
func (t *Tx) Remove(ctx context.Context, target string) error {
	before, err := t.orders(ctx, target)
	if err != nil {
		return err
	}
	if len(before) == 0 {
		return fmt.Errorf("removing %q: %w", target, ErrNotListed)
	}
	return t.setOrders(ctx, target, before, nil)
}

// Withdraw withdraws the order that has this reference and this target. The target stays listed if it has another
// order. Withdraw fails with [ErrNotListed] if the target is not listed, and with [ErrNoOrder] if it has no such order.
func (t *Tx) Withdraw(ctx context.Context, target, reference string) error {
	before, err := t.orders(ctx, target)
	if err != nil {
		return err
	}
	i, _, err := before.find(target, reference)
	switch {
	case err != nil:
		return err
	case len(before) == 0:
		return fmt.Errorf("removing %q: %w", target, ErrNotListed)
	case i < 0:
		standing, err := before.parse(target)
		return cmp.Or(err, fmt.Errorf("removing %q: %w: %q; it rests on %s", target, ErrNoOrder, reference, References(standing)))
	}
	return t.setOrders(ctx, target, before, before.without(i))
}

// WithdrawAll withdraws all orders with this reference, whatever their target. It fails with [ErrNoOrder] if there are
// none.
func (t *Tx) WithdrawAll(ctx context.Context, reference string) error {
	all, err := collect(t.OrdersWith(ctx, reference))
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%w: %q", ErrNoOrder, reference)
	}
	for _, o := range all {
		if err == nil {
			err = t.Withdraw(ctx, o.Target(), reference)
		}
	}
	return err
}

// Expire withdraws all expired orders.
func (t *Tx) Expire(ctx context.Context) error {
	expired, err := collect(query(ctx, t.q, scanEntry, expiredOrders, t.op.Time.Unix()))
	if err != nil {
		return err
	}
	for _, o := range expired {
		if o.Expires.IsZero() || o.Expires.After(t.op.Time) { // the column is only an index: the attributes decide
			return Damaged("order %q has not expired, though the ledger says so beside it; blocklist verify shows what", o)
		}
		if err := t.Withdraw(ctx, o.Target(), o.Reference); err != nil {
			return err
		}
	}
	return nil
}

// expiredOrders selects the orders that have expired at a given time.
const expiredOrders = `
SELECT target, attributes FROM entries WHERE expires <= ?1 AND ` + single + `
UNION ALL SELECT target, attributes FROM orders WHERE expires <= ?1`
