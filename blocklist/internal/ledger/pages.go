package ledger

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// urlTargets are all targets of url entries and no others: a canonical name holds no colon.
const urlTargets = `target >= 'https://' AND target < 'https:/0'`

// Page is a listed url entry.
type Page struct {
	Entry blocklist.Entry
	Came  Operation // by which it was listed; other attributes since don't count
}

// Pages yields the url entries, in the order of their targets, each with the operation that listed it. It goes through
// the history of all pages, one after the other, so that no more than a page is in memory.
func (v View) Pages(ctx context.Context) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		if err := (&pageWalk{View: v, ctx: ctx}).walk(yield); err != nil {
			yield(Page{}, err)
		}
	}
}

// pageWalk goes through the changes of url entries.
type pageWalk struct {
	View
	ctx  context.Context // of one call
	ends []operationEnd
	came Operation // the one asked for last
}

// operationEnd says up to which change an operation goes.
type operationEnd struct{ operation, change int64 }

func scanOperationEnd(row scanner) (e operationEnd, err error) {
	return e, row.Scan(&e.operation, &e.change)
}

func (w *pageWalk) walk(yield func(Page, error) bool) error {
	var found int
	err := w.q.QueryRowContext(w.ctx, `SELECT 1 FROM entries WHERE `+urlTargets+` LIMIT 1`).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // lists of names have a history that need not be read for this
	}
	if err != nil {
		return err
	}
	for end, err := range query(w.ctx, w.q, scanOperationEnd, `SELECT id, last_change FROM operations ORDER BY id`) {
		if err != nil {
			return err
		}
		w.ends = append(w.ends, end)
	}
	var at pageHistory
	for c, err := range query(w.ctx, w.q, scanChangeRow,
		`SELECT id, sign, target, attributes FROM changes WHERE `+urlTargets+` ORDER BY target, id`) {
		if err != nil {
			return err
		}
		if c.target != at.target {
			if more, err := w.yield(at, yield); !more || err != nil {
				return err
			}
			at = pageHistory{target: c.target}
		}
		at.change(c, w.operationOf(c.id))
	}
	_, err = w.yield(at, yield)
	return err
}

// operationOf returns the operation that made a change.
func (w *pageWalk) operationOf(change int64) int64 {
	i, _ := slices.BinarySearchFunc(w.ends, change, func(e operationEnd, c int64) int { return int(e.change - c) })
	if i == len(w.ends) {
		return 0
	}
	return w.ends[i].operation
}

// yield yields a page if it is listed.
func (w *pageWalk) yield(at pageHistory, yield func(Page, error) bool) (more bool, err error) {
	if !at.listed {
		return true, nil
	}
	e, err := parseEntry(at.target, at.attributes)
	if err != nil {
		return false, err
	}
	if w.came.ID != at.began {
		if w.came, err = w.OperationByID(w.ctx, at.began); err != nil {
			return false, Damaged("entry %.80q came by no operation: %v", e.Target(), err)
		}
	}
	return yield(Page{Entry: e, Came: w.came}, nil), nil
}

// pageHistory is what became of a target.
type pageHistory struct {
	target, attributes string
	listed             bool
	began, ended       int64 // the operations by which it came, and went last
}

// change follows one change. Other attributes are a line that goes and one that comes in the same operation: it stays
// listed.
func (h *pageHistory) change(c changeRow, operation int64) {
	h.listed, h.attributes = c.sign == "+", c.attributes
	switch {
	case !h.listed:
		h.ended = operation
	case h.ended != operation:
		h.began = operation
	}
}
