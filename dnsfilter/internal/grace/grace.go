// Package grace waits for goroutines that are ending.
package grace

import (
	"sync"
	"time"
)

// Wait waits for a wait group, but no longer than the argument limit says.
func Wait(g *sync.WaitGroup, limit time.Duration) {
	done := make(chan struct{})
	go func() { g.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(limit):
	}
}
