package service

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/argine-dns/argine/dnsfilter"
)

const (
	lookEvery = 2 * time.Second // interval for polling the number of open connections
	manyConns = 1000            // growth of the number of connections after which memory is returned
)

// returnGarbage returns memory to the system each time the number of encrypted connections has grown by manyConns. TLS
// handshakes leave more garbage than the connections need, and idle connections allocate nothing, so the garbage
// collector would not run. It returns when ctx ends.
func returnGarbage(ctx context.Context, server *dnsfilter.Server) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var g growth
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			if g.ended(server.Stats().Encrypted.Open) {
				debug.FreeOSMemory()
			}
		}
	}
}

// growth detects that a polled number has grown by manyConns and has stopped growing.
type growth struct {
	last int // the number at the last poll
	base int // the number at the end of the last growth, or the lowest number since
}

// ended takes the next polled number. It reports whether the number has grown by manyConns since the base, and now
// grows by less than 2 %.
func (g *growth) ended(n int) bool {
	resting := n <= g.last+g.last/50
	g.last, g.base = n, min(g.base, n)
	if !resting || n < g.base+manyConns {
		return false
	}
	g.base = n
	return true
}
