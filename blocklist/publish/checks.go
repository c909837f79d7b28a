package publish

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash"
	"iter"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// PageCheck is what somebody found when looking whether a platform has taken a page down.
type PageCheck struct {
	Page    blocklist.Entry // of scope url
	Removed bool            // it is gone
	Checked time.Time
}

// ChecksResult counts what became of checks.
type ChecksResult struct {
	Recorded  uint64
	Unchanged uint64   // recorded like this before
	NotListed uint64   // pages that are not on the list, and were left out
	Strangers []string // the first of those
}

// maxTold is how many bad lines, or pages that are not listed, are told one by one.
const maxTold = 10

// RecordChecks records checks as one operation: all of them, or nothing. Of two checks of a page at the same time the one that is
// recorded later counts; in one call they must agree. Pages that are not listed are left out, and counted; if
// none is listed, it fails with [ErrNotListed]. An error among the checks, such as a line that [ReadChecks] could not read,
// changes nothing; the first few are told together.
func (l *Ledger) RecordChecks(ctx context.Context, checks iter.Seq2[PageCheck, error], c Audit) (r ChecksResult, err error) {
	_, err = l.change(ctx, KindTakedown, c, func(o *operation, _ *ChangeResult) error {
		w, err := newCheckWriter(ctx, o)
		if err != nil {
			return err
		}
		return w.all(ctx, checks, &r)
	})
	if err != nil {
		return ChecksResult{}, err
	}
	return r, nil
}

// checkWriter records the checks of an operation.
type checkWriter struct {
	*operation
	known, insert *sql.Stmt
	latest        time.Time // no check can be later
}

func newCheckWriter(ctx context.Context, o *operation) (w checkWriter, err error) {
	w = checkWriter{operation: o, latest: time.Now().Add(24 * time.Hour)} // whatever the clock of the checker
	w.known, err = o.tx.PrepareContext(ctx, `SELECT removed, operation FROM checks WHERE target = ? AND checked = ? ORDER BY operation DESC LIMIT 1`)
	if err != nil {
		return w, err
	}
	w.insert, err = o.tx.PrepareContext(ctx, `INSERT INTO checks (operation, line, target, checked, removed) VALUES (?, ?, ?, ?, ?)`)
	return w, err
}

func (w *checkWriter) all(ctx context.Context, checks iter.Seq2[PageCheck, error], r *ChecksResult) error {
	var bad []error
	for check, err := range checks {
		if err == nil {
			err = w.one(ctx, check, r)
		}
		if err == nil {
			continue
		}
		if bad = append(bad, err); len(bad) == maxTold || !errors.Is(err, blocklist.ErrMalformed) {
			break
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("recording checks: %w", errors.Join(bad...))
	}
	if r.NotListed > 0 && r.Recorded+r.Unchanged == 0 {
		return fmt.Errorf("recording checks: %w: none of the pages is, such as %s", ErrNotListed, r.Strangers[0])
	}
	return nil
}

func (w *checkWriter) one(ctx context.Context, c PageCheck, r *ChecksResult) error {
	row := checkRow{target: c.Page.Target(), checked: c.Checked.UTC().Truncate(time.Second), removed: c.Removed, operation: w.ID}
	if c.Checked.After(w.latest) {
		return fmt.Errorf("%.80s: %w: it was checked in the future, %s", row.target, blocklist.ErrMalformed, formatTime(c.Checked))
	}
	var attributes string
	err := w.stmts.find.QueryRowContext(ctx, row.target).Scan(&attributes)
	if errors.Is(err, sql.ErrNoRows) {
		if r.NotListed++; len(r.Strangers) < maxTold {
			r.Strangers = append(r.Strangers, row.target)
		}
		return nil
	}
	if err != nil {
		return err
	}
	before := checkRow{}
	err = w.known.QueryRowContext(ctx, row.target, formatTime(row.checked)).Scan(&before.removed, &before.operation)
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return err
	case err == nil && before.removed == row.removed:
		r.Unchanged++
		return nil
	case err == nil && before.operation == w.ID:
		return fmt.Errorf("%.80s: %w: it is both removed and not, at the same time %s", row.target, blocklist.ErrMalformed, formatTime(row.checked))
	}
	r.Recorded++
	w.checks++
	row.writeTo(w.hash)
	_, err = w.insert.ExecContext(ctx, w.ID, w.checks, row.target, formatTime(row.checked), row.removed)
	return err
}

// checkRow is a row of the table checks.
type checkRow struct {
	target    string
	checked   time.Time
	operation int64
	removed   bool
}

// writeTo writes what the hash of the operation is made of.
func (c checkRow) writeTo(h hash.Hash) {
	fmt.Fprintf(h, "?%s %s removed=%t\n", c.target, formatTime(c.checked), c.removed)
}

func scanCheckRow(rows *sql.Rows) (c checkRow, err error) {
	var at string
	if err = rows.Scan(&c.target, &at, &c.operation, &c.removed); err != nil {
		return c, err
	}
	if c.checked, err = time.Parse(time.RFC3339, at); err != nil {
		err = damaged("check of %.80s: time %q", c.target, at)
	}
	return c, err
}

// pageChecks yields what was checked, page by page, in the order of the times. Of the checks at one time there is the one that
// was recorded last: beside max, SQLite takes the other columns from the same row.
func pageChecks(ctx context.Context, q querier) iter.Seq2[checkRow, error] {
	return query(ctx, q, scanCheckRow, `SELECT target, checked, max(operation), removed FROM checks GROUP BY target, checked ORDER BY target, checked`)
}

// hashChecks writes what an operation recorded into the hash of its changes.
func hashChecks(ctx context.Context, q querier, operation int64, h hash.Hash) error {
	for c, err := range query(ctx, q, scanCheckRow, `SELECT target, checked, operation, removed FROM checks WHERE operation = ? ORDER BY line`, operation) {
		if err != nil {
			return err
		}
		c.writeTo(h)
	}
	return nil
}

// verifyChecks finds checks that no operation has recorded.
func verifyChecks(ctx context.Context, q querier) error {
	var target string
	err := q.QueryRowContext(ctx, `SELECT target FROM checks WHERE operation NOT IN (SELECT id FROM operations WHERE kind = ?) LIMIT 1`, KindTakedown).Scan(&target)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return errors.Join(err, damaged("a check of %.80q belongs to no operation", target))
}
