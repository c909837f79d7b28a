package dnsfilter

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

const (
	writeTimeout = 2 * time.Second       // time limit for writing an answer
	maxPipelined = 100                   // pending queries of a connection; at the limit, no more are read
	acceptPause  = 10 * time.Millisecond // pause after a failed accept
	endTimeout   = 50 * time.Millisecond // idle time after which a connection is closed during shutdown
)

// serveTCP answers on the connections of a listener until ctx ends. Then it closes the listener.
func (s *Server) serveTCP(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // a second Close does no harm
	defer stop()
	defer l.Close() //nolint:errcheck // as above
	var open sync.WaitGroup
	defer waitAtMost(&open, gracePeriod+endTimeout)
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
			time.Sleep(acceptPause) // a connection was reset, or file descriptors ran out: both are temporary
		}
	}
}

// waitAtMost waits for a wait group, with a time limit.
func waitAtMost(g *sync.WaitGroup, most time.Duration) {
	done := make(chan struct{})
	go func() { g.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(most):
	}
}

// serveConn starts a goroutine for a connection if its client is served and there is room. Otherwise it closes the
// connection.
func (s *Server) serveConn(ctx context.Context, conn net.Conn, open *sync.WaitGroup) {
	c := newStream(s, conn)
	if !serves(s.current.Load().clients, c.client) || !s.conns.admit(c) {
		_ = conn.Close() // without an answer
		return
	}
	open.Go(func() {
		defer s.conns.remove(c)
		c.serve(ctx)
	})
}

// stream is one TCP connection. The reading goroutine answers queries that need no waiting. Each query that has to wait
// gets a goroutine of its own, so that answers are sent as they become ready, in any order (RFC 7766, section 7). A
// client that does not read its answers delays only itself.
type stream struct {
	server *Server
	conn   net.Conn
	client netip.Addr
	from   uint64 // client key
	in     *bufio.Reader
	query  query
	buf    []byte        // buffer for answers
	slots  chan struct{} // semaphore: one slot per waiting query
	late   sync.WaitGroup
	asked  atomic.Int64 // time of the last query, in nanoseconds

	mu  sync.Mutex // guards the following fields
	out *bufio.Writer
}

func newStream(s *Server, conn net.Conn) *stream {
	c := &stream{server: s, conn: conn, client: clientAddr(conn.RemoteAddr()), slots: make(chan struct{}, maxPipelined)}
	c.from = clientKey(c.client)
	c.in, c.out = bufio.NewReaderSize(conn, maxQuery+2), bufio.NewWriter(conn)
	c.query.counters = &s.shared
	c.asked.Store(time.Now().UnixNano())
	return c
}

// timeouts are the time limits for reading from a connection.
type timeouts struct {
	first   time.Duration // for the first query
	idle    time.Duration // between two queries
	message time.Duration // for the rest of a query after its length field
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

// keepalive returns the value of edns-tcp-keepalive for answers (RFC 7828), as in query. When many connections are
// open, the timeout is 0: clients then close the connection after their last answer.
func (cs *connections) keepalive() uint16 {
	if cs.isCrowded() {
		return 1
	}
	return uint16(normalTimeouts.idle/(100*time.Millisecond)) + 1
}

// isWaiting reports whether any query of the connection waits for its answer.
func (c *stream) isWaiting() bool { return len(c.slots) > 0 }

// serve answers queries until the client closes the connection or an idle timeout expires. When ctx ends, the idle
// timeout becomes endTimeout. Pending queries are still answered within the grace period.
func (c *stream) serve(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		_ = c.conn.SetReadDeadline(time.Now().Add(endTimeout)) // it fails on closed connections only
		time.AfterFunc(gracePeriod, func() { _ = c.conn.Close() })
	})
	defer stop()
	for wait := c.server.conns.timeouts().first; ; wait = c.server.conns.timeouts().idle {
		packet, err := c.read(ctx, wait)
		if err != nil {
			break
		}
		c.answerPacket(packet)
	}
	c.flush()
	c.late.Wait()
	_ = c.conn.Close() // it may be closed already; the error does not matter
}

