//go:build !unix && !windows

package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// SyncDir does nothing: browsers and WASI hosts have no call that syncs a folder.
func SyncDir(string) error { return nil }

// lockedFile is a locked file, which this system does not have.
type lockedFile struct{ *os.File }

// lock always fails: the system has no file locks, and two processes that write one store would damage it.
func lock(string) (*lockedFile, error) {
	return nil, fmt.Errorf("this system has no file locks: %w", errors.ErrUnsupported)
}

// Map reads the first size bytes of f into memory: the system has no mmap.
func Map(f *os.File, size int) ([]byte, error) {
	b := make([]byte, size)
	_, err := io.ReadFull(io.NewSectionReader(f, 0, int64(size)), b)
	return b, err
}

// Unmap does nothing: the garbage collector frees the memory.
func Unmap([]byte) error { return nil }
