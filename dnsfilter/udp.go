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
	maxSlowPath  = 1024                 // maximum number of slow-path queries of a socket; further ones are dropped
	answerBuffer = dnswire.UDPSize + 64 // size of the buffer for an answer, in bytes
	settleEvery  = 2 * time.Millisecond // interval of checks for pending queries during shutdown
)

// worker is the goroutine that serves some of the UDP sockets and reads the replies of the upstream. A query that can
// be answered at once allocates nothing. Each unusual query gets a goroutine of its own, on the slow path.
type worker struct {
	server  *Server
	loop    *batch.Loop
	sockets []*socket
	query   query
	tapped  tapped // the object to which query.tap points, if the server has taps
	answers [batch.Size][answerBuffer]byte
	current *snapshot
	session upstream.Session // session with the upstream of current; nil if it is no AsyncUpstream
}

// socket is one UDP socket of a worker.
type socket struct {
	*worker

	conn       *batch.Socket
	local      netip.AddrPort // address of the socket
	out        *batch.Writer
	asked      bool              // a query was sent to the upstream: its session has to be flushed
	answered   int               // number of answers to the current batch
	pending    atomic.Int64      // number of queries whose answer is still to be sent
	slowPath   atomic.Int64      // number of queries on the slow path
	slowPathBy [256]atomic.Int32 // number of queries on the slow path by client network (see fairness.go)

	mu   sync.Mutex // guards the late answers: the following fields
	late *batch.Writer
	bufs [batch.Size]lateAnswer
	n    int // number of late answers not sent yet
}

// lateAnswer is the answer to a query that had to wait for the upstream.
type lateAnswer struct {
	peer batch.Peer
	buf  [answerBuffer]byte
}

// socketsByWorker distributes sockets over workers, one worker per processor, in turn: the sockets of one address go to
// different workers.
func socketsByWorker(conns []*net.UDPConn) [][]*net.UDPConn {
	out := make([][]*net.UDPConn, min(processors.Count(), len(conns)))
	for i, conn := range conns {
		out[i%len(out)] = append(out[i%len(out)], conn)
	}
	return out
}

// serveUDP runs one worker on some sockets until ctx ends. Then the worker completes the pending queries. If no other
// process shares the sockets, it also answers the queries that arrive in the meantime. At last it closes the sockets.
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

// isPending reports whether any query waits for its answer.
func (w *worker) isPending() bool {
	return slices.ContainsFunc(w.sockets, func(u *socket) bool { return u.pending.Load() > 0 })
}

func (w *worker) close() {
	for _, u := range w.sockets {
		u.conn.Close()
		<-u.conn.Closed()
	}
}

// reload switches the worker to the server's current configuration, if that has changed. If its upstream is an
// [AsyncUpstream], reload opens a session with it.
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

// onDatagrams answers a batch of datagrams. It does nothing if err is not nil; err is a delivery error of the system. A
// panic loses only the query that caused it.
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

// answerFrom answers the datagrams of a batch, beginning with the one at index first. It returns the index of the next
// datagram: the length of the batch or, after a panic, the index after the datagram that caused it.
func (u *socket) answerFrom(in *batch.Datagrams, first int, now uint32) (next int) {
	defer u.server.recoverPanic()
	for next = first; next < in.Len(); {
		i := next
		next++
		u.answerPacket(in.Packet(i), in.Peer(i), u.answers[i][:0], now)
	}
	return next
}

// answerPacket answers a datagram. If that is possible without waiting, it writes the answer to the memory of dst.
// Otherwise it asks the upstream, or starts the slow path.
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

// message returns the transport and addresses of a query, as the taps need them. The argument from is the sender of the
// datagram, which may be a proxy of the client.
func (u *socket) message(from netip.AddrPort, client netip.Addr) ClientMessage {
	m := ClientMessage{Client: netip.AddrPortFrom(client.Unmap(), from.Port()), Server: u.local, Asked: time.Now()}
	if from.Addr() != client { // the port is that of a proxy
		m.Client = netip.AddrPortFrom(client.Unmap(), 0)
	}
	return m
}

// unwrap returns the client and the query of a datagram. In a datagram from a proxy, the PROXY header names the client,
// and the query follows the header. If the header is missing or malformed, the query is nil.
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

// add adds an answer to the batch of answers. It does nothing if m is empty.
func (u *socket) add(m []byte, peer *batch.Peer) {
	u.query.tap.answer(u.query.question, m)
	if len(m) == 0 {
		return
	}
	u.query.counters.answers.count(m)
	u.answered++
	u.out.Add(m, peer)
}

// ask sends the current query to the upstream. If wait is true, the client waits for the reply; otherwise it already
// has an answer. The result reports whether the session has to be flushed.
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

// answerLate returns the answer for a waiting client, and adds it to the batch of late answers.
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

// flushLate sends the late answers of this socket.
func (u *socket) flushLate() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sendLate()
}

func (u *socket) sendLate() {
	u.late.Flush()
	u.n = 0
}

// answerSlowly answers a datagram on the slow path, in a new goroutine. If the slow path is full, it drops the
// datagram.
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

// enterSlowPath counts a query on the slow path. The argument by is the counter of the client's network. If the slow
// path is full, in all or for this network, the query is not counted, and the result is false.
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
