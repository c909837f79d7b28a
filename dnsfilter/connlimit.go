package dnsfilter

import (
	"sync"
	"sync/atomic"
)

// Limits of connections over TCP, of all listeners together. A client is a household.
const (
	maxConns          = 1000
	maxWaitingConns   = maxConns / 2 // that wait for the upstream: the others are for what can be answered at once
	maxConnsPerClient = 100
	minConnsPerClient = 10 // however many others have
)

// connections are those that are open. When there is no room for another, one goes of the client that has most: so whoever opens many
// pays for it first.
type connections struct {
	accepted, closed, refused atomic.Uint64 // taken in; closed to make room; not taken in

	mu   sync.Mutex
	n    atomic.Int64                    // changed under mu
	open map[uint64]map[*stream]struct{} // by household
}

// enter adds a connection; false means that there is no room.
func (cs *connections) enter(c *stream) bool {
	instead, ok := cs.add(c)
	cs.giveUp(instead)
	if !ok {
		cs.refused.Add(1)
	}
	return ok
}

// giveUp closes a connection, if there is one, to make room.
func (cs *connections) giveUp(c *stream) {
	if c != nil {
		cs.closed.Add(1)
		_ = c.conn.Close() // whatever its reader makes of it
	}
}

// add adds a connection if there is room, and returns the one that is to be closed for it.
func (cs *connections) add(c *stream) (instead *stream, ok bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if whose, full := cs.full(c.from); full {
		if instead = cs.replaceable(whose, c.from); instead == nil {
			return nil, false
		}
		cs.remove(instead)
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
	return instead, true
}

// full reports whether a connection has to go before another of a client can come, and whose.
func (cs *connections) full(from uint64) (whose uint64, full bool) {
	free := maxConns - int(cs.n.Load())
	switch share := min(max(free/5, minConnsPerClient), maxConnsPerClient); {
	case len(cs.open[from]) >= share:
		return from, true
	case free > 0:
		return from, false
	}
	return cs.most(from, anyStream), true
}

// most returns the client that has most connections of a kind: the one given, if nobody has more.
func (cs *connections) most(than uint64, kind func(*stream) bool) uint64 {
	most := cs.have(than, kind)
	for client := range cs.open {
		if n := cs.have(client, kind); n > most {
			than, most = client, n
		}
	}
	return than
}

// have returns how many connections of a kind a client has.
func (cs *connections) have(client uint64, kind func(*stream) bool) (n int) {
	for c := range cs.open[client] {
		if kind(c) {
			n++
		}
	}
	return n
}

// replaceable returns the connection of a client that goes for one of a newcomer: the one that has been idle longest, or else, if
// the newcomer's client will still have fewer, the one whose answer has been waited for longest.
func (cs *connections) replaceable(whose, newcomer uint64) *stream {
	c := cs.oldest(whose, func(c *stream) bool { return !c.busy() })
	if c == nil && len(cs.open[whose]) > len(cs.open[newcomer])+1 {
		c = cs.oldest(whose, anyStream)
	}
	return c
}

// oldest returns the connection of a client, of a kind, on which nothing has been asked for the longest time.
func (cs *connections) oldest(whose uint64, kind func(*stream) bool) (oldest *stream) {
	for c := range cs.open[whose] {
		if kind(c) && (oldest == nil || c.asked.Load() < oldest.asked.Load()) {
			oldest = c
		}
	}
	return oldest
}

func anyStream(*stream) bool { return true }

// wait makes room for one more connection that is going to wait for the upstream: where too many do, the one of the client most of
// whose do that has waited longest is closed. False means that this would be the client itself.
func (cs *connections) wait(c *stream) bool {
	if cs.n.Load() <= maxWaitingConns {
		return true
	}
	instead, ok := cs.waitInstead(c)
	cs.giveUp(instead)
	return ok
}

func (cs *connections) waitInstead(c *stream) (instead *stream, ok bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	all := 0
	for client := range cs.open {
		all += cs.have(client, (*stream).busy)
	}
	if all < maxWaitingConns {
		return nil, true
	}
	whose := cs.most(c.from, (*stream).busy)
	if whose == c.from {
		return nil, false
	}
	instead = cs.oldest(whose, (*stream).busy)
	if instead != nil { // else it has its answer meanwhile
		cs.remove(instead)
	}
	return instead, true
}

// crowded reports whether so many are open that each is to be short.
func (cs *connections) crowded() bool { return cs.n.Load() > maxConns/2 }

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
	cs.n.Add(-1)
	if delete(cs.open[c.from], c); len(cs.open[c.from]) == 0 {
		delete(cs.open, c.from)
	}
}

// count returns how many connections are open.
func (cs *connections) count() int { return int(cs.n.Load()) }
