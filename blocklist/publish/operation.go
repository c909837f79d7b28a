package publish

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"iter"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/argine-dns/argine/blocklist"
)

// Audit says who changes the ledger, and why. The author is needed. Each is one line of at most 4 KiB.
type Audit struct {
	Author    string
	Reason    string
	Reference string // the order or decision behind it
	Override  string // of Add and Import: why entries are taken that the guards hold; empty: they are not
}

func (c Audit) check() error {
	for what, text := range map[string]string{"author": c.Author, "reason": c.Reason, "reference": c.Reference, "override": c.Override} {
		if !isLine(text) || strings.ContainsFunc(text, unsafeText) {
			return fmt.Errorf("%s %.40q: %w: one line of at most 4 KiB is needed", what, text, blocklist.ErrMalformed)
		}
	}
	if c.Author == "" {
		return fmt.Errorf("%w: a change needs an author", blocklist.ErrMalformed)
	}
	return nil
}

// Kinds of operations.
const (
	KindInit   = "init"
	KindAdd    = "add"
	KindRemove = "remove"
	KindImport = "import"
	KindExpire = "expire" // entries past their expiry are taken out when a release is made
	KindPush   = "push"   // a release was pushed
	KindRoot   = "root"   // a new root was made, for the officers to sign
	KindRefuse = "refuse" // what was pending was dropped
	KindUrgent = "urgent" // one officer has ordered something alone

	KindTakedown = "takedown" // checks were recorded of which pages are still there; its changes are these

	KindSubscribe   = "subscribe"   // a subscriber of a confidential list was added; the reference is name and recipient
	KindUnsubscribe = "unsubscribe" // a subscriber was removed

	KindOverride = "override" // the next release may pass the guards, with the findings that it refers to
	KindGuard    = "guard"    // the settings of the guards were changed
)

// changesNothing reports whether operations of a kind are recorded although no entry comes or goes.
func changesNothing(kind string) bool {
	switch kind {
	case KindPush, KindRoot, KindRefuse, KindUrgent, KindOverride, KindGuard, KindSubscribe, KindUnsubscribe:
		return true
	}
	return false
}

// Operation is one step in the history of the list.
type Operation struct {
	ID          int64     `json:"id"` // from 1, without gaps
	Time        time.Time `json:"time"`
	Author      string    `json:"author"`
	Kind        string    `json:"kind"`
	Reason      string    `json:"reason,omitempty"`
	Reference   string    `json:"reference,omitempty"`
	Added       uint64    `json:"added"`   // lines that came; a changed attribute is a line that went and one that came
	Removed     uint64    `json:"removed"` // lines that went
	LastChange  int64     `json:"last_change"`
	ChangesHash string    `json:"changes_hash"` // SHA-256 of the lines, or checks, each with its sign and a line end
	Entries     uint64    `json:"entries"`      // of the list, afterwards
	Digest      string    `json:"digest"`       // of the list, afterwards
	Hash        string    `json:"hash"`         // of all of the above and the hash of the operation before
}

