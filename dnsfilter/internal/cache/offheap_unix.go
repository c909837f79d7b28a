//go:build unix

package cache

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// allocate returns zeroed words outside the Go heap, and a function that releases them. If the cache were on the heap,
// the garbage collector would let the rest of the heap grow in proportion to it. The system provides memory page by
// page, on the first write.
func allocate(words int) (memory []atomic.Uint64, release func()) {
	b, err := syscall.Mmap(-1, 0, max(words, 1)*8, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return make([]atomic.Uint64, words), func() {}
	}
	return unsafe.Slice((*atomic.Uint64)(unsafe.Pointer(&b[0])), words), func() { _ = syscall.Munmap(b) }
}
