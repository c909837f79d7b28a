package dnsfilter

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
	"github.com/argine-dns/argine/dnsfilter/internal/grace"
	"github.com/argine-dns/argine/dnsfilter/internal/idle"
)

const (
	writeTimeout = 2 * time.Second       // time limit for writing an answer
	maxPipelined = 100                   // pending queries of a connection; beyond the limit, no further ones are read
	endTimeout   = 50 * time.Millisecond // idle time after which a connection is closed during shutdown

	transferTimeout = 30 * time.Second // time limit for writing a message of a transfer
)

// restAfter is how long an idle connection keeps its goroutine and buffers. After that, the connection continues in a
// new goroutine with a small stack: the stack of a goroutine that has answered queries is a third of the memory of an
// idle TLS connection.
const restAfter = time.Second

// errIdle is returned when a connection has been idle for restAfter and should continue in a new goroutine.
var errIdle = errors.New("the connection is idle")

// ServeStreams answers queries on the connections of a listener until ctx ends. Then it closes the listener and
// finishes pending queries. Each message follows a length field (RFC 1035, section 4.2.2). If config is not nil, the
// connections use TLS. ServeStreams returns the error of [Server.Accept].
func (s *Server) ServeStreams(ctx context.Context, l net.Listener, how Transport, config *tls.Config) error {
	var open sync.WaitGroup
	defer grace.Wait(&open, GracePeriod+endTimeout)
	return s.Accept(ctx, l, how, func(conn net.Conn, c *Conn) {
		if config == nil {
			open.Go(func() { newStream(c, conn).run(ctx, &open) })
			return
		}
		open.Go(func() {
			if secured := c.Handshake(ctx, conn, config); secured != nil {
				open.Go(func() { newStream(c, secured).run(ctx, &open) })
			}
		})
	})
}

// stream is one connection over TCP or TLS. The reading goroutine answers queries that need no waiting. Each query that
// has to wait gets a goroutine of its own, so that answers are sent as they become ready, in any order (RFC 7766,
// section 7). A client that does not read its answers delays only itself.
type stream struct {
	*Conn

	conn  net.Conn
	in    *bufio.Reader // nil while the connection is idle
	buf   []byte        // buffer for answers
	slots chan struct{} // semaphore: one slot per waiting query
	late  sync.WaitGroup
	stop  func() bool // cancels the function that run has registered for the end of ctx
	used  bool        // a message has arrived, so the idle timeout is no longer that for the first query
	until time.Time   // end of the current idle timeout; zero while the connection is not idle

	mu  sync.Mutex    // guards the following field
	out *bufio.Writer // nil while there is no answer to send
}

// Sizes of the read buffers, in bytes. TLS connections get a small one, since they have a buffer of their own and there
// may be many of them.
const (
	plainBuffer     = maxQuery + 2
	encryptedBuffer = 512
)

func newStream(c *Conn, conn net.Conn) *stream {
	return &stream{Conn: c, conn: conn, slots: make(chan struct{}, maxPipelined)}
}

// newReader returns a read buffer for the connection.
func (c *stream) newReader() *bufio.Reader {
	if c.how.isEncrypted() {
		return bufio.NewReaderSize(c.conn, encryptedBuffer)
	}
	return bufio.NewReaderSize(c.conn, plainBuffer)
}

// run answers queries until the client closes the connection or an idle timeout expires. An idle connection continues
// in another goroutine (see restAfter). When ctx ends, the idle timeout becomes endTimeout. Pending queries are still
// answered within the grace period.
func (c *stream) run(ctx context.Context, open *sync.WaitGroup) {
	if c.stop == nil {
		c.stop = context.AfterFunc(ctx, func() {
			_ = c.conn.SetReadDeadline(time.Now().Add(endTimeout)) // it fails on closed connections only
			time.AfterFunc(GracePeriod, func() { _ = c.conn.Close() })
		})
	}
	if c.in == nil {
		c.in = c.newReader()
	}
	if errors.Is(c.serve(ctx), errIdle) {
		open.Go(c.rest(ctx, open))
		return
	}
	c.flush()
	c.late.Wait()
	_ = c.conn.Close() // it may be closed already; the error does not matter
	c.stop()
	c.Release()
}

// rest frees the buffers of an idle connection. It returns a function that waits for the next message and calls run
// again.
func (c *stream) rest(ctx context.Context, open *sync.WaitGroup) func() {
	c.buf = nil
	if c.in.Buffered() > 0 || c.setReadDeadline(ctx, c.until) != nil {
		return func() { c.run(ctx, open) }
	}
	c.in = nil
	return func() {
		idle.Wait(c.conn)
		c.run(ctx, open)
	}
}

// serve answers queries until the connection ends, or until it is idle. In the second case the error is errIdle.
func (c *stream) serve(ctx context.Context) error {
	for {
		packet, err := c.read(ctx)
		if err != nil {
			return err
		}
		c.answerPacket(packet)
	}
}

// read returns the next message, which is valid until the next call. If a message is longer than maxQuery, it returns
// the header only. Before it waits, it sends the buffered answers.
func (c *stream) read(ctx context.Context) ([]byte, error) {
	prefix, err := c.await(ctx)
	if err != nil {
		return nil, err
	}
	length := dnswire.Uint16(prefix, 0)
	within := c.group.timeouts().message
	if 2+length > c.in.Size() {
		return c.readLong(length, within)
	}
	packet, err := c.peek(ctx, 2+length, within)
	if err != nil {
		return nil, err
	}
	_, err = c.in.Discard(2 + length)
	return packet[2:], err
}

