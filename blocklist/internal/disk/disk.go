// Package disk provides durable file operations: atomic replacement, file locks and memory mapping.
package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrLocked is returned by Lock when another process, or another owner in this process, holds the lock.
var ErrLocked = errors.New("in use by another process, or opened twice by this one")

// WriteFile atomically replaces the content of path: readers, and a crash at any point, see either the old content or
// the new.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	return Write(path, mode, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Write is WriteFile for streamed content: fill writes it to a temporary file, which is removed if fill or the disk
// fails.
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
	if err = f.Chmod(mode); err != nil {
		return err
	}
	return Commit(f, path)
}

// TempPrefix is the name prefix of uncommitted temporary files.
const TempPrefix = ".new-"

// Commit syncs and closes f, renames it to path and syncs the folder.
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

// RemoveTemps removes the temporary files that a crash left in dir. The caller must hold the lock.
func RemoveTemps(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, TempPrefix+"*"))
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// Lock acquires the lock file path, creating it if necessary, until Close or the end of the process.
func Lock(path string) (io.Closer, error) {
	f, err := lock(path)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return f, nil
}
