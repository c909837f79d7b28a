package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// ErrChangedSince is returned if an operation can't be undone because a later one has changed the same orders.
var ErrChangedSince = errors.New("orders were changed since")

// Undo reverses the changes that an operation made to orders: given orders are withdrawn, withdrawn orders are given,
// and changed orders are as before. It fails with [ErrChangedSince] if one of these orders is not as the operation left
// it, and with [blocklist.ErrMalformed] if there is no such operation, or if it changed no orders. If the screen does
// not admit an entry that would be listed again, the orders for its target stay as they are.
func (t *Tx) Undo(ctx context.Context, operation int64, screen Screen) error {
	o, err := t.OperationByID(ctx, operation)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("operation %d: %w: there is none; blocklist log shows those that there are", operation, blocklist.ErrMalformed)
	}
	if err != nil {
		return err
	}
	u := reversal{tx: t, screen: screen, to: o.LastChange}
	if err := t.q.QueryRowContext(ctx, `SELECT last_change FROM operations WHERE id = ?`, operation-1).Scan(&u.from); err != nil &&
		!errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if u.from == u.to {
		return fmt.Errorf("operation %d (%s): %w: it changed no orders", operation, o.Kind, blocklist.ErrMalformed)
	}
	return u.run(ctx)
}

// changesOfTargets selects all changes of the targets that occur in a range of changes. It leaves out changes after a
// given ID.
const changesOfTargets = changesOf + `SELECT DISTINCT target FROM changes WHERE id > ? AND id <= ?` + changesEnd +
	` WHERE id <= ? ORDER BY target, id`

// reversal is one run of [Tx.Undo]: it replays the changes of one target after another.
type reversal struct {
	tx       *Tx
	screen   Screen
	from, to int64 // IDs of the last change before the operation, and of the operation's last change

	target             string
	before, after, now orders
	later              int64 // ID of the first later change of one of the operation's orders; 0: none
}

func (u *reversal) run(ctx context.Context) error {
	for c, err := range query(ctx, u.tx.q, scanChangeRow, changesOfTargets, u.from, u.to, u.tx.start) {
		if err != nil {
			return err
		}
		if c.target != u.target {
			if err := u.end(ctx); err != nil {
				return err
			}
			u.target, u.before, u.after, u.now, u.later = c.target, nil, nil, nil, 0
		}
		if err := u.add(c); err != nil {
			return err
		}
	}
	return u.end(ctx)
}

func (u *reversal) add(c changeRow) (err error) {
	if u.now, err = u.now.replay(c); err != nil {
		return err
	}
	if c.id <= u.from {
		u.before = u.now
	}
	if c.id <= u.to {
		u.after = u.now
		return nil
	}
	if u.later == 0 {
		if _, ok, err := u.reversed(); err != nil || !ok {
			u.later = c.id
			return err
		}
	}
	return nil
}

// reversed returns what the orders for the target are without the changes of the operation. It returns false if one of
// the orders that the operation changed is not as the operation left it.
func (u *reversal) reversed() (result orders, ok bool, err error) {
	changes, err := orderChanges(u.target, u.after, u.before)
	if err != nil {
		return nil, false, err
	}
	result = u.now
	for _, c := range changes {
		if same, err := u.asLeft(c); err != nil || !same {
			return nil, false, err
		}
		if result, err = result.replay(c); err != nil {
			return nil, false, err
		}
	}
	return result, true, nil
}

// asLeft reports whether the order that the change c is about is still as the operation left it.
func (u *reversal) asLeft(c changeRow) (bool, error) {
	o, err := parseEntry(c.target, c.attributes)
	if err != nil {
		return false, err
	}
	left, was, err1 := u.after.find(c.target, o.Reference)
	stands, is, err2 := u.now.find(c.target, o.Reference)
	return (left < 0) == (stands < 0) && was == is, errors.Join(err1, err2)
}

// end reverses the operation's changes of the target. It is called after all changes of the target were added.
func (u *reversal) end(ctx context.Context) error {
	result, ok, err := u.reversed()
	if err != nil {
		return err
	}
	if !ok {
		return u.changedSince(ctx)
	}
	if admitted, err := u.admitted(result); err != nil || !admitted || slices.Equal(result, u.now) {
		return err
	}
	return u.tx.setOrders(ctx, u.target, u.now, result)
}

// admitted reports whether the screen admits the entry that the given orders for the target would list. It returns true
// if they would list none, or if the target is blocked already.
func (u *reversal) admitted(result orders) (bool, error) {
	if len(result) == 0 {
		return true, nil
	}
	e, err := result.entry(u.target)
	if err != nil {
		return false, err
	}
	in := incoming{target: u.target, admit: u.screen(e)}
	return in.admitted(u.now)
}

// changedSince returns [ErrChangedSince], with the operation that made the later change.
func (u *reversal) changedSince(ctx context.Context) error {
	o, err := scanOperation(u.tx.q.QueryRowContext(ctx, `SELECT `+operationColumns+` FROM operations WHERE last_change >= ? ORDER BY last_change, id LIMIT 1`, u.later))
	if err != nil {
		return err
	}
	return fmt.Errorf("%.80s: %w, by operation %d (%s, %s)", u.target, ErrChangedSince, o.ID, o.Kind, o.Author)
}