// read returns the next message. The next call overwrites it. Of a message longer than maxQuery it returns the header
// only. Before it waits, it sends the collected answers.
func (c *stream) read(ctx context.Context, wait time.Duration) ([]byte, error) {
	prefix, err := c.peek(ctx, 2, wait)
	if err != nil {
		return nil, err
	}
	length := dnswire.Uint16(prefix, 0)
	within := c.server.conns.timeouts().message
	packet, err := c.peek(ctx, 2+min(length, maxQuery), within)
	if err != nil {
		return nil, err
	}
	if packet = packet[2:]; length > maxQuery {
		packet = append([]byte(nil), packet[:dnswire.HeaderSize]...)
		err = c.conn.SetReadDeadline(time.Now().Add(within))
	}
	_, errDiscard := c.in.Discard(2 + length)
	return packet, errors.Join(err, errDiscard)
}

// peek waits until n bytes can be read, and returns them without consuming them.
func (c *stream) peek(ctx context.Context, n int, wait time.Duration) ([]byte, error) {
	if c.in.Buffered() >= n {
		return c.in.Peek(n)
	}
	c.flush()
	if err := c.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	if ctx.Err() != nil { // if ctx ends later, the shutdown code overrides this deadline
		if err := c.conn.SetReadDeadline(time.Now().Add(endTimeout)); err != nil {
			return nil, err
		}
	}
	return c.in.Peek(n)
}

// answerPacket answers one message, at once or later in a goroutine.
func (c *stream) answerPacket(packet []byte) {
	s, q := c.server, &c.query
	defer s.recoverPanic()
	s.shared.queries.Add(1)
	c.asked.Store(time.Now().UnixNano())
	if len(packet) < dnswire.HeaderSize || dnswire.IsResponse(packet) {
		return
	}
	if !q.parsePacket(packet) || q.check() != dns.RcodeSuccess {
		packet = append([]byte(nil), packet...)
		c.later(func() []byte { return s.slowPath(packet, true, c.client) })
		return
	}
	q.size, q.keepalive = dns.MaxMsgSize, 0
	if dnswire.HasOption(q.options, dns.EDNS0TCPKEEPALIVE) {
		q.keepalive = s.conns.keepalive()
	}
	current := s.current.Load()
	m, wait := c.answerNow(current)
	if wait {
		waiting := &query{}
		q.copyTo(waiting)
		c.later(func() []byte { return s.forward(current, waiting) })
		return
	}
	c.send(m)
	if cap(m) > 0 && cap(m) <= maxQuery { // longer buffers are not kept
		c.buf = m
	}
}

// answerNow returns the answer to the query if it can be given at once, and whether the upstream has to be waited for.
// A semaphore limits how many connections do this at a time, so that busy connections leave processors free for UDP.
func (c *stream) answerNow(current *snapshot) (m []byte, wait bool) {
	s := c.server
	s.tcpTurns <- struct{}{}
	defer func() { <-s.tcpTurns }()
	m, ok := s.admit(current, c.buf[:0], &c.query, c.client, true)
	if !ok {
		return m, false
	}
	return s.answerOrAsk(current, c.buf[:0], &c.query)
}

// later sends the result of a function that waits, from a goroutine of its own.
func (c *stream) later(answer func() []byte) {
	switch {
	case len(c.slots) == cap(c.slots):
		c.flush() // before nothing more is read
	case !c.isWaiting() && !c.server.conns.admitWaiting(c):
		c.server.shared.dropped.Add(1)
		return
	}
	c.slots <- struct{}{}
	c.late.Go(func() {
		defer c.server.recoverPanic()
		defer func() { <-c.slots }()
		c.send(answer())
		c.flush()
	})
}

// send adds an answer to the write buffer. It does nothing if m is empty.
func (c *stream) send(m []byte) {
	if len(m) == 0 {
		return
	}
	c.server.shared.streamed.count(m)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.Available() < len(m)+2 {
		c.setWriteDeadline()
	}
	var length [2]byte
	binary.BigEndian.PutUint16(length[:], uint16(len(m)))
	_, _ = c.out.Write(length[:]) // Flush returns the error
	if _, err := c.out.Write(m); err != nil {
		_ = c.conn.Close() // so that its reader ends
	}
}

// flush writes the buffered answers to the connection.
func (c *stream) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.Buffered() == 0 {
		return
	}
	c.setWriteDeadline()
	if err := c.out.Flush(); err != nil {
		_ = c.conn.Close() // so that its reader ends
	}
}

func (c *stream) setWriteDeadline() {
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // it fails on closed connections only
}
