// Package ledger stores the history of a list in one SQLite file: the operations, each with its changes, author,
// reason, reference, and a hash chained to the previous operation. The file also has the resulting entries with
// indexes, the releases made from them, the checks of pages, and the proposals.
//
// A [View] reads. A [Tx] collects the changes of one operation: [Ledger.Change] and [Ledger.Record] run one atomically.
// [View.Verify] verifies the whole history. The package knows nothing about signatures.
package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// DatabaseFile is the name of the database in the folder of a ledger. SQLite keeps two files beside it, see
// [DatabaseFiles].
const DatabaseFile = "ledger.db"

// DatabaseFiles returns the names of all files of the database.
func DatabaseFiles() []string {
	return []string{DatabaseFile, DatabaseFile + "-wal", DatabaseFile + "-shm"}
}

// Ledger is an open ledger. Several goroutines and processes may use it; only one at a time can change it.
type Ledger struct {
	View
	dir    string
	db     *sql.DB
	watch  *watch
	resume func(context.Context) error

	// Clock is the clock that [Ledger.Lock] checks against the time of the last operation. If the clock does not seem
	// right, but a person has confirmed it, the next operation records the confirmation.
	Clock Clock

	wait    time.Duration // maximum time to wait for the lock
	waiting func(Holder)
	trial   bool     // whether operations are rolled back, see [Ledger.Trial]
	after   string   // required hash of the last operation, see [Ledger.After]; empty: any
	snap    snapshot // identifies the content of the database file when it was opened; set only for read-only access
}

func (l *Ledger) readMeta() error {
	version, err := l.Meta(context.Background(), metaVersion)
	if err == nil && version != schemaVersion {
		err = fmt.Errorf("%w: it is of version %q, this program knows %s", blocklist.ErrMalformed, version, schemaVersion)
	}
	if err != nil {
		return err
	}
	l.list, err = l.Meta(context.Background(), metaList)
	return err
}

// Change takes the lock, and records one operation as [Ledger.Record] does.
func (l *Ledger) Change(ctx context.Context, kind string, a Audit, fill func(*Tx) error) error {
	unlock, err := l.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return l.Record(ctx, kind, a, fill)
}

// Record calls the argument fill, and records the changes that it makes as one operation, atomically. The argument may
// be nil. If no orders are changed and no checks recorded, the operation is recorded only if its kind never changes
// orders, such as [KindPush]. The caller holds the lock.
func (l *Ledger) Record(ctx context.Context, kind string, a Audit, fill func(*Tx) error) error {
	return l.RecordAll(ctx, func(record Recorder) error { return record(kind, a, fill) })
}

// Recorder records one operation, as [Ledger.Record] does.
type Recorder func(kind string, a Audit, fill func(*Tx) error) error

// RecordAll calls its argument with a [Recorder]. It records all operations that are passed to the Recorder, or none if
// there is an error. The caller holds the lock.
func (l *Ledger) RecordAll(ctx context.Context, do func(Recorder) error) error {
	return l.explain(l.recordAll(ctx, do))
}

func (l *Ledger) recordAll(ctx context.Context, do func(Recorder) error) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	record := func(kind string, a Audit, fill func(*Tx) error) error { return l.recordIn(ctx, tx, kind, a, fill) }
	if err := do(record); err != nil {
		return err
	}
	if l.trial {
		return nil
	}
	return tx.Commit()
}

// ErrMoved is returned by a ledger that [Ledger.After] made if the last operation does not have the hash given there.
var ErrMoved = errors.New("the ledger has changed meanwhile")

// Trial returns a ledger for a dry run: its operations run as usual, but are rolled back at the end.
func (l *Ledger) Trial() *Ledger {
	c := *l
	c.trial = true
	return &c
}

// After returns a ledger that records operations only if the last operation has the given hash. Otherwise they fail
// with [ErrMoved].
func (l *Ledger) After(hash string) *Ledger {
	c := *l
	c.after = hash
	return &c
}

// KeepReaders keeps up to n connections to the database open between reads. The default is two.
func (l *Ledger) KeepReaders(n int) { l.db.SetMaxIdleConns(n) }

func (l *Ledger) recordIn(ctx context.Context, tx *sql.Tx, kind string, a Audit, fill func(*Tx) error) error {
	if err := a.Check(); err != nil {
		return err
	}
	t, err := l.begin(ctx, tx, kind, a)
	if err != nil {
		return err
	}
	if fill != nil {
		if err := fill(t); err != nil {
			return err
		}
	}
	if !t.changed() && !changesNothing(kind) {
		return nil
	}
	return t.record(ctx)
}

// Read calls its argument with a view of the ledger at one moment, which later changes do not affect.
func (l *Ledger) Read(ctx context.Context, do func(View) error) error {
	tx, err := l.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it was only read
	return l.explain(do(View{q: tx, list: l.list}))
}

// SetMeta stores a value under a key, outside the history. The caller holds the lock.
func (l *Ledger) SetMeta(ctx context.Context, key, value string) error {
	_, err := l.db.ExecContext(ctx, putMeta, key, value)
	return l.explain(err)
}

const putMeta = `INSERT OR REPLACE INTO meta VALUES (?, ?)`

// Checkpoint writes all changes into the database file, so that the file can be copied while the caller holds the lock.
// It fails with [blocklist.ErrBusy] while another process reads older content.
func (l *Ledger) Checkpoint(ctx context.Context) error {
	var busy, frames, done int
	err := l.db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &done)
	if err == nil && busy != 0 {
		err = fmt.Errorf("%w: a command is reading it; try again", blocklist.ErrBusy)
	}
	return l.explain(err)
}

// snapshot identifies the content of a database file that is opened as immutable. The zero value means that it is
// opened as usual: then SQLite isolates the reader from changes.
type snapshot struct {
	size     int64
	modified time.Time
}
