package publish

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// Entries yields what is listed now, in the order of a release. The last thing it yields may be an error.
func (l *Ledger) Entries(ctx context.Context) iter.Seq2[blocklist.Entry, error] {
	return entries(ctx, l.db)
}

func entries(ctx context.Context, q querier) iter.Seq2[blocklist.Entry, error] {
	return query(ctx, q, scanEntry, `SELECT target, attributes FROM entries ORDER BY target`)
}

func scanEntry(rows *sql.Rows) (blocklist.Entry, error) {
	var target, attributes string
	if err := rows.Scan(&target, &attributes); err != nil {
		return blocklist.Entry{}, err
	}
	return readEntry(target, attributes)
}

func readEntry(target, attributes string) (blocklist.Entry, error) {
	e, err := blocklist.ParseEntry(target + attributes)
	if err != nil {
		err = fmt.Errorf("ledger: %w: %w", blocklist.ErrDamaged, err)
	}
	return e, err
}

// Lookup returns the entry with a target, and false if nothing is listed under it.
func (l *Ledger) Lookup(ctx context.Context, target string) (e blocklist.Entry, ok bool, err error) {
	var attributes string
	err = l.db.QueryRowContext(ctx, `SELECT attributes FROM entries WHERE target = ?`, target).Scan(&attributes)
	if errors.Is(err, sql.ErrNoRows) {
		return e, false, nil
	}
	if err != nil {
		return e, false, err
	}
	e, err = readEntry(target, attributes)
	return e, err == nil, err
}

// ReleaseRecord says which state of the ledger a serial was made from.
type ReleaseRecord struct {
	Serial    uint64    `json:"serial"`
	Operation int64     `json:"operation"` // the last one that it contains
	Head      string    `json:"head"`      // the hash of that operation; it is signed with the release
	Pushed    time.Time `json:"pushed"`
}

// Releases yields what was pushed, the oldest first.
func (l *Ledger) Releases(ctx context.Context) iter.Seq2[ReleaseRecord, error] {
	return releases(ctx, l.db)
}

func releases(ctx context.Context, q querier) iter.Seq2[ReleaseRecord, error] {
	return query(ctx, q, func(rows *sql.Rows) (ReleaseRecord, error) { return scanReleased(rows) },
		`SELECT serial, operation, head, pushed FROM releases ORDER BY serial`)
}

func scanReleased(row interface{ Scan(...any) error }) (r ReleaseRecord, err error) {
	var at string
	if err = row.Scan(&r.Serial, &r.Operation, &r.Head, &at); err != nil {
		return r, err
	}
	if r.Pushed, err = time.Parse(time.RFC3339, at); err != nil {
		return r, fmt.Errorf("release %d: %w: time %q", r.Serial, blocklist.ErrDamaged, at)
	}
	return r, nil
}

// lastRelease returns the newest release that was pushed, serial 0 if none was.
func lastRelease(ctx context.Context, q querier) (ReleaseRecord, error) {
	r, err := scanReleased(q.QueryRowContext(ctx, `SELECT serial, operation, head, pushed FROM releases ORDER BY serial DESC LIMIT 1`))
	if errors.Is(err, sql.ErrNoRows) {
		return ReleaseRecord{}, nil
	}
	return r, err
}

// Changes yields what the operations after the operation from, up to and including the operation to, have changed
// altogether, in the order of a delta: an entry that went and came back the same is no change.
func (l *Ledger) Changes(ctx context.Context, from, to int64) iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
		for pair, err := range query(ctx, l.db, scanNet, netChanges, from, to) {
			if err != nil {
				yield(blocklist.Change{}, err)
				return
			}
			if !pair.yield(yield) {
				return
			}
		}
	}
}

// Unreleased yields what has changed since the release that was pushed last, in the order of a delta.
func (l *Ledger) Unreleased(ctx context.Context) iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
		last, err := lastRelease(ctx, l.db)
		if err != nil {
			yield(blocklist.Change{}, err)
			return
		}
		if last.Serial == 0 { // all that is listed
			l.additions(ctx)(yield)
			return
		}
		l.Changes(ctx, last.Operation, math.MaxInt64)(yield)
	}
}

// netChanges finds the first and the last change of each target in a range of operations: the state before and after. The
// order of the only subquery is that of the whole; one sort is enough.
const netChanges = `
SELECT target, (SELECT sign || attributes FROM changes WHERE id = a), (SELECT sign || attributes FROM changes WHERE id = b)
FROM (
	SELECT target, min(id) AS a, max(id) AS b FROM changes
	WHERE id > coalesce((SELECT last_change FROM operations WHERE id = ?), 0)
		AND id <= coalesce((SELECT last_change FROM operations WHERE id = ?), id)
	GROUP BY target ORDER BY target)`

// outcome is what became of one target: a line before and a line after, each perhaps empty.
type outcome struct{ before, after string }

func scanNet(rows *sql.Rows) (n outcome, err error) {
	var target, first, last string
	if err := rows.Scan(&target, &first, &last); err != nil {
		return n, err
	}
	if attributes, ok := strings.CutPrefix(first, "-"); ok {
		n.before = target + attributes
	}
	if attributes, ok := strings.CutPrefix(last, "+"); ok {
		n.after = target + attributes
	}
	return n, nil
}

func (n outcome) yield(yield func(blocklist.Change, error) bool) bool {
	if n.before == n.after {
		return true
	}
	for _, c := range []struct {
		line    string
		removed bool
	}{{n.before, true}, {n.after, false}} {
		if c.line == "" {
			continue
		}
		e, err := readEntry(c.line, "")
		if !yield(blocklist.Change{Removed: c.removed, Entry: e}, err) || err != nil {
			return false
		}
	}
	return true
}

// Status says where the list stands.
type Status struct {
	List     string         `json:"list"`
	Root     *RootInfo      `json:"root,omitempty"`     // in force; nil: it waits for signatures
	Head     Operation      `json:"head"`               // the last operation; Entries and Digest are those of the list now
	Released *ReleaseRecord `json:"released,omitempty"` // the newest release that was pushed
	Added    uint64         `json:"unreleased_added"`   // lines that came since
	Removed  uint64         `json:"unreleased_removed"` // lines that went since
	Pending  *Pending       `json:"pending,omitempty"`  // what waits for signatures, or to be pushed
	Warnings []string       `json:"warnings,omitempty"` // what must be done soon, and how
}

// Status returns where the list stands.
func (l *Ledger) Status(ctx context.Context) (s Status, err error) {
	s.List = l.list
	if s.Head, err = head(ctx, l.db); err != nil {
		return s, err
	}
	last, err := lastRelease(ctx, l.db)
	if err != nil {
		return s, err
	}
	if last.Serial > 0 {
		s.Released = &last
		s.Added, s.Removed, err = count(l.Unreleased(ctx))
	} else {
		s.Added = s.Head.Entries
	}
	if err != nil {
		return s, err
	}
	if s.Pending, err = l.Pending(); err != nil && !errors.Is(err, ErrNothingPending) {
		return s, err
	}
	return s, l.checkLife(&s)
}

func count(changes iter.Seq2[blocklist.Change, error]) (added, removed uint64, err error) {
	for c, err := range changes {
		if err != nil {
			return 0, 0, err
		}
		if c.Removed {
			removed++
		} else {
			added++
		}
	}
	return added, removed, nil
}
