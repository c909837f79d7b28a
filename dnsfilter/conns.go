package dnsfilter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of connections over TCP, of all listeners together.
const (
	maxConns          = 1000
	maxConnsPerClient = 100 // a client is an IPv4 address, or an IPv6 network of 56 bits
)

// acceptPause is how long a listener waits when the system can't give it a connection.
const acceptPause = 10 * time.Millisecond

// connections are those that are open. When there is no room for another, the one that has been idle longest goes, of the
// client that has most: so whoever opens many pays for it first. If all of these wait for answers, the one that has asked nothing for
// longest goes, unless the newcomer's client has as many.
type connections struct {
	accepted, closed, refused atomic.Uint64 // taken in; closed to make room; not taken in

	mu   sync.Mutex
	n    int
	open map[netip.Prefix]map[*stream]struct{} // by client
}

// clientNetwork returns what counts as one client.
func clientNetwork(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	p, _ := a.Prefix(min(a.BitLen(), 56)) // it fails for no address, which then counts as one, too
	return p
}

// enter adds a connection; false means that there is no room.
func (cs *connections) enter(c *stream) bool {
	instead, ok := cs.add(c)
	if instead != nil {
		cs.closed.Add(1)
		_ = instead.conn.Close() // whatever its reader makes of it
	}
	if !ok {
		cs.refused.Add(1)
	}
	return ok
}

// add adds a connection if there is room, and returns the one that is to be closed for it.
func (cs *connections) add(c *stream) (instead *stream, ok bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if full, client := cs.full(c.from); full {
		if instead = cs.idlest(client, len(cs.open[client]) > len(cs.open[c.from])+1); instead == nil {
			return nil, false
		}
		cs.remove(instead)
	}
	if cs.open == nil {
		cs.open = make(map[netip.Prefix]map[*stream]struct{})
	}
	if cs.open[c.from] == nil {
		cs.open[c.from] = make(map[*stream]struct{})
	}
	cs.open[c.from][c] = struct{}{}
	cs.n++
	cs.accepted.Add(1)
	return instead, true
}

// full tells whether a connection has to go before another of a client can come, and whose.
func (cs *connections) full(from netip.Prefix) (full bool, whose netip.Prefix) {
	switch {
	case len(cs.open[from]) >= maxConnsPerClient:
		return true, from
	case cs.n < maxConns:
		return false, from
	}
	most := from
	for client, conns := range cs.open {
		if len(conns) > len(cs.open[most]) {
			most = client
		}
	}
	return true, most
}

// idlest returns the connection of a client on which nothing has been asked for the longest time. One that waits for an
// answer is not idle; it is returned only if there are no others, and busy ones may go.
func (cs *connections) idlest(from netip.Prefix, busy bool) *stream {
	var idle, waiting *stream
	for c := range cs.open[from] {
		of := &idle
		if c.busy() {
			of = &waiting
		}
		if *of == nil || c.asked.Load() < (*of).asked.Load() {
			*of = c
		}
	}
	if idle == nil && busy {
		return waiting
	}
	return idle
}

// leave takes a connection out.
func (cs *connections) leave(c *stream) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.remove(c)
}

func (cs *connections) remove(c *stream) {
	if _, ok := cs.open[c.from][c]; !ok {
		return
	}
	cs.n--
	if delete(cs.open[c.from], c); len(cs.open[c.from]) == 0 {
		delete(cs.open, c.from)
	}
}

// count returns how many connections are open.
func (cs *connections) count() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.n
}

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
	if !s.current.Load().policy.serves(c.client) || !s.conns.enter(c) {
		_ = conn.Close() // whoever it is, nothing was promised
		return
	}
	open.Go(func() {
		defer s.conns.leave(c)
		c.serve(ctx)
	})
}
