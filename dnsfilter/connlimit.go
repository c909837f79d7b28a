package dnsfilter

import (
	"sync"
	"sync/atomic"
)

// Limits on TCP connections, for all listeners together. A client is an IPv4 address, or an IPv6 /56 network.
const (
	maxConns          = 1000
	maxWaitingConns   = maxConns / 2 // connections that wait for the upstream; the rest is for cached answers
	maxConnsPerClient = 100
	minConnsPerClient = 10 // when few connections are free
)

// connections limits the open TCP connections. When the limit is reached, a new connection replaces one of the client
// with the most connections, so a flood hurts its own client first.
type connections struct {
	accepted, closed, refused atomic.Uint64 // closed: to make room; refused: no room

	mu   sync.Mutex
	n    atomic.Int64                    // changed under mu
	open map[uint64]map[*stream]struct{} // by client
}

// admit adds a connection. It returns false if there is no room.
func (cs *connections) admit(c *stream) bool {
	victim, ok := cs.add(c)
	cs.close(victim)
	if !ok {
		cs.refused.Add(1)
	}
	return ok
}

// close closes a connection to make room. It does nothing if c is nil.
func (cs *connections) close(c *stream) {
	if c != nil {
		cs.closed.Add(1)
		_ = c.conn.Close() // its reader ends
	}
}

// add adds a connection if there is room. It also returns the connection to close in exchange, if any.
func (cs *connections) add(c *stream) (victim *stream, ok bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if whose, full := cs.full(c.from); full {
		if victim = cs.victim(whose, c.from); victim == nil {
			return nil, false
		}
		cs.removeLocked(victim)
	}
	if cs.open == nil {
		cs.open = make(map[uint64]map[*stream]struct{})
	}
	if cs.open[c.from] == nil {
		cs.open[c.from] = make(map[*stream]struct{})
	}
	cs.open[c.from][c] = struct{}{}
	cs.n.Add(1)
	cs.accepted.Add(1)
	return victim, true
}

// full reports whether a client needs a connection closed before it may open another one. It also returns the client
// that loses a connection.
func (cs *connections) full(from uint64) (whose uint64, full bool) {
	free := maxConns - int(cs.n.Load())
	switch limit := min(max(free/5, minConnsPerClient), maxConnsPerClient); {
	case len(cs.open[from]) >= limit:
		return from, true
	case free > 0:
		return from, false
	}
	return cs.most(from, anyStream), true
}

// most returns the client with the most connections of a kind. If none has more than the given client, it returns the
// given one.
func (cs *connections) most(than uint64, kind func(*stream) bool) uint64 {
	most := cs.have(than, kind)
	for client := range cs.open {
		if n := cs.have(client, kind); n > most {
			than, most = client, n
		}
	}
	return than
}

// have returns the number of connections of a kind that a client has.
func (cs *connections) have(client uint64, kind func(*stream) bool) (n int) {
	for c := range cs.open[client] {
		if kind(c) {
			n++
		}
	}
	return n
}

// victim returns the connection of a client that is closed for a newcomer. It prefers the connection that has been idle
// longest. If none is idle and the newcomer will still have fewer connections, it returns the one that has waited for
// an answer longest.
func (cs *connections) victim(whose, newcomer uint64) *stream {
	c := cs.oldest(whose, func(c *stream) bool { return !c.isWaiting() })
	if c == nil && len(cs.open[whose]) > len(cs.open[newcomer])+1 {
		c = cs.oldest(whose, anyStream)
	}
	return c
}

// oldest returns the client's connection of a kind with the oldest last query.
func (cs *connections) oldest(whose uint64, kind func(*stream) bool) (oldest *stream) {
	for c := range cs.open[whose] {
		if kind(c) && (oldest == nil || c.asked.Load() < oldest.asked.Load()) {
			oldest = c
		}
	}
	return oldest
}

func anyStream(*stream) bool { return true }

// admitWaiting makes room for one more connection that waits for the upstream. If the limit is reached, it takes the
// client with the most waiting connections and closes the one that has waited longest. It returns false if that client
// is the caller's own.
func (cs *connections) admitWaiting(c *stream) bool {
	if cs.n.Load() <= maxWaitingConns {
		return true
	}
	victim, ok := cs.waitingVictim(c)
	cs.close(victim)
	return ok
}

func (cs *connections) waitingVictim(c *stream) (victim *stream, ok bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	all := 0
	for client := range cs.open {
		all += cs.have(client, (*stream).isWaiting)
	}
	if all < maxWaitingConns {
		return nil, true
	}
	whose := cs.most(c.from, (*stream).isWaiting)
	if whose == c.from {
		return nil, false
	}
	victim = cs.oldest(whose, (*stream).isWaiting)
	if victim != nil { // nil: it got its answer in the meantime
		cs.removeLocked(victim)
	}
	return victim, true
}

// isCrowded reports whether more than half of the allowed connections are open. Then timeouts are shorter.
func (cs *connections) isCrowded() bool { return cs.n.Load() > maxConns/2 }

// remove removes a connection that has ended.
func (cs *connections) remove(c *stream) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.removeLocked(c)
}

func (cs *connections) removeLocked(c *stream) {
	if _, ok := cs.open[c.from][c]; !ok {
		return
	}
	cs.n.Add(-1)
	if delete(cs.open[c.from], c); len(cs.open[c.from]) == 0 {
		delete(cs.open, c.from)
	}
}

// count returns the number of open connections.
func (cs *connections) count() int { return int(cs.n.Load()) }
