package dnsfilter

import (
	"context"
	"fmt"
	"hash/maphash"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/batch"
	"github.com/argine-dns/argine/dnsfilter/internal/processors"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// maxQuery is the longest query that is taken, in bytes.
const maxQuery = batch.MaxDatagram

// Unusual queries that a socket works on at once; more are dropped. When it is crowded, the clients of one network may have no more
// than a share.
const (
	maxPlain     = 1024
	plainCrowded = maxPlain / 4 * 3
	plainShare   = maxPlain / 16
)

// core answers the queries of some UDP sockets. An ordinary one never leaves the goroutine that read it, which reads the replies to
// what it asks as well; if it can be answered at once nothing is allocated. Every unusual one has a goroutine of its own.
type core struct {
	server  *Server
	loop    *batch.Loop
	sockets []*socket
	query   query
	answers [batch.Size][udpSize + 64]byte
	course  *course
	session upstream.Session // of the course; nil if its upstream is not async
}

// socket is one UDP socket of a core.
type socket struct {
	*core

	conn    *batch.Socket
	out     *batch.Writer
	asked   bool              // the upstream, of which the session is yet to be flushed
	pending atomic.Int64      // queries that are answered late
	plain   atomic.Int64      // those on the plain path
	plainBy [256]atomic.Int32 // the same, by network; places are shared by chance

	mu    sync.Mutex // guards the late answers
	late  *batch.Writer
	lates [batch.Size]lateAnswer
	n     int // of them, not yet sent
}

// lateAnswer is an answer that had to be waited for.
type lateAnswer struct {
	peer batch.Peer
	buf  [udpSize + 64]byte
}

// cores shares sockets out among the processors. Sockets of one address come one after the other, so each has its part of them.
func cores(conns []*net.UDPConn) [][]*net.UDPConn {
	out := make([][]*net.UDPConn, min(processors.Count(), len(conns)))
	for i, conn := range conns {
		out[i%len(out)] = append(out[i%len(out)], conn)
	}
	return out
}

// serveUDP answers on sockets with one goroutine until ctx ends, and closes them. If others hold them as well, it leaves what comes
// then to them; else it goes on until nothing waits for the upstream, since nobody else would answer meanwhile.
func (s *Server) serveUDP(ctx context.Context, conns []*net.UDPConn, held *atomic.Bool) error {
	c := &core{server: s}
	c.query.counters = s.newCounters()
	c.loop = batch.NewLoop(c.flushLate)
	for _, conn := range conns {
		if err := c.open(conn); err != nil {
			c.close()
			for _, conn := range conns {
				_ = conn.Close() // those that were not opened
			}
			return fmt.Errorf("serving: %w", err)
		}
	}
	for _, u := range c.sockets {
		u.conn.Read(u.take)
	}
	<-ctx.Done()
	if !held.Load() {
		c.settle()
	}
	for _, u := range c.sockets {
		u.conn.Finish()
	}
	if held.Load() {
		c.settle()
	}
	c.close()
	return nil
}

func (c *core) open(conn *net.UDPConn) error {
	opened, err := c.loop.Open(conn)
	if err != nil {
		return err
	}
	c.sockets = append(c.sockets, &socket{core: c, conn: opened, out: opened.NewWriter(), late: opened.NewWriter()})
	return nil
}

// settle waits until nothing waits for the upstream, but for no longer than the grace.
func (c *core) settle() {
	for end := time.Now().Add(graceWithin); c.waiting() && time.Now().Before(end); {
		time.Sleep(settleEvery)
	}
}

// waiting reports whether a query is yet to be answered.
func (c *core) waiting() bool {
	return slices.ContainsFunc(c.sockets, func(u *socket) bool { return u.pending.Load() > 0 })
}

func (c *core) close() {
	for _, u := range c.sockets {
		u.conn.Close()
		<-u.conn.Closed()
	}
}

// steer follows the server's policy and upstream.
func (c *core) steer() {
	current := c.server.current.Load()
	if current == c.course {
		return
	}
	c.course, c.session = current, nil
	if a, ok := current.upstream.(AsyncUpstream); ok {
		c.session = a.NewSession(c.loop, c.flushLate)
	}
}

// flushLate sends the late answers of all sockets.
func (c *core) flushLate() {
	for _, u := range c.sockets {
		u.flushLate()
	}
}

// take answers what came. A datagram that the system can't deliver ends nothing.
func (u *socket) take(in *batch.Datagrams, err error) {
	if err == nil {
		u.answer(in)
	}
}

// answer answers a batch of datagrams. A fault costs the one in which it comes to light.
func (u *socket) answer(in *batch.Datagrams) {
	u.query.counters.queries.Add(uint64(in.Len()))
	u.steer()
	now := u.server.cache.now()
	for next := 0; next < in.Len(); {
		next = u.answerFrom(in, next, now)
	}
	u.out.Flush()
	if u.asked {
		u.asked = false
		u.session.Flush()
	}
}

// answerFrom answers the datagrams of a batch from one on, and returns where it has come to: behind the last one, or behind one
// that failed.
func (u *socket) answerFrom(in *batch.Datagrams, first int, now uint32) (next int) {
	defer u.server.survive()
	for next = first; next < in.Len(); {
		i := next
		next++
		u.answerOne(in.Packet(i), in.Peer(i), u.answers[i][:0], now)
	}
	return next
}

// answerOne answers a datagram, in the memory of dst, if that can be done at once.
func (u *socket) answerOne(packet []byte, peer *batch.Peer, dst []byte, now uint32) {
	client := peer.Addr()
	if len(packet) < headerSize || packet[2]&(flagQR>>8) != 0 || client.Port() == 0 {
		return
	}
	if !u.query.read(packet) || u.query.check() != dns.RcodeSuccess {
		u.leave(packet, *peer)
		return
	}
	if m, ok := u.server.admit(u.course, dst, &u.query, client.Addr(), false); !ok {
		u.add(m, peer)
		return
	}
	m, ask := u.server.local(u.course, dst, &u.query, now)
	u.add(m, peer)
	if ask && u.ask(peer, len(m) == 0) {
		u.asked = true
	}
}

// add puts an answer, if there is one, among those that are sent together.
func (u *socket) add(m []byte, peer *batch.Peer) {
	if len(m) == 0 {
		return
	}
	u.query.counters.answers.count(m)
	u.out.Add(m, peer)
}

// ask has the upstream asked. The client waits for the answer unless it has one already.
func (u *socket) ask(peer *batch.Peer, wait bool) (flush bool) {
	var w waiter
	if wait {
		w.socket, w.peer = u, *peer
		u.pending.Add(1)
	}
	at, ok := u.server.join(&u.query, w)
	if !ok && wait {
		u.pending.Add(-1)
	}
	return at != nil && at.begin(u.course, u.session)
}

// deliver collects a late answer.
func (u *socket) deliver(w *waiter, body []byte, err error) {
	defer u.pending.Add(-1)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.late.Full() {
		u.sendLate()
	}
	l := &u.lates[u.n%len(u.lates)]
	u.n++
	l.peer = w.peer
	if m := u.server.complete(l.buf[:0], &w.query, body, err); len(m) > 0 {
		u.query.counters.answers.count(m)
		u.late.Add(m, &l.peer)
	}
}

// flushLate sends the late answers.
func (u *socket) flushLate() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sendLate()
}

