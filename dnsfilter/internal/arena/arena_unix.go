//go:build unix

package arena

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

func mapped(words int) ([]atomic.Uint64, func()) {
	if words == 0 {
		return nil, nil
	}
	b, err := syscall.Mmap(-1, 0, 8*words, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, nil
	}
	release := func() { _ = syscall.Munmap(b) }
	return unsafe.Slice((*atomic.Uint64)(unsafe.Pointer(&b[0])), words), release
}
