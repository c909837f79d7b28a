// Package disk provides durable file operations: atomic replacement, file locks and memory mapping.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// ErrLocked is returned by Lock when another process, or another owner in this process, holds the lock.
var ErrLocked = errors.New("in use")

// WriteFile atomically replaces the content of path: readers, and a crash at any point, see either the old content or
// the new.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	return Write(path, mode, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Inherit is the mode, for [Write] and [WriteFile], of a file that gets the permissions of its folder. So in a private
// folder the file is private, and in a folder shared with a group it is shared, too.
const Inherit os.FileMode = 0

// FileMode returns the mode of a new file in the folder dir: the read and write permissions of the folder.
func FileMode(dir string) (os.FileMode, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return 0, err
	}
	return info.Mode() & 0o666, nil
}

// MkdirAll makes a folder and its missing parents. Each new folder gets the permissions of its parent folder, and the
// parent's group if the setgid bit of the parent is set.
func MkdirAll(path string) error {
	parent, err := os.Stat(filepath.Dir(path))
	if errors.Is(err, os.ErrNotExist) {
		if err := MkdirAll(filepath.Dir(path)); err != nil {
			return err
		}
		parent, err = os.Stat(filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		if errors.Is(err, os.ErrExist) {
			return nil
		}
		return err
	}
	return os.Chmod(path, parent.Mode()&(os.ModePerm|os.ModeSetgid)) // whatever the umask
}

// Write is [WriteFile] for streamed content: fill writes the content to a temporary file. If fill or the disk fails,
// Write removes that file and leaves path unchanged.
func Write(path string, mode os.FileMode, fill func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), TempPrefix+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if err = fill(f); err != nil {
		return err
	}
	if mode == Inherit {
		if mode, err = FileMode(filepath.Dir(path)); err != nil {
			return err
		}
	}
	if err = f.Chmod(mode); err != nil {
		return err
	}
	return Commit(f, path)
}

// TempPrefix begins the names of temporary files that are not committed yet.
const TempPrefix = ".new-"

// Commit syncs and closes the temporary file f, renames it to path and syncs the folder.
func Commit(f *os.File, path string) error {
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// RemoveTemps removes the temporary files that a crash left in dir. The caller must hold a lock that keeps other
// writers out of dir, since RemoveTemps removes their temporary files, too.
func RemoveTemps(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, TempPrefix+"*"))
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// Lock locks the file at path, and creates the file if necessary. The lock lasts until Close or the end of the process.
// Lock writes to the file which process has it. It does not wait: if the file is locked already, it fails with
// [ErrLocked], and its error describes the process that has the lock.
func Lock(path string) (io.Closer, error) {
	f, err := lock(path)
	switch {
	case errors.Is(err, ErrLocked):
		return nil, fmt.Errorf("locking %s: %w by %s", path, err, ReadHolder(path))
	case err != nil:
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return describe(f), nil
}

// LockSilently is like [Lock], but writes nothing to the file: it is for folders that a web server may publish.
func LockSilently(path string) (io.Closer, error) {
	f, err := lock(path)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return f, nil
}

// Times of [LockWithin]: the interval between two attempts, and the time after which it calls notify.
const (
	lockPoll    = 20 * time.Millisecond
	noticeAfter = time.Second
)

// LockWithin is like [Lock], but if another owner has the lock, it tries again for at most the time in the argument
// limit. After one second of waiting it calls notify, once, with the description of the owner; notify may be nil. It
// fails with [ErrLocked] after the limit, or with the error of ctx.
func LockWithin(ctx context.Context, path string, limit time.Duration, notify func(Holder)) (io.Closer, error) {
	for start := time.Now(); ; {
		lock, err := Lock(path)
		waited := time.Since(start)
		if !errors.Is(err, ErrLocked) || waited >= limit {
			return lock, err
		}
		if waited >= noticeAfter && notify != nil {
			notify(ReadHolder(path))
			notify = nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(lockPoll, limit-waited)):
		}
	}
}