func (u *socket) sendLate() {
	u.late.Flush()
	u.n = 0
}

// leave hands a datagram to the plain path, unless very many are there.
func (u *socket) leave(packet []byte, peer batch.Peer) {
	by := &u.plainBy[maphash.Comparable(u.server.cache.seed, network(peer.Addr().Addr()))%uint64(len(u.plainBy))]
	if !u.enterPlain(by) {
		u.query.counters.dropped.Add(1)
		return
	}
	packet = append([]byte(nil), packet...)
	u.pending.Add(1)
	go func() {
		defer u.server.survive()
		defer u.pending.Add(-1)
		defer u.leavePlain(by)
		u.send(u.server.plain(packet, false, peer.Addr().Addr()), &peer)
	}()
}

// enterPlain counts a query on the plain path in; false means that there is no room for it.
func (u *socket) enterPlain(by *atomic.Int32) bool {
	all, of := u.plain.Add(1), by.Add(1)
	if all > maxPlain || all > plainCrowded && of > plainShare {
		u.leavePlain(by)
		return false
	}
	return true
}

func (u *socket) leavePlain(by *atomic.Int32) {
	u.plain.Add(-1)
	by.Add(-1)
}

// send sends an answer of the plain path, if there is one.
func (u *socket) send(m []byte, peer *batch.Peer) {
	if len(m) == 0 {
		return
	}
	u.query.counters.answers.count(m)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.late.Full() {
		u.sendLate()
	}
	u.late.Add(m, peer)
	u.sendLate()
}
