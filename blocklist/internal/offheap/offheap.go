// Package offheap gives out large pieces of memory that hold no pointers. Where the system has mmap they lie outside
// of the Go heap: the garbage collector neither walks them nor lets the rest of the heap grow in proportion to them.
package offheap

import "unsafe"

// Make returns memory for n values, all zero, and a function that gives it back. T must hold no pointers. The system
// backs the memory page by page when it is first written to.
func Make[T any](n int) (memory []T, release func()) {
	var zero T
	b, release := mapped(n * int(unsafe.Sizeof(zero)))
	if b == nil {
		return make([]T, n), func() {}
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n), release
}
