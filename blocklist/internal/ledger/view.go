package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// View reads a ledger. Its iterators end after the first error, which is their last value.
type View struct {
	q    querier
	list string
	read *Counter // counts the rows that Verify reads
}

// querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// query runs a statement, and yields the result of scan for each row. The last value may be an error.
func query[T any](ctx context.Context, q querier, scan func(scanner) (T, error), text string, args ...any) iter.Seq2[T,
	error] {
	return func(yield func(T, error) bool) {
		var none T
		rows, err := q.QueryContext(ctx, text, args...)
		if err != nil {
			yield(none, err)
			return
		}
		defer rows.Close() //nolint:errcheck // Err says what there is to say
		for rows.Next() {
			v, err := scan(rows)
			if !yield(v, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(none, err)
		}
	}
}

// scanner is a row of a result.
type scanner interface{ Scan(...any) error }

// List returns the name of the list.
func (v View) List() string { return v.list }

// Meta returns the value stored under a key, or an empty text if there is none.
func (v View) Meta(ctx context.Context, key string) (value string, err error) {
	err = v.q.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = ?`, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return value, err
}

// Range selects operations. The zero value selects all.
type Range struct {
	After int64    // only operations with IDs above this one
	UpTo  int64    // only operations with IDs up to and including this one; 0: no limit
	Kinds []string // only operations of these kinds; empty: all
}

// Operations yields the operations in a range, oldest first.
func (v View) Operations(ctx context.Context, r Range) iter.Seq2[Operation, error] {
	text, args := r.query()
	return query(ctx, v.q, scanOperation, text, args...)
}

// query returns the SQL statement for the range, and its arguments.
func (r Range) query() (text string, args []any) {
	if r.UpTo == 0 {
		r.UpTo = math.MaxInt64
	}
	where, args := `WHERE id > ? AND id <= ?`, []any{r.After, r.UpTo}
	if len(r.Kinds) > 0 {
		where += ` AND kind IN (?` + strings.Repeat(`, ?`, len(r.Kinds)-1) + `)`
		for _, kind := range r.Kinds {
			args = append(args, kind)
		}
	}
	return `SELECT ` + operationColumns + ` FROM operations ` + where + ` ORDER BY id`, args
}

// Happened reports whether a range has at least one operation.
func (v View) Happened(ctx context.Context, r Range) (bool, error) {
	for _, err := range v.Operations(ctx, r) {
		return err == nil, err
	}
	return false, nil
}

// Head returns the last operation.
func (v View) Head(ctx context.Context) (Operation, error) {
	o, err := scanOperation(v.q.QueryRowContext(ctx, `SELECT `+operationColumns+` FROM operations ORDER BY id DESC LIMIT 1`))
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: the ledger has no operations", blocklist.ErrDamaged)
	}
	return o, err
}

// OperationByID returns the operation with this ID. It fails with [sql.ErrNoRows] if there is none.
func (v View) OperationByID(ctx context.Context, id int64) (Operation, error) {
	return scanOperation(v.q.QueryRowContext(ctx, `SELECT `+operationColumns+` FROM operations WHERE id = ?`, id))
}

// OperationByHash returns the operation with this hash. It fails with [sql.ErrNoRows] if there is none.
func (v View) OperationByHash(ctx context.Context, hash string) (Operation, error) {
	return scanOperation(v.q.QueryRowContext(ctx, `SELECT `+operationColumns+` FROM operations WHERE hash = ?`, hash))
}

// Entries yields the current entries, in the order of a release.
func (v View) Entries(ctx context.Context) iter.Seq2[blocklist.Entry, error] {
	return query(ctx, v.q, scanEntry, `SELECT target, attributes FROM entries ORDER BY target`)
}

func scanEntry(row scanner) (blocklist.Entry, error) {
	var target, attributes string
	if err := row.Scan(&target, &attributes); err != nil {
		return blocklist.Entry{}, err
	}
	return parseEntry(target, attributes)
}

func parseEntry(target, attributes string) (blocklist.Entry, error) {
	e, err := blocklist.ParseEntry(target + attributes)
	if err != nil {
		err = fmt.Errorf("ledger: %w: %w", blocklist.ErrDamaged, err)
	}
	return e, err
}

// Lookup returns the entry with this target. It returns false if the target is not listed.
func (v View) Lookup(ctx context.Context, target string) (e blocklist.Entry, ok bool, err error) {
	e, err = scanEntry(v.q.QueryRowContext(ctx, `SELECT target, attributes FROM entries WHERE target = ?`, target))
	if errors.Is(err, sql.ErrNoRows) {
		return e, false, nil
	}
	return e, err == nil, err
}

// FirstListed returns the entry of the first of the given targets that is listed, and false if none is listed.
func (v View) FirstListed(ctx context.Context, targets []string) (e blocklist.Entry, ok bool, err error) {
	e, err = scanEntry(v.q.QueryRowContext(ctx, `SELECT e.target, e.attributes FROM json_each(?) AS t
		CROSS JOIN entries AS e ON e.target = t.value ORDER BY t.key LIMIT 1`, jsonArray(targets)))
	if errors.Is(err, sql.ErrNoRows) {
		return e, false, nil
	}
	return e, err == nil, err
}

// Listed returns the entries for those of the given targets that are listed, by target.
func (v View) Listed(ctx context.Context, targets []string) (map[string]blocklist.Entry, error) {
	found := map[string]blocklist.Entry{}
	for e, err := range query(ctx, v.q, scanEntry, `SELECT e.target, e.attributes FROM json_each(?) AS t
		CROSS JOIN entries AS e ON e.target = t.value`, jsonArray(targets)) {
		if err != nil {
			return nil, err
		}
		found[e.Target()] = e
	}
	return found, nil
}

// ReleaseRecord records a pushed release, and the last operation in it.
type ReleaseRecord struct {
	Serial    uint64    `json:"serial"`
	Operation int64     `json:"operation"` // ID of the last operation in the release
	Head      string    `json:"head"`      // hash of the last operation in the release; signed with the release
	Pushed    time.Time `json:"pushed"`
}

const releaseColumns = `serial, operation, head, pushed`

// Releases yields the pushed releases, oldest first.
func (v View) Releases(ctx context.Context) iter.Seq2[ReleaseRecord, error] {
	return query(ctx, v.q, scanRelease, `SELECT `+releaseColumns+` FROM releases ORDER BY serial`)
}

// Release returns the release with this serial. It fails with [sql.ErrNoRows] if there is none.
func (v View) Release(ctx context.Context, serial uint64) (ReleaseRecord, error) {
	return scanRelease(v.q.QueryRowContext(ctx, `SELECT `+releaseColumns+` FROM releases WHERE serial = ?`, serial))
}

// LastRelease returns the last pushed release. Its serial is 0 if there is none.
func (v View) LastRelease(ctx context.Context) (ReleaseRecord, error) {
	return v.ReleaseBefore(ctx, math.MaxInt64)
}

// ReleaseBefore returns the last pushed release with a lower serial than the given one. Its serial is 0 if there is
// none.
func (v View) ReleaseBefore(ctx context.Context, serial uint64) (ReleaseRecord, error) {
	return v.oneRelease(ctx, `SELECT `+releaseColumns+` FROM releases WHERE serial < ? ORDER BY serial DESC LIMIT 1`, serial)
}

// ReleaseAfter returns the first pushed release with a higher serial than the given one. Its serial is 0 if there is
// none.
func (v View) ReleaseAfter(ctx context.Context, serial uint64) (ReleaseRecord, error) {
	return v.oneRelease(ctx, `SELECT `+releaseColumns+` FROM releases WHERE serial > ? ORDER BY serial LIMIT 1`, serial)
}

// oneRelease returns the release that a statement selects. Its serial is 0 if the statement selects none.
func (v View) oneRelease(ctx context.Context, text string, args ...any) (ReleaseRecord, error) {
	r, err := scanRelease(v.q.QueryRowContext(ctx, text, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return ReleaseRecord{}, nil
	}
	return r, err
}

func scanRelease(row scanner) (r ReleaseRecord, err error) {
	var at string
	if err = row.Scan(&r.Serial, &r.Operation, &r.Head, &at); err != nil {
		return r, err
	}
	if r.Pushed, err = time.Parse(time.RFC3339, at); err != nil {
		return r, fmt.Errorf("release %d: %w: time %q", r.Serial, blocklist.ErrDamaged, at)
	}
	return r, nil
}

func jsonArray[T string | int64](values []T) string {
	b, err := json.Marshal(values)
	if err != nil {
		panic(err) // can't happen: strings and numbers always encode
	}
	return string(b)
}
