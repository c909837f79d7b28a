package ledger

import (
	"context"
	"path/filepath"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/disk"
)

// lockFile is the name of the lock in the folder of a ledger.
const lockFile = "lock"

// Holder describes the process that has the lock of a ledger, see [disk.Holder].
type Holder = disk.Holder

// SetWait makes changes wait for at most the time in the argument limit if another process has the lock. After one
// second of waiting, they call notify with the description of that process; notify may be nil.
func (l *Ledger) SetWait(limit time.Duration, notify func(Holder)) { l.wait, l.waiting = limit, notify }

// Lock locks the folder for changes by this process, until unlock is called. It fails with [blocklist.ErrBusy] if
// another process has the lock, see [Ledger.SetWait]. It fails with [blocklist.ErrClock] if the clock is before the
// last operation, or more than a release lifetime after it, unless a person confirms the clock.
func (l *Ledger) Lock(ctx context.Context) (unlock func(), err error) {
	if unlock, err = LockFolder(ctx, l.dir, l.wait, l.waiting); err != nil {
		return nil, err
	}
	err = l.resume(ctx)
	if err == nil {
		err = l.checkClock(ctx)
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// LockFolder locks a folder without opening a ledger; the folder need not contain a ledger yet. If another process has
// the lock, LockFolder waits for at most the time in the argument limit, and then fails with [blocklist.ErrBusy]. After
// one second of waiting, it calls notify with the description of that process; notify may be nil.
func LockFolder(ctx context.Context, dir string, limit time.Duration, notify func(Holder)) (unlock func(), err error) {
	lock, err := disk.LockWithin(ctx, filepath.Join(dir, lockFile), limit, notify)
	if err != nil {
		return nil, err
	}
	return func() { lock.Close() }, nil //nolint:errcheck // nothing is lost
}
