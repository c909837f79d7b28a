package desk

import (
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/argine-dns/argine/blocklist/publish"
)

// opened is the agency's folder, which stays open as long as the desk runs. If a recovery replaces the ledger, the next
// request opens the new ledger.
type opened struct {
	dir     string
	prepare func(*publish.Ledger)

	mu     sync.RWMutex // held for reading by each request
	ledger *publish.Ledger
	file   os.FileInfo
}

func (o *opened) path() string { return filepath.Join(o.dir, publish.LedgerFile) }

// open opens the folder. The caller must hold mu, except at the start of the desk, before the first request.
func (o *opened) open() (err error) {
	if o.file, err = os.Stat(o.path()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if o.ledger, err = publish.Open(o.dir); err != nil {
		return err
	}
	o.ledger.KeepReaders(atOnce)
	if o.prepare != nil {
		o.prepare(o.ledger)
	}
	return nil
}

// use calls the function do with the ledger, which stays open until do returns. It returns the error of do.
func (o *opened) use(do func(*publish.Ledger) error) error {
	for {
		o.mu.RLock()
		now, err := os.Stat(o.path())
		if err == nil && o.ledger != nil && os.SameFile(now, o.file) {
			defer o.mu.RUnlock()
			return do(o.ledger)
		}
		o.mu.RUnlock()
		if err == nil {
			err = o.reopen()
		}
		if err != nil {
			return err
		}
	}
}

func (o *opened) reopen() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.closeLocked(); err != nil {
		return err
	}
	return o.open()
}

func (o *opened) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closeLocked()
}

func (o *opened) closeLocked() error {
	l := o.ledger
	if o.ledger = nil; l == nil {
		return nil
	}
	return l.Close()
}
