package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// Open opens the agency's folder dir, which [Init] has made.
func Open(dir string) (*Ledger, error) {
	l := &Ledger{folder: folder{dir: dir}}
	var err error
	if l.history, err = ledger.Open(dir, l.resume); err != nil {
		return nil, err
	}
	l.list = l.history.List()
	return l, nil
}

// resume finishes what a killed process left half done. The lock is held.
func (l *Ledger) resume(ctx context.Context) error {
	for _, dir := range []string{l.dir, l.path(rootsDir), l.path(pendingDir), l.path(pendingDir, releaseDir)} {
		if err := disk.RemoveTemps(dir); err != nil {
			return err
		}
	}
	if err := l.activateRoot(); err != nil {
		return err
	}
	return l.archivePush(ctx)
}

// archivePush moves the pending release to the pushed ones, if it was pushed.
func (l *Ledger) archivePush(ctx context.Context) error {
	last, err := l.history.LastRelease(ctx)
	if err != nil {
		return err
	}
	pending, err := l.readRelease(l.path(pendingDir, releaseDir))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil || pending.serial() > last.Serial {
		return err
	}
	to := l.path(releasesDir, fmt.Sprint(last.Serial))
	if err := os.Rename(l.path(pendingDir, releaseDir), to); err != nil {
		return err
	}
	return errors.Join(disk.SyncDir(filepath.Dir(to)), disk.SyncDir(l.path(pendingDir)))
}
