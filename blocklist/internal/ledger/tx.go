package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

var (
	// ErrNotListed is returned if the target of a change or a check is not listed with the given scope.
	ErrNotListed = errors.New("not on the list with this scope")
	// ErrNoOrder is returned if a target has no order with the given reference.
	ErrNoOrder = errors.New("no order with this reference stands")
)

// Tx collects the changes of one operation, in a database transaction.
type Tx struct {
	View
	op     Operation // the operation so far, without its hashes
	tx     *sql.Tx
	stmts  statements
	before string // hash of the previous operation
	digest blocklist.Digest
	hash   hash.Hash // SHA-256 of the changes and checks so far
	checks int       // number of checks recorded
	start  int64     // ID of the last change before this operation
	line   []byte    // buffer for the line to log, with its sign and line end

	counts   [3]uint64        // number of changed targets by kind, see [Tx.Changed]
	outcomes [3][]OrderChange // first changes by kind, see [Tx.OrderChanges]
}

// begin starts the next operation.
func (l *Ledger) begin(ctx context.Context, tx *sql.Tx, kind string, a Audit) (*Tx, error) {
	t := &Tx{View: View{q: tx, list: l.list}, tx: tx, hash: sha256.New()}
	last, err := t.Head(ctx)
	if err != nil {
		return nil, err
	}
	if l.after != "" && l.after != last.Hash {
		return nil, fmt.Errorf("%w: the last operation is %d, by %s", ErrMoved, last.ID, last.Author)
	}
	t.before = last.Hash
	now := time.Now()
	t.op = Operation{
		ID: last.ID + 1, Time: now, Author: a.Author, Kind: kind, Reason: a.recordedReason(follows(now, last) != nil),
		Reference: a.Reference, LastChange: last.LastChange, Entries: last.Entries,
	}
	t.start = last.LastChange
	if t.digest, err = blocklist.ParseDigest(last.Digest); err != nil {
		return nil, fmt.Errorf("operation %d: %w: %w", last.ID, blocklist.ErrDamaged, err)
	}
	return t, t.stmts.prepare(ctx, tx)
}

// record writes the row of the operation, after all its changes.
func (t *Tx) record(ctx context.Context) error {
	t.op.ChangesHash = hex.EncodeToString(t.hash.Sum(nil))
	t.op.Digest = t.digest.String()
	t.op.Hash = t.op.LinkHash(t.before)
	return insertOperation(ctx, t.tx, t.op)
}

