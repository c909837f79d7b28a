//go:build !unix

package cache

import "sync/atomic"

// allocate returns zeroed words on the Go heap. On this system, release does nothing.
func allocate(words int) (memory []atomic.Uint64, release func()) {
	return make([]atomic.Uint64, words), func() {}
}
