// Package arena gives out large pieces of memory that hold no pointers. Where the system can do so they lie outside of the
// heap, so that the garbage collector neither walks them nor lets the rest of the heap grow in proportion to them.
package arena

import "sync/atomic"

// Make returns memory of the given size, all zero, and a function that gives it back. The system backs it page by page when it is
// first written to.
func Make(words int) (memory []atomic.Uint64, release func()) {
	if memory, release = mapped(words); memory == nil {
		return make([]atomic.Uint64, words), func() {}
	}
	return memory, release
}
