// Package offheap allocates large blocks of memory without pointers. On systems with mmap they lie outside the Go heap:
// the garbage collector does not scan them, and they don't raise the heap size that triggers its next run.
package offheap

import "unsafe"

// Make returns memory for n zero values, and a function that releases it. T must contain no pointers. The system
// allocates each page when it is first written.
func Make[T any](n int) (memory []T, release func()) {
	var zero T
	b, release := mapped(n * int(unsafe.Sizeof(zero)))
	if b == nil {
		return make([]T, n), func() {}
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n), release
}
