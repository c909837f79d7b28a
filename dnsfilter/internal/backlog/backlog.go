// Package backlog has a bounded buffer for records. Goroutines that must not wait add records, and another goroutine
// writes them to a file or a connection.
package backlog

import (
	"sync"
	"sync/atomic"
)

// Backlog is a bounded buffer of records. The zero value drops all records: use New.
type Backlog struct {
	max     int
	ready   chan struct{}
	dropped atomic.Uint64

	mu    sync.Mutex // guards the following fields
	next  []byte     // records that were added and not taken
	spare []byte     // the result of the last Take, whose memory is used again
}

// New creates a backlog for records of at most size bytes in total. It allocates memory as needed.
func New(size int) *Backlog { return &Backlog{max: size, ready: make(chan struct{}, 1)} }

// Add adds a copy of a record. If the backlog is full, it drops and counts the record instead of waiting.
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

// Ready returns a channel that receives a value after records were added.
func (b *Backlog) Ready() <-chan struct{} { return b.ready }

// Take removes all records from the backlog and returns them, concatenated. The result is valid until the next call.
// Only one goroutine may call Take.
func (b *Backlog) Take() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.next
	b.next, b.spare = b.spare[:0], taken
	return taken
}

// Drop counts records as dropped that were taken and could not be written.
func (b *Backlog) Drop(records int) { b.dropped.Add(uint64(records)) }

// Dropped returns the number of records that were dropped since the backlog was created.
func (b *Backlog) Dropped() uint64 { return b.dropped.Load() }
