package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
)

// lockFile is the name of the lock in the folder of a ledger. The process that has the lock writes its [Holder] to it.
const lockFile = "lock"

// Holder describes the process that has the lock of a ledger. The process has written the description itself, so it may
// be wrong, and serves for messages only.
type Holder struct {
	PID     int       `json:"pid"`
	User    string    `json:"user"`
	Host    string    `json:"host"`
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
}

// String describes the process in an English phrase.
func (h Holder) String() string {
	if h.PID == 0 {
		return "an unknown process"
	}
	return fmt.Sprintf("process %d (%s) of %s on %s, since %s", h.PID, h.Command, h.User, h.Host, h.Since.Format(time.TimeOnly))
}

// maxCommand is the maximum length of the command line in a [Holder], in bytes.
const maxCommand = 200

// thisProcess describes this process as a holder.
func thisProcess() Holder {
	h := Holder{PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second)}
	h.Command = strings.Join(append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...), " ")
	h.Command = strings.ToValidUTF8(h.Command[:min(len(h.Command), maxCommand)], "")
	h.Host, _ = os.Hostname() // both are for people
	if u, err := user.Current(); err == nil {
		h.User = u.Username
	}
	return h
}

// readHolder reads the lock file at path, in which the process that has the lock describes itself. It returns the zero
// value if the file can't be read.
func readHolder(path string) (h Holder) {
	f, err := os.Open(path)
	if err != nil {
		return h
	}
	defer f.Close() //nolint:errcheck // it was only read
	if json.NewDecoder(io.LimitReader(f, 4<<10)).Decode(&h) != nil {
		return Holder{}
	}
	return h
}

// SetWait makes changes wait for at most the duration limit if another process has the lock. After one second of
// waiting, they call notify with the description of that process; notify may be nil.
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
// the lock, it waits for at most the duration limit. After one second of waiting, it calls notify with the description
// of that process; notify may be nil. It fails with [blocklist.ErrBusy].
func LockFolder(ctx context.Context, dir string, limit time.Duration, notify func(Holder)) (unlock func(), err error) {
	path := filepath.Join(dir, lockFile)
	lock, err := disk.LockWithin(ctx, path, limit, func() {
		if notify != nil {
			notify(readHolder(path))
		}
	})
	if errors.Is(err, disk.ErrLocked) {
		return nil, fmt.Errorf("changing %s: %w: %s", dir, blocklist.ErrBusy, readHolder(path))
	}
	if err != nil {
		return nil, err
	}
	if text, err := json.Marshal(thisProcess()); err == nil {
		_ = os.WriteFile(path, append(text, '\n'), 0o600) // where it can't be written, the process stays unknown
	}
	return func() {
		_ = os.Truncate(path, 0) // what a killed process leaves there is overwritten
		lock.Close()             //nolint:errcheck // nothing is lost
	}, nil
}