// await waits for the length field of the next message, and returns it without consuming it. If none arrives for
// restAfter, it returns errIdle, and the next call continues the same idle timeout.
func (c *stream) await(ctx context.Context) ([]byte, error) {
	if c.in.Buffered() >= 2 {
		return c.in.Peek(2)
	}
	wait := c.group.timeouts().first
	if c.used {
		wait = c.group.timeouts().idle
	}
	rested := !c.until.IsZero()
	if rested {
		wait = time.Until(c.until)
	} else if wait > restAfter {
		c.until = time.Now().Add(wait)
		wait = restAfter
	}
	prefix, err := c.peek(ctx, 2, wait)
	if !rested && !c.until.IsZero() && errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
		return nil, errIdle
	}
	c.until, c.used = time.Time{}, true
	return prefix, err
}

// readLong is like read, for a message of the given length that does not fit the read buffer.
func (c *stream) readLong(length int, within time.Duration) ([]byte, error) {
	c.flush()
	packet := make([]byte, min(length, maxQuery))
	errDeadline := c.conn.SetReadDeadline(time.Now().Add(within))
	_, errDiscard := c.in.Discard(2)
	_, errRead := io.ReadFull(c.in, packet)
	err := errors.Join(errDeadline, errDiscard, errRead)
	if err == nil && length > maxQuery {
		_, err = c.in.Discard(length - maxQuery)
		packet = packet[:dnswire.HeaderSize]
	}
	return packet, err
}

// peek waits until n bytes can be read, and returns them without consuming them.
func (c *stream) peek(ctx context.Context, n int, wait time.Duration) ([]byte, error) {
	if c.in.Buffered() >= n {
		return c.in.Peek(n)
	}
	c.flush()
	if err := c.setReadDeadline(ctx, time.Now().Add(wait)); err != nil {
		return nil, err
	}
	return c.in.Peek(n)
}

// setReadDeadline sets the read deadline. If ctx has ended, the deadline is endTimeout from now.
func (c *stream) setReadDeadline(ctx context.Context, at time.Time) error {
	err := c.conn.SetReadDeadline(at)
	if err == nil && ctx.Err() != nil { // if ctx ends later, the shutdown code overrides this deadline
		err = c.conn.SetReadDeadline(time.Now().Add(endTimeout))
	}
	return err
}

// answerPacket answers one message: at once or, if that is not possible, later from another goroutine.
func (c *stream) answerPacket(packet []byte) {
	defer c.server.recoverPanic()
	if c.server.current.Load().primaryOf(packet) != nil {
		c.answerTransfer(bytes.Clone(packet))
		return
	}
	m, wait := c.answerNow(c.buf[:0], packet)
	if wait != nil {
		c.later(wait)
		return
	}
	c.send(m)
	if cap(m) > 0 && cap(m) <= maxQuery { // longer buffers are not kept
		c.buf = m
	}
}

// later starts a goroutine that calls the function answer, and sends the result to the client. The function may wait.
// The method blocks while too many queries of the connection are pending.
func (c *stream) later(answer func() []byte) {
	if len(c.slots) == cap(c.slots) {
		c.flush() // before nothing more is read
	}
	c.slots <- struct{}{}
	if !c.startWaiting() {
		<-c.slots
		return
	}
	c.late.Go(func() {
		defer c.server.recoverPanic()
		defer func() { c.endWaiting(); <-c.slots }()
		c.send(answer())
		c.flush()
	})
}

// send adds an answer to the write buffer. It does nothing if m is empty.
func (c *stream) send(m []byte) {
	if len(m) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.write(m, writeTimeout); err != nil {
		_ = c.conn.Close() // so that its reader ends
	}
}

// write adds a message to the write buffer. If the buffer is full, writing it to the connection has a time limit.
func (c *stream) write(m []byte, limit time.Duration) error {
	c.count(m)
	if c.out == nil {
		c.out, _ = c.server.writers.Get().(*bufio.Writer)
		c.out.Reset(c.conn)
	}
	if c.out.Available() < len(m)+2 {
		c.setWriteDeadline(limit)
	}
	var length [2]byte
	binary.BigEndian.PutUint16(length[:], uint16(len(m)))
	_, _ = c.out.Write(length[:]) // the next call returns the error
	_, err := c.out.Write(m)
	return err
}

// answerTransfer answers a transfer request, or another query for a [PrimaryZone], in a new goroutine. Writing each
// message has a time limit that suits clients that read slowly.
func (c *stream) answerTransfer(packet []byte) {
	c.server.shared.queries.Add(1)
	c.asked.Store(time.Now().UnixNano())
	c.later(func() []byte {
		c.server.transfer(packet, c.client, true, func(m []byte) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.write(m, transferTimeout)
		})
		return nil
	})
}

// flush writes the buffered answers to the connection.
func (c *stream) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out == nil {
		return
	}
	c.setWriteDeadline(writeTimeout)
	if err := c.out.Flush(); err != nil {
		_ = c.conn.Close() // so that its reader ends
	}
	c.out.Reset(nil)
	c.server.writers.Put(c.out)
	c.out = nil
}

func (c *stream) setWriteDeadline(limit time.Duration) {
	_ = c.conn.SetWriteDeadline(time.Now().Add(limit)) // it fails on closed connections only
}
