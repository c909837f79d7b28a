// Package ledger is the history of a list in one SQLite file: operations, each with its changes, author, reason and
// reference, and a hash chained to the operation before; the entries that follow from them, with indexes; the releases
// made from them; and the checks of pages.
//
// A [View] reads. A [Tx] collects what one operation changes: [Ledger.Change] and [Ledger.Record] run one, all of it or
// nothing. [View.Verify] proves the whole history. Who signs what is none of its concern.
package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
)

// Names in the folder of a ledger.
const (
	databaseFile = "ledger.db"
	lockFile     = "lock"
)

// Ledger is an open ledger. Several goroutines and processes may use it; one at a time can change it.
type Ledger struct {
	View
	dir    string
	db     *sql.DB
	resume func(context.Context) error
}

// Open opens the ledger in the folder dir, and upgrades one of an older version. Whenever the ledger is locked, resume
// finishes what a process that was killed has left half done.
func Open(dir string, resume func(context.Context) error) (*Ledger, error) {
	path := filepath.Join(dir, databaseFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("opening %s: %w: there is no ledger in it; blocklist init makes one", dir, err)
	}
	db, err := openDatabase(path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	l := &Ledger{View: View{q: db}, dir: dir, db: db, resume: resume}
	if err := errors.Join(upgrade(context.Background(), db), l.readMeta()); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), db.Close())
	}
	return l, nil
}

// Close closes the ledger.
func (l *Ledger) Close() error { return l.db.Close() }

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

// Lock makes this process the one that changes the folder. It fails with [blocklist.ErrBusy] while another one does.
func (l *Ledger) Lock(ctx context.Context) (unlock func(), err error) {
	lock, err := disk.Lock(filepath.Join(l.dir, lockFile))
	if errors.Is(err, disk.ErrLocked) {
		return nil, fmt.Errorf("changing %s: %w; try again when that has finished", l.dir, blocklist.ErrBusy)
	}
	if err != nil {
		return nil, err
	}
	unlock = func() { lock.Close() } //nolint:errcheck // nothing was written to it
	if err := l.resume(ctx); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// Change is [Ledger.Record] under the lock.
func (l *Ledger) Change(ctx context.Context, kind string, a Audit, fill func(*Tx) error) error {
	unlock, err := l.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return l.Record(ctx, kind, a, fill)
}

// Record runs fill as one operation: all of it, recorded, or nothing. Fill may be nil. An operation that changes no
// entry is recorded only if it is of a kind that never does. The lock is held.
func (l *Ledger) Record(ctx context.Context, kind string, a Audit, fill func(*Tx) error) error {
	if err := a.Check(); err != nil {
		return err
	}
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	t, err := l.begin(ctx, tx, kind, a)
	if err != nil {
		return err
	}
	if fill != nil {
		if err := fill(t); err != nil {
			return err
		}
	}
	if t.op.Added+t.op.Removed == 0 && t.checks == 0 && !changesNothing(kind) {
		return nil
	}
	if err := t.record(ctx); err != nil {
		return err
	}
	return tx.Commit()
}

// Read runs do with a view of one moment.
func (l *Ledger) Read(ctx context.Context, do func(View) error) error {
	tx, err := l.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it was only read
	return do(View{q: tx, list: l.list})
}

// SetMeta keeps a value under a key, outside the history. The lock is held.
func (l *Ledger) SetMeta(ctx context.Context, key, value string) error {
	_, err := l.db.ExecContext(ctx, putMeta, key, value)
	return err
}

const putMeta = `INSERT OR REPLACE INTO meta VALUES (?, ?)`
