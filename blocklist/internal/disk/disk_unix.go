//go:build unix

package disk

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// SyncDir makes changes of file names in a folder durable.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// heldLock is a locked file. Close unlocks it first: a process that is being started, anywhere in the program, has a
// copy of each descriptor for a moment, and a lock lasts until its last copy is closed.
type heldLock struct{ *os.File }

func (l heldLock) Close() error {
	return errors.Join(syscall.Flock(int(l.Fd()), syscall.LOCK_UN), l.File.Close())
}

// openLock opens a lock file, or makes it. Only the owner can read the file, and the group if it can change the folder:
// any process that can read the file could lock it.
func openLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, err
	}
	if folder, err := os.Stat(filepath.Dir(path)); err == nil && folder.Mode()&0o020 != 0 {
		return f, f.Chmod(0o660)
	}
	return f, nil
}

func lock(path string) (io.Closer, error) {
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		return heldLock{f}, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
	}
	return nil, errors.Join(err, f.Close())
}

// Map maps the first size bytes of f for reading. Never write to a mapped file: replace it.
func Map(f *os.File, size int) ([]byte, error) {
	return syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
}

// Unmap ends a mapping. Its bytes must not be read afterwards.
func Unmap(b []byte) error { return syscall.Munmap(b) }
