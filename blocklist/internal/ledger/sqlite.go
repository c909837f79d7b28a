package ledger

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"modernc.org/sqlite"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
)

// Primary result codes of SQLite (https://www.sqlite.org/rescode.html), the low byte of each.
const (
	codeIOError    = 10
	codeCorrupt    = 11
	codeFull       = 13
	codeNoDatabase = 26
)

// explain turns an error of SQLite into one that says what to do. If the disk is full, the error wraps
// [syscall.ENOSPC]. If the file is not a database, or has damaged pages, it wraps [blocklist.ErrDamaged]. Other errors
// stay the same.
func (l *Ledger) explain(err error) error {
	failed := (*sqlite.Error)(nil)
	if !errors.As(err, &failed) {
		return err
	}
	switch code := failed.Code() & 0xff; {
	case code == codeFull, code == codeIOError && l.full():
		return fmt.Errorf("disk full: %w: nothing has changed in %s; make room, then try again", syscall.ENOSPC, l.dir)
	case code == codeCorrupt, code == codeNoDatabase:
		return fmt.Errorf("%w: %s can't be read as a database: %w", blocklist.ErrDamaged, DatabaseFile, failed)
	}
	return err
}

// full reports whether the disk of the ledger is full, by writing a temporary file: SQLite calls a full disk an I/O
// error when it opens a database.
func (l *Ledger) full() bool {
	f, err := os.CreateTemp(l.dir, disk.TempPrefix+"*")
	if err == nil {
		_, err = f.Write(make([]byte, 64<<10))
		_ = errors.Join(f.Close(), os.Remove(f.Name()))
	}
	return errors.Is(err, syscall.ENOSPC)
}
