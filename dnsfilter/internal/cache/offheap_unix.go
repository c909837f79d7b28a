//go:build unix

package cache

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// allocate returns words outside of the Go heap, all zero, and a function that gives them back: the garbage collector
// does not let the rest of the heap grow in proportion to the cache. The system backs them page by page when they are
// first written to.
func allocate(words int) (memory []atomic.Uint64, release func()) {
	b, err := syscall.Mmap(-1, 0, max(words, 1)*8, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return make([]atomic.Uint64, words), func() {}
	}
	return unsafe.Slice((*atomic.Uint64)(unsafe.Pointer(&b[0])), words), func() { _ = syscall.Munmap(b) }
}
