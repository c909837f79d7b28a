package ledger

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// urlTargets is the SQL condition for targets of url entries. No other target begins with https://.
const urlTargets = `target >= 'https://' AND target < 'https:/0'`

// Page is a listed url entry and the operation that listed it.
type Page struct {
	Entry blocklist.Entry
	Came  Operation // the operation that listed the entry, not a later one that only changed its attributes
}

// Pages yields the url entries, sorted by target, each with the operation that listed it. It reads the history of one
// page after another, so only one is in memory.
func (v View) Pages(ctx context.Context) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		if err := (&pageWalk{View: v, ctx: ctx}).walk(yield); err != nil {
			yield(Page{}, err)
		}
	}
}

// pageWalk is one run of [View.Pages]: it reads the changes of url entries.
type pageWalk struct {
	View
	ctx  context.Context // the context of [View.Pages]
	ends []operationEnd
	came Operation // the operation read last
}

// operationEnd is the ID of an operation with the ID of its last change.
type operationEnd struct{ operation, change int64 }

func scanOperationEnd(row scanner) (e operationEnd, err error) {
	return e, row.Scan(&e.operation, &e.change)
}

func (w *pageWalk) walk(yield func(Page, error) bool) error {
	var found int
	err := w.q.QueryRowContext(w.ctx, `SELECT 1 FROM entries WHERE `+urlTargets+` LIMIT 1`).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // a list of names: its history need not be read
	}
	if err != nil {
		return err
	}
	if w.ends, err = collect(query(w.ctx, w.q, scanOperationEnd, operationEnds)); err != nil {
		return err
	}
	var at pageHistory
	for c, err := range query(w.ctx, w.q, scanChangeRow,
		changesOf+`SELECT target FROM entries WHERE `+urlTargets+changesEnd+` WHERE sign IN ('+', '-') ORDER BY target, id`) {
		if err != nil {
			return err
		}
		if c.target != at.target {
			if more, err := w.yield(at, yield); !more || err != nil {
				return err
			}
			at = pageHistory{target: c.target}
		}
		at.change(c, operationOf(w.ends, c.id))
	}
	_, err = w.yield(at, yield)
	return err
}

// operationEnds selects the last changes of all operations, in their order.
const operationEnds = `SELECT id, last_change FROM operations ORDER BY id`

// operationOf returns the ID of the operation that made a change, or 0 if there is none.
func operationOf(ends []operationEnd, change int64) int64 {
	i, _ := slices.BinarySearchFunc(ends, change, func(e operationEnd, c int64) int { return int(e.change - c) })
	if i == len(ends) {
		return 0
	}
	return ends[i].operation
}

// yield passes a page to its argument, a function, if the page is still listed. It returns false if the caller wants no
// more pages.
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

// pageHistory is the state of a target after the changes so far.
type pageHistory struct {
	target, attributes string
	listed             bool
	began, ended       int64 // ID of the operation that listed the target, and of the one that last removed it
}

// change applies one change to the state. A removed and an added line in one operation only change the attributes: the
// page counts as listed without a break.
func (h *pageHistory) change(c changeRow, operation int64) {
	h.listed, h.attributes = c.sign == "+", c.attributes
	switch {
	case !h.listed:
		h.ended = operation
	case h.ended != operation:
		h.began = operation
	}
}
