package dnsfilter

import (
	"context"
	"fmt"
	"hash/maphash"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/batch"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
	"github.com/argine-dns/argine/dnsfilter/internal/processors"
	"github.com/argine-dns/argine/dnsfilter/internal/proxyheader"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

const (
	maxQuery     = batch.MaxDatagram    // maximum size of a query, in bytes
	maxSlowPath  = 1024                 // concurrent slow-path queries of a socket; others are dropped
	answerBuffer = dnswire.UDPSize + 64 // bytes
	settleEvery  = 2 * time.Millisecond // interval of checks for pending queries during shutdown
)

// worker is the goroutine that serves some UDP sockets and reads the replies of the upstream. A query that can be
// answered at once allocates nothing. Each unusual query gets a goroutine of its own, on the slow path.
type worker struct {
	server  *Server
	loop    *batch.Loop
	sockets []*socket
	query   query
	tapped  tapped // of the query
	answers [batch.Size][answerBuffer]byte
	current *snapshot
	session upstream.Session // session of the snapshot's upstream; nil if the upstream is not async
}

// socket is one UDP socket of a worker.
type socket struct {
	*worker

	conn       *batch.Socket
	local      netip.AddrPort // its address
	out        *batch.Writer
	asked      bool              // the upstream was asked; its session has to be flushed
	answered   int               // answers to the current batch
	pending    atomic.Int64      // queries that wait for their answer
	slowPath   atomic.Int64      // queries on the slow path
	slowPathBy [256]atomic.Int32 // slow-path queries by network (see fairness.go)

	mu   sync.Mutex // guards the following fields, the late answers
	late *batch.Writer
	bufs [batch.Size]lateAnswer
	n    int // late answers not yet sent
}

// lateAnswer is the answer to a query that had to wait for the upstream.
type lateAnswer struct {
	peer batch.Peer
	buf  [answerBuffer]byte
}

// socketsByWorker distributes sockets over workers, one worker per processor. It deals them out in turn, so that the
// sockets of one address go to different workers.
func socketsByWorker(conns []*net.UDPConn) [][]*net.UDPConn {
	out := make([][]*net.UDPConn, min(processors.Count(), len(conns)))
	for i, conn := range conns {
		out[i%len(out)] = append(out[i%len(out)], conn)
	}
	return out
}

// serveUDP runs one worker on sockets until ctx ends. If another process shares the sockets, that process answers the
// later queries. Otherwise the worker continues until no query is pending. Then it closes the sockets.
func (s *Server) serveUDP(ctx context.Context, conns []*net.UDPConn, l *Listeners) error {
	w := &worker{server: s}
	w.query.counters = s.newCounters()
	w.loop = batch.NewLoop(w.flushLate)
	for _, conn := range conns {
		if err := w.open(conn); err != nil {
			w.close()
			for _, conn := range conns {
				_ = conn.Close() // the sockets that the loop does not have
			}
			return fmt.Errorf("serving: %w", err)
		}
	}
	for _, u := range w.sockets {
		u.conn.Read(u.onDatagrams)
	}
	<-ctx.Done()
	if !l.Shared() {
		w.settle()
	}
	for _, u := range w.sockets {
		u.conn.Finish()
	}
	if l.Shared() {
		w.settle()
	}
	w.close()
	return nil
}

func (w *worker) open(conn *net.UDPConn) error {
	opened, err := w.loop.Open(conn)
	if err != nil {
		return err
	}
	w.sockets = append(w.sockets, &socket{
		worker: w, conn: opened, local: addrPort(conn.LocalAddr()),
		out: opened.NewWriter(), late: opened.NewWriter(),
	})
	return nil
}

// settle waits until no query is pending, at most for the grace period.
func (w *worker) settle() {
	for end := time.Now().Add(GracePeriod); w.isPending() && time.Now().Before(end); {
		time.Sleep(settleEvery)
	}
}

// isPending reports whether any query has no answer yet.
func (w *worker) isPending() bool {
	return slices.ContainsFunc(w.sockets, func(u *socket) bool { return u.pending.Load() > 0 })
}

func (w *worker) close() {
	for _, u := range w.sockets {
		u.conn.Close()
		<-u.conn.Closed()
	}
}

// reload switches to the current configuration of the server.
func (w *worker) reload() {
	current := w.server.current.Load()
	if current == w.current {
		return
	}
	w.current, w.session, w.query.tap = current, nil, nil
	if a, ok := current.general.upstream.(AsyncUpstream); ok {
		w.session = a.NewSession(w.loop, w.flushLate)
	}
}

// flushLate sends the late answers of all sockets.
func (w *worker) flushLate() {
	for _, u := range w.sockets {
		u.flushLate()
	}
}

// onDatagrams answers a batch of datagrams. A delivery error from the system is ignored. A panic loses only the query
// that caused it.
func (u *socket) onDatagrams(in *batch.Datagrams, err error) {
	if err != nil {
		return
	}
	begun := time.Now()
	u.query.counters.queries.Add(uint64(in.Len()))
	u.reload()
	now := u.server.cache.Now()
	for next := 0; next < in.Len(); {
		next = u.answerFrom(in, next, now)
	}
	u.out.Flush()
	if u.answered > 0 {
		u.query.counters.took.Observe(time.Since(begun), u.answered)
		u.answered = 0
	}
	if u.asked {
		u.asked = false
		u.session.Flush()
	}
}

// answerFrom answers the datagrams of a batch, from index first on. It returns the index to continue at: the end of the
// batch, or the one after a datagram that caused a panic.
func (u *socket) answerFrom(in *batch.Datagrams, first int, now uint32) (next int) {
	defer u.server.recoverPanic()
	for next = first; next < in.Len(); {
		i := next
		next++
		u.answerPacket(in.Packet(i), in.Peer(i), u.answers[i][:0], now)
	}
	return next
}

// answerPacket answers a datagram in the memory of dst, if that needs no waiting.
func (u *socket) answerPacket(packet []byte, peer *batch.Peer, dst []byte, now uint32) {
	at := peer.Addr()
	client := at.Addr()
	if len(u.current.proxies) > 0 {
		client, packet = u.server.unwrap(u.current, client, packet)
	}
	if len(packet) < dnswire.HeaderSize || dnswire.IsResponse(packet) || at.Port() == 0 {
		return
	}
	if !u.query.parsePacket(packet) || u.query.check() != dns.RcodeSuccess {
		u.answerSlowly(packet, *peer, client)
		return
	}
	if taps := u.current.taps; len(taps) > 0 {
		u.query.tap = &u.tapped
		u.tapped.asked(u.message(at, client), taps, packet)
	}
	if m, ok := u.server.admit(u.current, dst, &u.query, client, false); !ok {
		u.add(m, peer)
		return
	}
	m, ask := u.server.answerNow(u.current, dst, &u.query, now)
	u.add(m, peer)
	if ask && u.ask(peer, len(m) == 0) {
		u.asked = true
	}
}

// message returns what taps are told of a query, from the address of its sender and from its client.
func (u *socket) message(from netip.AddrPort, client netip.Addr) ClientMessage {
	m := ClientMessage{Client: netip.AddrPortFrom(client.Unmap(), from.Port()), Server: u.local, Asked: time.Now()}
	if from.Addr() != client { // the port is that of a proxy
		m.Client = netip.AddrPortFrom(client.Unmap(), 0)
	}
	return m
}

// unwrap returns the client and the query of a datagram. A datagram from a proxy has a PROXY header. If the header is
// missing or malformed, the query is nil.
func (s *Server) unwrap(c *snapshot, from netip.Addr, datagram []byte) (client netip.Addr, query []byte) {
	if !isWithin(c.proxies, plainAddr(from)) {
		return from, datagram
	}
	client, query, err := proxyheader.Parse(datagram)
	switch {
	case err != nil:
		s.badHeaders.Add(1)
		return from, nil
	case !client.IsValid(): // the proxy itself asks
		client = from
	}
	return client, query
}

// add adds an answer to the batch to be sent. It does nothing if m is empty.
func (u *socket) add(m []byte, peer *batch.Peer) {
	u.query.tap.answer(u.query.question, m)
	if len(m) == 0 {
		return
	}
	u.query.counters.answers.count(m)
	u.answered++
	u.out.Add(m, peer)
}

// ask sends the query to the upstream. If wait is true, the client is added as a waiter; otherwise it has its answer
// already. It reports whether the session has to be flushed.
func (u *socket) ask(peer *batch.Peer, wait bool) (flush bool) {
	var w waiter
	if wait {
		w.socket, w.peer = u, *peer
		u.pending.Add(1)
		if u.query.tap != nil {
			kept := u.tapped
			u.query.tap = &kept
		}
	}
	f, ok := u.server.attach(&u.query, w)
	if !ok && wait {
		u.pending.Add(-1)
	}
	return f != nil && f.send(u.current, u.session)
}

// answerLate adds the answer for a waiting client to the batch of late answers, and returns it.
func (u *socket) answerLate(w *waiter, reply []byte, err error) []byte {
	defer u.pending.Add(-1)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.late.Full() {
		u.sendLate()
	}
	l := &u.bufs[u.n%len(u.bufs)]
	u.n++
	l.peer = w.peer
	m := u.server.answerFrom(l.buf[:0], &w.query, reply, err)
	if len(m) > 0 {
		u.query.counters.answers.count(m)
		u.late.Add(m, &l.peer)
	}
	return m
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

// answerSlowly answers a datagram on the slow path. It drops the datagram if there is no room.
func (u *socket) answerSlowly(packet []byte, peer batch.Peer, client netip.Addr) {
	by := &u.slowPathBy[maphash.Comparable(u.server.seed, networkKey(client))%uint64(len(u.slowPathBy))]
	if !u.enterSlowPath(by) {
		u.query.counters.dropped.Add(1)
		return
	}
	packet = append([]byte(nil), packet...)
	from := u.message(peer.Addr(), client)
	u.pending.Add(1)
	go func() {
		defer u.server.recoverPanic()
		defer u.pending.Add(-1)
		defer u.leaveSlowPath(by)
		send := func(m []byte) error { u.send(m, &peer); return nil }
		if !u.server.transfer(packet, client, false, send) {
			u.send(u.server.slowPath(packet, from), &peer)
		}
	}()
}

// enterSlowPath counts a query onto the slow path. It returns false if there is no room.
func (u *socket) enterSlowPath(by *atomic.Int32) bool {
	occupied, byNetwork := u.slowPath.Add(1)-1, by.Add(1)-1
	if !hasRoom(int(occupied), maxSlowPath, int(byNetwork)) {
		u.leaveSlowPath(by)
		return false
	}
	return true
}

func (u *socket) leaveSlowPath(by *atomic.Int32) {
	u.slowPath.Add(-1)
	by.Add(-1)
}

// send sends an answer of the slow path. It does nothing if m is empty.
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