func insertOperation(ctx context.Context, tx *sql.Tx, o Operation) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO operations (`+operationColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		o.ID, FormatTime(o.Time), o.Author, o.Kind, o.Reason, o.Reference, o.Added, o.Removed, o.LastChange,
		o.ChangesHash, o.Entries, o.Digest, o.Hash)
	return err
}

// statements are the prepared statements of an operation, which run for each entry.
type statements struct {
	find, findOrders, findChange, put, remove, putGone, removeGone, putOrder, removeOrders, log, findCheck,
	addCheck *sql.Stmt
}

func (s *statements) prepare(ctx context.Context, tx *sql.Tx) error {
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&s.find, `SELECT attributes FROM entries WHERE target = ?`},
		{&s.findOrders, ordersOf},
		{&s.findChange, `SELECT change FROM entries WHERE target = ?1 UNION ALL SELECT change FROM gone WHERE target = ?1`},
		{&s.put, `INSERT INTO entries (target, attributes, place, expires, change) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (target) DO UPDATE
				SET attributes = excluded.attributes, expires = excluded.expires, change = excluded.change`},
		{&s.remove, `DELETE FROM entries WHERE target = ?`},
		{&s.putGone, `INSERT INTO gone (target, change) VALUES (?, ?)`},
		{&s.removeGone, `DELETE FROM gone WHERE target = ?`},
		{&s.putOrder, `INSERT INTO orders (target, number, attributes, expires) VALUES (?, ?, ?, ?)`},
		{&s.removeOrders, `DELETE FROM orders WHERE target = ?`},
		{&s.log, `INSERT INTO changes (id, sign, target, attributes, before) VALUES (?, ?, ?, ?, nullif(?, 0))`},
		{&s.findCheck, `SELECT removed, operation FROM checks WHERE target = ? AND checked = ? ORDER BY operation DESC LIMIT 1`},
		{&s.addCheck, `INSERT INTO checks (operation, line, target, checked, removed) VALUES (?, ?, ?, ?, ?)`},
	} {
		var err error
		if *p.stmt, err = tx.PrepareContext(ctx, p.text); err != nil {
			return err
		}
	}
	return nil
}

// find returns the attributes of the entry with this target. It returns false if the target is not listed.
func (t *Tx) find(ctx context.Context, target string) (attributes string, listed bool, err error) {
	err = t.stmts.find.QueryRowContext(ctx, target).Scan(&attributes)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return attributes, err == nil, err
}

// changed reports whether the operation has changed orders or recorded checks.
func (t *Tx) changed() bool { return t.op.LastChange > t.start || t.checks > 0 }

// lastChange returns the ID of the last change of a target, or 0 if there is none.
func (t *Tx) lastChange(ctx context.Context, target string) (id int64, err error) {
	err = t.stmts.findChange.QueryRowContext(ctx, target).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return id, err
}

// exec runs a prepared statement without letting the driver watch the context, which would take a goroutine for each
// statement. When the context ends, database/sql rolls the transaction back anyway.
func exec(ctx context.Context, s *sql.Stmt, args ...any) error {
	_, err := s.ExecContext(context.WithoutCancel(ctx), args...)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// prepared is a prepared statement in the form of a [querier]; it ignores the text of a query. Like [exec], it does not
// let the driver watch the context. Read each result to its end before the next query.
type prepared struct{ *sql.Stmt }

func (p prepared) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return p.Stmt.QueryContext(context.WithoutCancel(ctx), args...)
}

func (p prepared) QueryRowContext(ctx context.Context, _ string, args ...any) *sql.Row {
	return p.Stmt.QueryRowContext(context.WithoutCancel(ctx), args...)
}

// log records one change and counts it. The argument before is the ID of the previous change of the same target. log
// returns the ID of the new change.
func (t *Tx) log(ctx context.Context, sign, target, attributes string, before int64) (id int64, err error) {
	t.line = append(append(append(append(t.line[:0], sign...), target...), attributes...), '\n')
	t.hash.Write(t.line)
	line := t.line[len(sign) : len(t.line)-1]
	switch sign {
	case signAdded:
		t.op.Added++
		t.op.Entries++
		t.digest.Add(line)
	case signRemoved:
		t.op.Removed++
		t.op.Entries--
		t.digest.Remove(line)
	}
	if t.op.Entries > blocklist.MaxEntries {
		return 0, fmt.Errorf("a list of more than %d entries: %w", blocklist.MaxEntries, blocklist.ErrTooLarge)
	}
	t.op.LastChange++
	return t.op.LastChange, exec(ctx, t.stmts.log, t.op.LastChange, sign, target, attributes, before)
}

// SetMeta stores a value under a key.
func (t *Tx) SetMeta(ctx context.Context, key, value string) error {
	_, err := t.tx.ExecContext(ctx, putMeta, key, value)
	return err
}

// AddRelease records that the release with this serial was pushed now. The argument head is the hash of the last
// operation in the release. If the serial is recorded already, the record stays the same.
func (t *Tx) AddRelease(ctx context.Context, serial uint64, head string) error {
	_, err := t.tx.ExecContext(ctx, `INSERT INTO releases (serial, operation, head, pushed)
		SELECT ?, id, hash, ? FROM operations WHERE hash = ? ON CONFLICT DO NOTHING`, serial, FormatTime(t.op.Time), head)
	return err
}
