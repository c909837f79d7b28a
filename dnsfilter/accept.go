package dnsfilter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// acceptPause is how long a listener waits when the system can't give it a connection.
const acceptPause = 10 * time.Millisecond

// serveTCP answers on the connections of a listener until ctx ends, and closes it.
func (s *Server) serveTCP(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // closed twice is closed
	defer stop()
	defer l.Close() //nolint:errcheck // as above
	var open sync.WaitGroup
	defer waitAtMost(&open, graceWithin+endWithin)
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			s.serveConn(ctx, conn, &open)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("serving: %w", err)
		default:
			time.Sleep(acceptPause) // a connection that came to nothing, or no more files: that passes
		}
	}
}

// waitAtMost waits for goroutines, but no longer than so long.
func waitAtMost(g *sync.WaitGroup, most time.Duration) {
	done := make(chan struct{})
	go func() { g.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(most):
	}
}

// serveConn answers on a connection, in a goroutine of its own, if its client is served and there is room for it.
func (s *Server) serveConn(ctx context.Context, conn net.Conn, open *sync.WaitGroup) {
	c := newStream(s, conn)
	if !s.current.Load().policy.Serves(c.client) || !s.conns.enter(c) {
		_ = conn.Close() // whoever it is, nothing was promised
		return
	}
	open.Go(func() {
		defer s.conns.leave(c)
		c.serve(ctx)
	})
}
