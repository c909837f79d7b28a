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

// ErrNotListed is returned if an entry to be removed is not on the list in that scope.
var ErrNotListed = errors.New("not on the list with this scope")

// Tx collects the changes of one operation, in a database transaction.
type Tx struct {
	View
	op     Operation // the operation so far, without its hashes
	tx     *sql.Tx
	stmts  statements
	before string // hash of the previous operation
	digest blocklist.Digest
	hash   hash.Hash // of the changes and checks
	checks int       // number of checks recorded
}

// begin starts the next operation.
func (l *Ledger) begin(ctx context.Context, tx *sql.Tx, kind string, a Audit) (*Tx, error) {
	t := &Tx{View: View{q: tx, list: l.list}, tx: tx, hash: sha256.New()}
	last, err := t.Head(ctx)
	if err != nil {
		return nil, err
	}
	t.before = last.Hash
	t.op = Operation{
		ID: last.ID + 1, Time: time.Now(), Author: a.Author, Kind: kind, Reason: a.recordedReason(), Reference: a.Reference,
		LastChange: last.LastChange, Entries: last.Entries,
	}
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
	find, put, remove, log, findCheck, addCheck *sql.Stmt
}

func (s *statements) prepare(ctx context.Context, tx *sql.Tx) error {
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&s.find, `SELECT attributes FROM entries WHERE target = ?`},
		{&s.put, `INSERT INTO entries (target, attributes, place, expires) VALUES (?, ?, ?, ?)
			ON CONFLICT (target) DO UPDATE SET attributes = excluded.attributes, expires = excluded.expires`},
		{&s.remove, `DELETE FROM entries WHERE target = ?`},
		{&s.log, `INSERT INTO changes (id, sign, target, attributes) VALUES (?, ?, ?, ?)`},
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

// find returns the attributes of the entry with a target, and false if there is none.
func (t *Tx) find(ctx context.Context, target string) (attributes string, listed bool, err error) {
	err = t.stmts.find.QueryRowContext(ctx, target).Scan(&attributes)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return attributes, err == nil, err
}

// Remove takes the entry with a target off the list. It fails with [ErrNotListed].
func (t *Tx) Remove(ctx context.Context, target string) error {
	attributes, listed, err := t.find(ctx, target)
	if err != nil {
		return err
	}
	if !listed {
		return fmt.Errorf("removing %q: %w", target, ErrNotListed)
	}
	_, err = t.stmts.remove.ExecContext(ctx, target)
	return errors.Join(err, t.log(ctx, '-', target, attributes))
}

// Expire takes all expired entries off the list.
func (t *Tx) Expire(ctx context.Context) error {
	var targets []string
	for e, err := range query(ctx, t.q, scanEntry, `SELECT target, attributes FROM entries WHERE expires <= ?`,
		t.op.Time.Unix()) {
		if err != nil {
			return err
		}
		if e.Expires.IsZero() || e.Expires.After(t.op.Time) { // the column is only an index: the attributes decide
			return Damaged("entry %q has not expired, though the ledger says so beside it; blocklist verify tells more", e)
		}
		targets = append(targets, e.Target())
	}
	for _, target := range targets {
		if err := t.Remove(ctx, target); err != nil {
			return err
		}
	}
	return nil
}

// log records one change and counts it.
func (t *Tx) log(ctx context.Context, sign byte, target, attributes string) error {
	line := []byte(target + attributes)
	if sign == '+' {
		t.op.Added++
		t.op.Entries++
		t.digest.Add(line)
	} else {
		t.op.Removed++
		t.op.Entries--
		t.digest.Remove(line)
	}
	if t.op.Entries > blocklist.MaxEntries {
		return fmt.Errorf("a list of more than %d entries: %w", blocklist.MaxEntries, blocklist.ErrTooLarge)
	}
	fmt.Fprintf(t.hash, "%c%s\n", sign, line)
	t.op.LastChange++
	_, err := t.stmts.log.ExecContext(ctx, t.op.LastChange, string(sign), target, attributes)
	return err
}

// SetMeta stores a value under a key.
func (t *Tx) SetMeta(ctx context.Context, key, value string) error {
	_, err := t.tx.ExecContext(ctx, putMeta, key, value)
	return err
}

// AddRelease records that a serial was pushed now. Head is the hash of the last operation in the release. A serial that
// is already recorded keeps its values.
func (t *Tx) AddRelease(ctx context.Context, serial uint64, head string) error {
	_, err := t.tx.ExecContext(ctx, `INSERT INTO releases (serial, operation, head, pushed)
		SELECT ?, id, hash, ? FROM operations WHERE hash = ? ON CONFLICT DO NOTHING`, serial, FormatTime(t.op.Time), head)
	return err
}
