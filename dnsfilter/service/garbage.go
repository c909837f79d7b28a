package service

import (
	"context"
	"runtime/debug"
	"time"
)

const (
	lookEvery = 2 * time.Second // at the number of open connections
	manyConns = 1000            // more than before, after which memory is returned
)

// returnGarbage returns memory to the system when many encrypted connections have come. Their handshakes leave more
// garbage than the connections need, and connections that are idle allocate nothing that would make it be collected.
func (s *Service) returnGarbage(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var g growth
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			if g.ended(s.server.Stats().Encrypted.Open) {
				debug.FreeOSMemory()
			}
		}
	}
}

// growth watches a number that is looked at from time to time.
type growth struct {
	last int // the number when it was looked at last
	base int // the number at the end of the growth before, or the lowest since
}

// ended reports whether the number has grown by manyConns, and has come to rest.
func (g *growth) ended(n int) bool {
	resting := n <= g.last+g.last/50
	g.last, g.base = n, min(g.base, n)
	if !resting || n < g.base+manyConns {
		return false
	}
	g.base = n
	return true
}
