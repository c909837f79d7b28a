package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"modernc.org/sqlite"

	"github.com/argine-dns/argine/blocklist"
)

// Open opens the ledger in the folder dir, and upgrades an older version of the database. Each time this process locks
// the ledger, the argument resume is called, to complete the work of a killed process. A ledger that this process can't
// write is opened read-only.
func Open(dir string, resume func(context.Context) error) (*Ledger, error) {
	path := filepath.Join(dir, DatabaseFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("opening %s: %w: there is no ledger in it; blocklist init makes one", dir, err)
	}
	l, err := open(dir, readWrite)
	if cantWrite(err) {
		l, err = openReadOnly(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, (&Ledger{dir: dir}).explain(err))
	}
	l.resume = resume
	return l, nil
}

func open(dir, access string) (*Ledger, error) {
	db, err := openDatabase(filepath.Join(dir, DatabaseFile), access)
	if err != nil {
		return nil, err
	}
	l := &Ledger{View: View{q: newParsed(db)}, dir: dir, db: db, watch: &watch{}}
	if err = upgrade(context.Background(), db); err == nil {
		err = l.readMeta()
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return l, nil
}

// cantWrite reports whether SQLite failed because it can't write the database or one of the files beside it.
func cantWrite(err error) bool {
	const readOnly, cantOpen = 8, 14 // primary codes
	failed := (*sqlite.Error)(nil)
	return errors.As(err, &failed) && (failed.Code()&0xff == readOnly || failed.Code()&0xff == cantOpen)
}

// openReadOnly opens a ledger that this process can't write: of another account, or on a read-only medium.
//
// While a writer has the database open, the files -wal and -shm exist, and SQLite can read the database as usual: then
// this function is not needed. Without these files, SQLite can only read the database as a file that does not change
// (immutable=1). A new writer first writes to a new -wal, which does no harm. When the writer copies its changes into
// the database, a reader may see half of them; but the time of the file changes, and [Ledger.Close] fails. An existing
// -wal, left behind by a kill or an incomplete copy, has changes that the reader would miss: such a ledger is refused.
func openReadOnly(dir string) (*Ledger, error) {
	path := filepath.Join(dir, DatabaseFile)
	if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 {
		return nil, fmt.Errorf("%w: it has changes in %s-wal, which can't be read here; copy the folder to where you can write",
			os.ErrPermission, DatabaseFile)
	}
	before, err := readSnapshot(path)
	if err != nil {
		return nil, err
	}
	l, err := open(dir, immutable)
	if cantWrite(err) {
		err = fmt.Errorf("%w: %w", os.ErrPermission, err)
	}
	if err != nil {
		return nil, err
	}
	l.snap = before
	return l, nil
}

func readSnapshot(path string) (s snapshot, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return s, err
	}
	return snapshot{info.Size(), info.ModTime()}, nil
}

// Close closes the ledger. It fails with [blocklist.ErrBusy] if the ledger was opened for reading only, and has changed
// meanwhile. In this case all data that was read may be wrong, and must be read again.
func (l *Ledger) Close() error {
	err := errors.Join(l.watch.close(), l.db.Close())
	if l.snap == (snapshot{}) || err != nil {
		return err
	}
	if now, err := readSnapshot(filepath.Join(l.dir, DatabaseFile)); err != nil || now != l.snap {
		return errors.Join(err, fmt.Errorf("reading %s: %w: it has changed meanwhile; read it again", l.dir, blocklist.ErrBusy))
	}
	return nil
}