// chain returns the hash of the operation, given that of the one before.
func (o Operation) chain(before string) string {
	text, err := json.Marshal([]any{
		before, o.ID, formatTime(o.Time), o.Author, o.Kind, o.Reason, o.Reference, o.Added, o.Removed, o.LastChange,
		o.ChangesHash, o.Entries, o.Digest,
	})
	if err != nil {
		panic(err) // strings and integers have JSON forms
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// genesis stands for the hash before the first operation.
func genesis(list string) string { return "argine ledger of " + list }

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

const operationColumns = `id, time, author, kind, reason, reference, added, removed, last_change, changes_hash, entries, digest, hash`

func scanOperation(row interface{ Scan(...any) error }) (o Operation, err error) {
	var at string
	err = row.Scan(&o.ID, &at, &o.Author, &o.Kind, &o.Reason, &o.Reference, &o.Added, &o.Removed, &o.LastChange,
		&o.ChangesHash, &o.Entries, &o.Digest, &o.Hash)
	if err != nil {
		return o, err
	}
	if o.Time, err = time.Parse(time.RFC3339, at); err != nil {
		return o, fmt.Errorf("operation %d: %w: time %q", o.ID, blocklist.ErrDamaged, at)
	}
	return o, o.checkText()
}

// checkText finds a row that no command has written: its control characters could conceal on a terminal what is signed.
func (o *Operation) checkText() error {
	for what, text := range map[string]string{
		"author": o.Author, "kind": o.Kind, "reason": o.Reason, "reference": o.Reference, "digest": o.Digest, "hash": o.Hash,
	} {
		if !isLine(text) {
			return damaged("operation %d: the %s %.40q is not one line of text", o.ID, what, text)
		}
	}
	return nil
}

// isLine reports whether a text is one line of at most 4 KiB, without control characters.
func isLine(text string) bool {
	return len(text) <= 4<<10 && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

func operationRow(rows *sql.Rows) (Operation, error) { return scanOperation(rows) }

// querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// head returns the last operation.
func head(ctx context.Context, q querier) (Operation, error) {
	o, err := scanOperation(q.QueryRowContext(ctx, `SELECT `+operationColumns+` FROM operations ORDER BY id DESC LIMIT 1`))
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: the ledger has no operations", blocklist.ErrDamaged)
	}
	return o, err
}

// Operations yields the history, the oldest operation first.
func (l *Ledger) Operations(ctx context.Context) iter.Seq2[Operation, error] {
	return operations(ctx, l.db)
}

func operations(ctx context.Context, q querier) iter.Seq2[Operation, error] {
	return query(ctx, q, operationRow, `SELECT `+operationColumns+` FROM operations ORDER BY id`)
}

// query yields what scan makes of each row. The last thing it yields may be an error.
func query[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), text string, args ...any) iter.Seq2[T, error] {
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

// operation collects the changes of one operation inside its transaction.
type operation struct {
	Operation
	tx     *sql.Tx
	stmts  statements
	before string // the hash of the operation before
	digest blocklist.Digest
	hash   hash.Hash
	checks int // that were recorded
}

// operate runs fill as one operation: all of it, recorded, or nothing. An operation that changes no entry is recorded only
// if it is of a kind that never does.
func (l *Ledger) operate(ctx context.Context, kind string, c Audit, fill func(*operation) error) error {
	if err := c.check(); err != nil {
		return err
	}
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	o, err := newOperation(ctx, tx, kind, c)
	if err != nil {
		return err
	}
	if err := fill(o); err != nil {
		return err
	}
	if o.Added+o.Removed == 0 && o.checks == 0 && !changesNothing(kind) {
		return nil
	}
	if err := o.record(ctx); err != nil {
		return err
	}
	return tx.Commit()
}

func newOperation(ctx context.Context, tx *sql.Tx, kind string, c Audit) (*operation, error) {
	last, err := head(ctx, tx)
	if err != nil {
		return nil, err
	}
	o := &operation{tx: tx, hash: sha256.New(), before: last.Hash, Operation: Operation{
		ID: last.ID + 1, Time: time.Now(), Author: c.Author, Kind: kind, Reason: c.Reason, Reference: c.Reference,
		LastChange: last.LastChange, Entries: last.Entries,
	}}
	if o.digest, err = blocklist.ParseDigest(last.Digest); err != nil {
		return nil, fmt.Errorf("operation %d: %w: %w", last.ID, blocklist.ErrDamaged, err)
	}
	return o, o.stmts.prepare(ctx, tx)
}

// record writes the operation itself, once its changes are complete.
func (o *operation) record(ctx context.Context) error {
	o.ChangesHash = hex.EncodeToString(o.hash.Sum(nil))
	o.Digest = o.digest.String()
	o.Hash = o.chain(o.before)
	return insertOperation(ctx, o.tx, o.Operation)
}

func insertOperation(ctx context.Context, tx *sql.Tx, o Operation) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO operations (`+operationColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		o.ID, formatTime(o.Time), o.Author, o.Kind, o.Reason, o.Reference, o.Added, o.Removed, o.LastChange,
		o.ChangesHash, o.Entries, o.Digest, o.Hash)
	return err
}
