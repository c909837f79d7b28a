package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// Check is a row of the table checks: the result of a visit to a listed page.
type Check struct {
	Target    string
	Checked   time.Time // time of the visit, in whole seconds, UTC
	Removed   bool      // whether the page is gone
	Operation int64     // ID of the operation that recorded the check
}

// writeTo writes the check in the form that the operation's ChangesHash covers.
func (c Check) writeTo(w io.Writer) {
	fmt.Fprintf(w, "?%s %s removed=%t\n", c.Target, FormatTime(c.Checked), c.Removed)
}

func scanCheck(row scanner) (c Check, err error) {
	var at string
	if err = row.Scan(&c.Target, &at, &c.Operation, &c.Removed); err != nil {
		return c, err
	}
	if c.Checked, err = time.Parse(time.RFC3339, at); err != nil {
		err = Damaged("check of %.80s: time %q", c.Target, at)
	}
	return c, err
}

// AddCheck records a check. It returns false if the same check was recorded before. It fails with [ErrNotListed] if the
// page is not listed, and with [blocklist.ErrMalformed] if this operation has recorded the opposite result for the same
// time.
func (t *Tx) AddCheck(ctx context.Context, c Check) (added bool, err error) {
	c.Operation, c.Checked = t.op.ID, c.Checked.UTC().Truncate(time.Second)
	_, listed, err := t.find(ctx, c.Target)
	if err != nil {
		return false, err
	}
	if !listed {
		return false, ErrNotListed
	}
	var before Check
	err = t.stmts.findCheck.QueryRowContext(ctx, c.Target, FormatTime(c.Checked)).Scan(&before.Removed, &before.Operation)
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return false, err
	case err == nil && before.Removed == c.Removed:
		return false, nil
	case err == nil && before.Operation == t.op.ID:
		return false, fmt.Errorf("%.80s: %w: it is both removed and not, at the same time %s", c.Target,
			blocklist.ErrMalformed, FormatTime(c.Checked))
	}
	t.checks++
	c.writeTo(t.hash)
	_, err = t.stmts.addCheck.ExecContext(ctx, t.op.ID, t.checks, c.Target, FormatTime(c.Checked), c.Removed)
	return err == nil, err
}

// Checks yields the checks, sorted by page and time. If several checks of a page have the same time, it yields only the
// one that was recorded last.
func (v View) Checks(ctx context.Context) iter.Seq2[Check, error] {
	return query(ctx, v.q, scanCheck, `SELECT target, checked, max(operation), removed FROM checks GROUP BY target, checked ORDER BY target, checked`)
}

// writeChecks writes the checks of an operation in the form that its ChangesHash covers.
func (v View) writeChecks(ctx context.Context, operation int64, w io.Writer) error {
	for c, err := range query(ctx, v.q, scanCheck, `SELECT target, checked, operation, removed FROM checks WHERE operation = ? ORDER BY line`, operation) {
		if err != nil {
			return err
		}
		c.writeTo(w)
	}
	return nil
}

// verifyChecks fails if a check belongs to no operation.
func (v View) verifyChecks(ctx context.Context) error {
	var target string
	err := v.q.QueryRowContext(ctx, `SELECT target FROM checks WHERE operation NOT IN (SELECT id FROM operations WHERE kind = ?) LIMIT 1`, KindTakedown).Scan(&target)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return errors.Join(err, Damaged("a check of %.80q belongs to no operation", target))
}
