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
	writeTimeout = 2 * time.Second       // of an answer
	maxPipelined = 100                   // queries of a connection that wait for the upstream; then no more are read
	acceptPause  = 10 * time.Millisecond // when the system can't give a listener a connection
	endTimeout   = 50 * time.Millisecond // of silence, after which a connection is closed when the server ends
)

// serveTCP answers on the connections of a listener until ctx ends, and closes it.
func (s *Server) serveTCP(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // closed twice is closed
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
			time.Sleep(acceptPause) // a connection was reset, or there are no more files: that passes
		}
	}
}

// waitAtMost waits for goroutines, within a time limit.
func waitAtMost(g *sync.WaitGroup, most time.Duration) {
	done := make(chan struct{})
	go func() { g.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(most):
	}
}

// serveConn answers on a connection, in a goroutine of its own, if its client is served and there is room.
func (s *Server) serveConn(ctx context.Context, conn net.Conn, open *sync.WaitGroup) {
	c := newStream(s, conn)
	if !serves(s.current.Load().clients, c.client) || !s.conns.admit(c) {
		_ = conn.Close() // without a word
		return
	}
	open.Go(func() {
		defer s.conns.remove(c)
		c.serve(ctx)
	})
}

// stream is one connection. A query that can be answered at once is answered by the goroutine that reads; one that has
// to wait has a goroutine of its own, so that answers are sent when they are ready, in any order (RFC 7766, section 7).
// A client that does not read its answers delays only itself.
type stream struct {
	server *Server
	conn   net.Conn
	client netip.Addr
	from   uint64 // the key of the client
	in     *bufio.Reader
	query  query
	buf    []byte        // for answers
	slots  chan struct{} // one for each query that waits
	late   sync.WaitGroup
	asked  atomic.Int64 // when the last query came, in nanoseconds

	mu  sync.Mutex // guards what follows
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

// timeouts are those of reading a connection.
type timeouts struct {
	first   time.Duration // for the first query
	idle    time.Duration // between two queries
	message time.Duration // for a query once begun, however its bytes come
}

// The timeouts with few connections and with many. Clients may keep connections for long where there is room (RFC 7766,
// section 6.2.3).
var (
	normalTimeouts  = timeouts{first: 10 * time.Second, idle: 30 * time.Second, message: 10 * time.Second} //nolint:gochecknoglobals // a constant
	crowdedTimeouts = timeouts{first: 2 * time.Second, idle: 8 * time.Second, message: 2 * time.Second}    //nolint:gochecknoglobals // a constant
)

// timeouts returns those of now.
func (cs *connections) timeouts() *timeouts {
	if cs.isCrowded() {
		return &crowdedTimeouts
	}
	return &normalTimeouts
}

// keepalive returns the edns-tcp-keepalive of answers to clients that ask for it (RFC 7828): when there are many
// connections, 0, so that clients close them when they have their answers.
func (cs *connections) keepalive() uint16 {
	if cs.isCrowded() {
		return 1
	}
	return uint16(normalTimeouts.idle/(100*time.Millisecond)) + 1
}

// isWaiting reports whether a query waits for its answer.
func (c *stream) isWaiting() bool { return len(c.slots) > 0 }

// serve answers until the client leaves or is silent for too long. When ctx ends, that is a moment; what waits is still
// answered within the grace.
func (c *stream) serve(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		_ = c.conn.SetReadDeadline(time.Now().Add(endTimeout)) // it fails on closed ones only
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
	_ = c.conn.Close() // it may be closed already
}

// read returns the next message, which is overwritten by the one after; of one that is longer than any query the
// header. Answers that were collected are sent before it waits.
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

// peek waits for n bytes.
func (c *stream) peek(ctx context.Context, n int, wait time.Duration) ([]byte, error) {
	if c.in.Buffered() >= n {
		return c.in.Peek(n)
	}
	c.flush()
	if err := c.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	if ctx.Err() != nil { // if it ends later, the deadline is moved after we have set ours
		if err := c.conn.SetReadDeadline(time.Now().Add(endTimeout)); err != nil {
			return nil, err
		}
	}
	return c.in.Peek(n)
}

// answerPacket answers one message, now or later.
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
	if cap(m) > 0 && cap(m) <= maxQuery { // a longer one is not worth keeping
		c.buf = m
	}
}

// answerNow returns the answer to the query if there is one at once, and whether the upstream has to be waited for. Of
// all connections only some are at it at a time, so that many busy ones leave processors for queries over UDP.
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

// later sends an answer that a goroutine waits for.
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

// send collects an answer, if there is one.
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

// flush sends what was collected.
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
