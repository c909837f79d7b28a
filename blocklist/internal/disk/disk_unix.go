//go:build unix

package disk

import (
	"errors"
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

// lockedFile is a locked file. Close unlocks the file before closing it: a child process that is just being started may
// have a copy of the descriptor, and without unlocking, the lock would last until that copy is closed.
type lockedFile struct{ *os.File }

func (l *lockedFile) Close() error {
	return errors.Join(syscall.Flock(int(l.Fd()), syscall.LOCK_UN), l.File.Close())
}

// openLock opens a lock file, or creates it. Its owner can read it, and its group only if the group can write to the
// folder: a process that can read the file can also lock it.
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

func lock(path string) (*lockedFile, error) {
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		return &lockedFile{f}, nil
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
