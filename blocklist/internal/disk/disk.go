// Package disk has the few durable steps that everything on disk is made of: write whole or not at all, lock, map.
package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrLocked is returned by Lock when somebody else holds the lock: another process, or another owner in this one.
var ErrLocked = errors.New("in use by another process, or opened twice by this one")

// WriteFile replaces path by data: readers and a crash at any point see the old content or the new.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	return Write(path, mode, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Write is WriteFile for content that is streamed. The file that fill writes to is removed if fill or the disk fails.
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

// TempPrefix begins the name of every file that is not committed yet.
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

// RemoveTemps removes what a crash left of unfinished writes in dir. Call it under the lock.
func RemoveTemps(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, TempPrefix+"*"))
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// Lock takes the lock file path, which is made if it is not there, until Close or the end of the process.
func Lock(path string) (io.Closer, error) {
	f, err := lock(path)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return f, nil
}
