package dnsfilter

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Limits on connections, for all listeners together. Plain and encrypted connections have separate limits, since
// devices keep encrypted connections open. A QUIC connection takes four times the memory of a TLS connection, so a
// quarter as many are allowed. A client is an IPv4 address, or an IPv6 /56 network.
const (
	maxConns          = 1000
	maxEncrypted      = 24_000 // TLS and HTTPS over TCP
	maxQUIC           = 6000   // DNS over QUIC and HTTP/3
	maxConnsPerClient = 100
	minConnsPerClient = 10 // lower bound of the limit per client, which falls while the number of open connections grows
)

// connections limits the open connections of one kind. When the limit is reached, the client with the most connections
// loses one of them to a new connection, so a flood hurts its own client first. If several clients have equally many,
// the client that has sent no query for the longest time loses a connection.
type connections struct {
	max                       int           // maximum number of open connections; half of max may wait for the upstream
	accepted, closed, refused atomic.Uint64 // closed: to make room for others; refused: not admitted
	waiting                   atomic.Int64  // number of connections that wait for the upstream

	mu   sync.Mutex
	n    atomic.Int64                  // number of open connections; changed under mu, read without
	open map[uint64]map[*Conn]struct{} // open connections by client key
}

// admit adds a connection. If the limit is reached, it closes another one to make room. It returns false if the
// connection is refused.
func (cs *connections) admit(c *Conn) bool {
	victim, ok := cs.add(c)
	cs.close(victim)
	if !ok {
		cs.refused.Add(1)
	}
	return ok
}

// close closes a connection to make room for another one. It does nothing if c is nil.
func (cs *connections) close(c *Conn) {
	if c != nil {
		cs.closed.Add(1)
		_ = c.closer.Close() // its reader ends
	}
}

// add adds a connection. It returns the connection to close to make room, or nil if there is room. If there is no room
// and no connection may be closed, add returns false and adds nothing.
func (cs *connections) add(c *Conn) (victim *Conn, ok bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if owner, full := cs.full(c.from); full {
		if victim = cs.victim(owner, c.from); victim == nil {
			return nil, false
		}
		cs.removeLocked(victim)
	}
	if cs.open == nil {
		cs.open = make(map[uint64]map[*Conn]struct{})
	}
	if cs.open[c.from] == nil {
		cs.open[c.from] = make(map[*Conn]struct{})
	}
	cs.open[c.from][c] = struct{}{}
	cs.n.Add(1)
	cs.accepted.Add(1)
	return victim, true
}

// full reports whether a connection has to be closed before a client may open another one. It also returns the client
// that loses the connection. Both clients are given by their keys.
func (cs *connections) full(from uint64) (owner uint64, full bool) {
	free := cs.max - int(cs.n.Load())
	switch limit := min(max(free/5, minConnsPerClient), maxConnsPerClient); {
	case len(cs.open[from]) >= limit:
		return from, true
	case free > 0:
		return from, false
	}
	return cs.most(from, anyConn), true
}

// sampled is the number of clients that are compared to choose the one that loses a connection. They are chosen at
// random. To compare all clients would take milliseconds for each new connection of a flood.
const sampled = 200

// most returns the client with the most connections of a kind, in a random sample of clients. It returns the given
// client if no client of the sample has more connections of the kind. If several clients have the most, it returns the
// one with the connection whose last query is the oldest.
func (cs *connections) most(given uint64, kind func(*Conn) bool) uint64 {
	most, asked, looked := cs.have(given, kind), int64(math.MinInt64), 0
	for client := range cs.open { // it begins anywhere
		if looked++; looked > sampled {
			break
		}
		n := cs.have(client, kind)
		if n < most || n == 0 {
			continue
		}
		if last := cs.oldest(client, kind).asked.Load(); n > most || last < asked {
			given, most, asked = client, n, last
		}
	}
	return given
}

// have returns the number of connections of a kind that a client has.
func (cs *connections) have(client uint64, kind func(*Conn) bool) (n int) {
	for c := range cs.open[client] {
		if kind(c) {
			n++
		}
	}
	return n
}

// victim chooses a connection of the client owner, to be closed for a new connection of the client newcomer: the one
// that has been idle longest. If none is idle, it chooses the one that has waited for an answer longest, or returns nil
// if owner would then have fewer connections than newcomer.
func (cs *connections) victim(owner, newcomer uint64) *Conn {
	c := cs.oldest(owner, func(c *Conn) bool { return !c.isWaiting() })
	if c == nil && len(cs.open[owner]) > len(cs.open[newcomer])+1 {
		c = cs.oldest(owner, anyConn)
	}
	return c
}

// oldest returns the connection of a kind whose last query is the oldest, among those of a client.
func (cs *connections) oldest(client uint64, kind func(*Conn) bool) (oldest *Conn) {
	for c := range cs.open[client] {
		if kind(c) && (oldest == nil || c.asked.Load() < oldest.asked.Load()) {
			oldest = c
		}
	}
	return oldest
}

func anyConn(*Conn) bool { return true }

// admitWaiting admits one more connection that waits for the upstream. If the limit is reached, it chooses the client
// with the most waiting connections, and closes the waiting connection of that client whose last query is the oldest.
// If it would choose the client of c, it closes nothing and returns false.
func (cs *connections) admitWaiting(c *Conn) bool {
	if int(cs.waiting.Load()) < cs.max/2 {
		return true
	}
	victim, ok := cs.waitingVictim(c)
	cs.close(victim)
	return ok
}

func (cs *connections) waitingVictim(c *Conn) (victim *Conn, ok bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	owner := cs.most(c.from, (*Conn).isWaiting)
	if owner == c.from {
		return nil, false
	}
	victim = cs.oldest(owner, (*Conn).isWaiting)
	if victim != nil { // nil: it got its answer in the meantime
		cs.removeLocked(victim)
	}
	return victim, true
}

// isCrowded reports whether more than half of the allowed connections are open. If so, timeouts are shorter.
func (cs *connections) isCrowded() bool { return int(cs.n.Load()) > cs.max/2 }

// remove removes a connection that has ended.
func (cs *connections) remove(c *Conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.removeLocked(c)
}

func (cs *connections) removeLocked(c *Conn) {
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

// timeouts are the time limits for reading from a connection.
type timeouts struct {
	first   time.Duration // time limit for the first query
	idle    time.Duration // time limit between two queries
	message time.Duration // time limit for the rest of a query after its length field
}

// The timeouts when few and when many connections are open. Where there is room, clients may keep connections open for
// long (RFC 7766, section 6.2.3).
var (
	normalTimeouts  = timeouts{first: 10 * time.Second, idle: 30 * time.Second, message: 10 * time.Second} //nolint:gochecknoglobals // a constant
	crowdedTimeouts = timeouts{first: 2 * time.Second, idle: 8 * time.Second, message: 2 * time.Second}    //nolint:gochecknoglobals // a constant
)

// timeouts returns the read timeouts for the current number of connections.
func (cs *connections) timeouts() *timeouts {
	if cs.isCrowded() {
		return &crowdedTimeouts
	}
	return &normalTimeouts
}

// keepalive returns the value of edns-tcp-keepalive for answers (RFC 7828), in the form of query.keepalive. When many
// connections are open, the timeout is 0: clients then close the connection after their last answer.
func (cs *connections) keepalive() uint16 {
	if cs.isCrowded() {
		return 1
	}
	return uint16(normalTimeouts.idle/(100*time.Millisecond)) + 1
}
