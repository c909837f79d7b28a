package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
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

// resume completes an operation that a killed process has left unfinished. The caller holds the lock.
func (l *Ledger) resume(ctx context.Context) error {
	if err := makeFolders(l.dir); err != nil {
		return err
	}
	for _, dir := range []string{l.dir, l.path(rootsDir), l.path(pendingDir), l.path(pendingDir, releaseDir)} {
		if err := disk.RemoveTemps(dir); err != nil {
			return err
		}
	}
	if err := l.activateRoot(); err != nil {
		return err
	}
	if _, err := l.finishRecovery(ctx); err != nil {
		return err
	}
	if err := l.archivePush(ctx); err != nil {
		return err
	}
	return l.removeSkipped(ctx)
}

// archivePush moves the pending release to the folder releases if the ledger has recorded its push.
func (l *Ledger) archivePush(ctx context.Context) error {
	last, err := l.history.LastRelease(ctx)
	if err != nil {
		return err
	}
	pending, err := l.readRelease(l.path(pendingDir, releaseDir))
	if err != nil || pending.serial() > last.Serial {
		return nil //nolint:nilerr // there is none, or none that can be read: Pending says so
	}
	to := l.path(releasesDir, fmt.Sprint(last.Serial))
	if err := os.Rename(l.path(pendingDir, releaseDir), to); err != nil {
		return err
	}
	return errors.Join(disk.SyncDir(filepath.Dir(to)), disk.SyncDir(l.path(pendingDir)))
}

// activateRoot puts the pending root in force if it has enough signatures. It writes the file under roots first, so
// that after a crash the next call can complete the rest.
func (d folder) activateRoot() error {
	version, err := d.newestRoot()
	if err != nil {
		return err
	}
	p, err := d.readPendingRoot(version + 1)
	switch {
	case err == nil && p.Enough():
		version++
		err = disk.WriteFile(d.path(rootsDir, trust.RootName(version)), p.metadata, disk.Inherit)
	case errors.Is(err, os.ErrNotExist), errors.Is(err, blocklist.ErrDamaged): // Pending says so
		err = nil
	}
	if err != nil || version == 0 {
		return err
	}
	if err := d.copyRoot(version); err != nil {
		return err
	}
	if err := os.Remove(d.pendingRootPath(version)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// copyRoot copies the root of this version to root.json, the file of the root in force.
func (d folder) copyRoot(version int64) error {
	newest, err := os.ReadFile(d.path(rootsDir, trust.RootName(version)))
	if err != nil {
		return err
	}
	if held, err := os.ReadFile(d.path(rootFile)); err == nil && string(held) == string(newest) {
		return nil
	}
	return disk.WriteFile(d.path(rootFile), newest, 0o644) // it is public, and copied to programs of other users
}
