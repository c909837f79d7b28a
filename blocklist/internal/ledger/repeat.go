package ledger

import (
	"context"
	"slices"
)

// Repeat repeats the changes that an operation made to orders, on the current orders: it gives the orders that the
// operation gave or changed, and withdraws those that it withdrew. Orders that are already in this state stay as they
// are. The argument before is the ID of the last change before the operation.
func (t *Tx) Repeat(ctx context.Context, o Operation, before int64) error {
	r := repetition{tx: t, from: before}
	for c, err := range query(ctx, t.q, scanChangeRow, changesOfTargets, before, o.LastChange, o.LastChange) {
		if err != nil {
			return err
		}
		if c.target != r.target {
			if err := r.end(ctx); err != nil {
				return err
			}
			r.target, r.before, r.after = c.target, nil, nil
		}
		if err := r.add(c); err != nil {
			return err
		}
	}
	return r.end(ctx)
}

// repetition is one run of [Tx.Repeat]: it replays the changes of one target after another.
type repetition struct {
	tx            *Tx
	from          int64 // ID of the last change before the operation
	target        string
	before, after orders
}

func (r *repetition) add(c changeRow) (err error) {
	r.after, err = r.after.replay(c)
	if c.id <= r.from {
		r.before = r.after
	}
	return err
}

// end repeats the operation's changes of the target on the current orders. It is called after all changes of the target
// were added.
func (r *repetition) end(ctx context.Context) error {
	changes, err := orderChanges(r.target, r.before, r.after)
	if err != nil || len(changes) == 0 {
		return err
	}
	now, err := r.tx.orders(ctx, r.target)
	if err != nil {
		return err
	}
	result := now
	for _, c := range changes {
		if result, err = result.repeat(c); err != nil {
			return err
		}
	}
	if slices.Equal(result, now) {
		return nil
	}
	return r.tx.setOrders(ctx, r.target, now, result)
}

// repeat returns the orders after one change: it adds, replaces or removes the order with the change's reference. If
// the orders are in that state already, it returns them unchanged.
func (s orders) repeat(c changeRow) (orders, error) {
	if c.sign == signOrder {
		return s.with(c.target, c.attributes, true)
	}
	o, err := parseEntry(c.target, c.attributes)
	if err != nil {
		return nil, err
	}
	i, _, err := s.find(c.target, o.Reference)
	if err != nil || i < 0 {
		return s, err
	}
	return s.without(i), nil
}
