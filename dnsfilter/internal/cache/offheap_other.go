//go:build !unix

package cache

import "sync/atomic"

// allocate returns words on the heap. There is no release function on this system.
func allocate(words int) (memory []atomic.Uint64, release func()) {
	return make([]atomic.Uint64, words), func() {}
}
