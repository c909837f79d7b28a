package disk

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

// SyncDir does nothing: Windows has no call that syncs a folder, and the file system journals changes of file names.
func SyncDir(string) error { return nil }

// lockedFile is a file that no one else can open.
type lockedFile struct{ *os.File }

// lock opens the file without sharing, so a second open fails.
func lock(path string) (*lockedFile, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	const sharingViolation = syscall.Errno(32)
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS,
		syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, sharingViolation) {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, err
	}
	return &lockedFile{os.NewFile(uintptr(h), path)}, nil
}

// Map maps the first size bytes of f for reading. Never write to a mapped file: replace it.
func Map(f *os.File, size int) ([]byte, error) {
	h, err := syscall.CreateFileMapping(syscall.Handle(f.Fd()), nil, syscall.PAGE_READONLY, 0, 0, nil)
	if err != nil {
		return nil, err
	}
	defer syscall.CloseHandle(h) // the view keeps the mapping alive
	addr, err := syscall.MapViewOfFile(h, syscall.FILE_MAP_READ, 0, 0, uintptr(size))
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), size), nil
}

// Unmap ends a mapping. Its bytes must not be read afterwards.
func Unmap(b []byte) error { return syscall.UnmapViewOfFile(uintptr(unsafe.Pointer(&b[0]))) }
