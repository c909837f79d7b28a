package dnsfilter

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

const (
	writeWithin  = 2 * time.Second // for answers to be taken by the network
	maxPipelined = 100             // queries of a connection that wait for the upstream; then no more are read

	endWithin = 50 * time.Millisecond // of silence, after which a connection is closed when the server ends
)

// stream is one connection. What can be answered at once is answered by the goroutine that reads; what has to wait has a
// goroutine of its own, and is answered when it is ready, in whatever order (RFC 7766, section 7). A client that does
// not read its answers holds up nobody but itself.
type stream struct {
	server *Server
	conn   net.Conn
	client netip.Addr
	from   uint64 // the household
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
	c.from = household(c.client)
	c.in, c.out = bufio.NewReaderSize(conn, maxQuery+2), bufio.NewWriter(conn)
	c.query.counters = &s.shared
	c.asked.Store(time.Now().UnixNano())
	return c
}

// pace is how long a connection may take.
type pace struct {
	first   time.Duration // for the first query
	idle    time.Duration // between two queries
	message time.Duration // for a query once begun, however its bytes come
}

// The paces with few connections and with many. Clients may keep connections for long where there is room (RFC 7766, section 6.2.3).
var (
	calm    = pace{first: 10 * time.Second, idle: 30 * time.Second, message: 10 * time.Second} //nolint:gochecknoglobals // a constant
	hurried = pace{first: 2 * time.Second, idle: 8 * time.Second, message: 2 * time.Second}    //nolint:gochecknoglobals // a constant
)

// pace returns that of now.
func (cs *connections) pace() *pace {
	if cs.crowded() {
		return &hurried
	}
	return &calm
}

// keepalive returns what clients that ask for it are told of how long a connection may be idle (RFC 7828): when it is crowded, that they are to
// close it as soon as they have their answers.
func (cs *connections) keepalive() uint16 {
	if cs.crowded() {
		return 1
	}
	return uint16(calm.idle/(100*time.Millisecond)) + 1
}

// busy reports whether a query waits for its answer.
func (c *stream) busy() bool { return len(c.slots) > 0 }

// serve answers until the client leaves or is silent for too long. When ctx ends, that is a moment; what waits is still answered
// within the grace.
func (c *stream) serve(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		_ = c.conn.SetReadDeadline(time.Now().Add(endWithin)) // it fails on closed ones only
		time.AfterFunc(graceWithin, func() { _ = c.conn.Close() })
	})
	defer stop()
	for wait := c.server.conns.pace().first; ; wait = c.server.conns.pace().idle {
		packet, err := c.read(ctx, wait)
		if err != nil {
			break
		}
		c.answer(packet)
	}
	c.flush()
	c.late.Wait()
	_ = c.conn.Close() // it may be closed already
}

// read returns the next message, which is overwritten by the one after; of one that is longer than any query the header.
// Answers that were collected are sent before it waits.
func (c *stream) read(ctx context.Context, wait time.Duration) ([]byte, error) {
	prefix, err := c.peek(ctx, 2, wait)
	if err != nil {
		return nil, err
	}
	length := count(prefix, 0)
	within := c.server.conns.pace().message
	packet, err := c.peek(ctx, 2+min(length, maxQuery), within)
	if err != nil {
		return nil, err
	}
	if packet = packet[2:]; length > maxQuery {
		packet = append([]byte(nil), packet[:headerSize]...)
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
		if err := c.conn.SetReadDeadline(time.Now().Add(endWithin)); err != nil {
			return nil, err
		}
	}
	return c.in.Peek(n)
}

// answer answers one message, now or later.
func (c *stream) answer(packet []byte) {
	s, q := c.server, &c.query
	defer s.survive()
	s.shared.queries.Add(1)
	c.asked.Store(time.Now().UnixNano())
	if len(packet) < headerSize || packet[2]&(flagQR>>8) != 0 {
		return
	}
	if !q.read(packet) || q.check() != dns.RcodeSuccess {
		packet = append([]byte(nil), packet...)
		c.later(func() []byte { return s.plain(packet, true, c.client) })
		return
	}
	q.size, q.keepalive = dns.MaxMsgSize, 0
	if hasOption(q.options, dns.EDNS0TCPKEEPALIVE) {
		q.keepalive = s.conns.keepalive()
	}
	current := s.current.Load()
	m, wait := c.find(current)
	if wait {
		waiting := &query{}
		q.copyTo(waiting)
		c.later(func() []byte { return s.resolve(current, waiting) })
		return
	}
	c.send(m)
	if cap(m) > 0 && cap(m) <= maxQuery { // a longer one is not worth keeping
		c.buf = m
	}
}

// find returns the answer to the query if there is one at once, and whether the upstream has to be waited for. Of all
// connections only some are at it at a time, so that many busy ones leave processors for queries over UDP.
func (c *stream) find(current *course) (m []byte, wait bool) {
	s := c.server
	s.turns <- struct{}{}
	defer func() { <-s.turns }()
	m, ok := s.admit(current, c.buf[:0], &c.query, c.client, true)
	if !ok {
		return m, false
	}
	return s.begin(current, c.buf[:0], &c.query)
}

// later sends what a goroutine finds out.
func (c *stream) later(find func() []byte) {
	switch {
	case len(c.slots) == cap(c.slots):
		c.flush() // before nothing more is read
	case !c.busy() && !c.server.conns.wait(c):
		c.server.shared.dropped.Add(1)
		return
	}
	c.slots <- struct{}{}
	c.late.Go(func() {
		defer c.server.survive()
		defer func() { <-c.slots }()
		c.send(find())
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
	_, _ = c.out.Write(length[:]) // the last Flush tells
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
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeWithin)) // it fails on closed connections only
}
