// Package backlog has a bounded buffer between goroutines that must not wait and one that writes to a file or a
// connection.
package backlog

import (
	"sync"
	"sync/atomic"
)

// Backlog is a bounded sequence of records. The zero value has no room.
type Backlog struct {
	max     int
	ready   chan struct{}
	dropped atomic.Uint64

	mu    sync.Mutex // guards the following fields
	next  []byte     // records that were added
	spare []byte     // buffer of the records that were taken last
}

// New creates a backlog of size bytes, which are allocated as needed.
func New(size int) *Backlog { return &Backlog{max: size, ready: make(chan struct{}, 1)} }

// Add adds a copy of a record, or drops it if there is no room. It does not wait.
func (b *Backlog) Add(record []byte) {
	b.mu.Lock()
	if len(b.next)+len(record) > b.max {
		b.mu.Unlock()
		b.dropped.Add(1)
		return
	}
	b.next = append(b.next, record...)
	b.mu.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// Ready returns a channel that has a value after records were added.
func (b *Backlog) Ready() <-chan struct{} { return b.ready }

// Take removes the records and returns them, joined. The next call overwrites the result. Only one goroutine may call
// it.
func (b *Backlog) Take() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.next
	b.next, b.spare = b.spare[:0], taken
	return taken
}

// Drop counts records that were taken and could not be written.
func (b *Backlog) Drop(records int) { b.dropped.Add(uint64(records)) }

// Dropped returns how many records were dropped.
func (b *Backlog) Dropped() uint64 { return b.dropped.Load() }
