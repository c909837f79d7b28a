package secure

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/idle"
)

// Limits of HTTP/2, besides those of HTTP.
const (
	readSize     = 1 << 10               // size of the read buffer, in bytes
	maxFrame     = 16 << 10              // maximum size of a frame, in bytes; RFC 9113 allows no lower limit
	firstWindow  = 1<<16 - 1             // flow control window before the first WINDOW_UPDATE, in bytes
	updateWindow = firstWindow / 2       // received bytes after which the window is opened again by WINDOW_UPDATE
	endTimeout   = 50 * time.Millisecond // time limit for requests that are incomplete when the server ends
	writeTimeout = 2 * time.Second       // time limit of one write
	// restAfter is the idle time after which a new goroutine, with a small stack, waits for the next bytes from the
	// client.
	restAfter    = time.Second
	tableSize    = 4 << 10 // size of the HPACK table (RFC 7541), in bytes
	flowError    = http2.ErrCodeFlowControl
	badProtocol  = http2.ErrCodeProtocol
	closedError  = http2.ErrCodeStreamClosed
	abortedError = http2.ErrCodeInternal
)

// errIdle is the error of await if the connection is idle. Then run ends, and a new goroutine waits for the next bytes
// from the client.
var errIdle = errors.New("the connection is idle")

// http2Conn is one HTTP/2 connection (RFC 9113), with only what DNS needs: short requests, and answers without
// trailers. One goroutine reads the frames. It answers requests at once if no upstream is needed, and sends the
// collected frames before it waits for the next frame. Each request that waits for the upstream has a goroutine of its
// own. The server of net/http needs several times the processor time, with two goroutines per connection and one per
// request.
type http2Conn struct {
	conn       net.Conn
	client     *dnsfilter.Conn
	in         *bufio.Reader
	decoder    *hpack.Decoder
	last       uint32    // highest stream ID so far
	received   uint32    // bytes received since the last WINDOW_UPDATE
	progressed time.Time // when a stream last ended, or began while there was no other stream
	reading    bool      // a frame is being read
	rested     bool      // the connection is idle, and waits for the next bytes until the time in until
	until      time.Time // end of the idle timeout; used if rested is true
	stop       func() bool
	ended      <-chan struct{}
	slots      chan struct{} // semaphore: one slot per waiting query
	late       sync.WaitGroup
	unfinished *unfinished
	begun      []uint32 // IDs of new streams whose request was incomplete after its header

	mu      sync.Mutex    // guards the following fields, and writing to framer
	framer  *http2.Framer // nil: the buffers are freed, since the connection is idle
	out     bytes.Buffer
	block   bytes.Buffer
	encoder *hpack.Encoder
	streams map[uint32]*http2Stream // open streams by ID
	window  int64                   // send window of the connection, in bytes
	initial int64                   // initial send window of a new stream, in bytes
}

// http2Stream is an open stream: its request is incomplete, or its answer is not completely sent.
type http2Stream struct {
	request request
	answers bool   // the request is complete
	body    []byte // body of the request; later the unsent part of the answer
	window  int64
	done    func() // ends the counting of the request as unfinished; nil: it is not counted
}

func newHTTP2(conn net.Conn, client *dnsfilter.Conn, unfinished *unfinished) *http2Conn {
	c := &http2Conn{
		conn: conn, client: client, unfinished: unfinished, progressed: time.Now(), slots: make(chan struct{}, maxStreams),
		streams: make(map[uint32]*http2Stream), window: firstWindow, initial: firstWindow,
		decoder: hpack.NewDecoder(tableSize, nil),
	}
	c.wake()
	return c
}

// wake allocates the buffers that rest has freed. The caller holds the lock.
func (c *http2Conn) wake() {
	if c.framer != nil {
		return
	}
	c.in = bufio.NewReaderSize(beforeWait{c}, readSize)
	c.framer = http2.NewFramer(&c.out, c.in)
	c.framer.SetReuseFrames()
	c.framer.SetMaxReadFrameSize(maxFrame)
	c.framer.ReadMetaHeaders, c.framer.MaxHeaderListSize = c.decoder, maxHeaderBytes
	c.encoder = hpack.NewEncoder(&c.block)
	c.encoder.SetMaxDynamicTableSize(0)
}

// rest frees the buffers of an idle connection. It keeps the HPACK table, which the client relies on. It returns a
// function that waits for the next frame and then calls run.
func (c *http2Conn) rest(ctx context.Context, open *sync.WaitGroup) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out, c.block = bytes.Buffer{}, bytes.Buffer{}
	if c.in.Buffered() > 0 || c.setReadDeadline(c.deadline()) != nil {
		return func() { c.run(ctx, open) }
	}
	c.in, c.framer, c.encoder, c.streams = nil, nil, nil, map[uint32]*http2Stream{}
	return func() {
		idle.Wait(c.conn)
		c.run(ctx, open)
	}
}

// beforeWait is the reader of the connection. Before each read, it sends the collected frames, and counts the new
// requests that are not complete.
type beforeWait struct{ c *http2Conn }

func (r beforeWait) Read(b []byte) (int, error) {
	c := r.c
	c.mu.Lock()
	c.flush()
	c.countUnfinished()
	deadline := c.deadline()
	c.mu.Unlock()
	if err := c.setReadDeadline(deadline); err != nil {
		return 0, err
	}
	return c.conn.Read(b)
}

// setReadDeadline sets the read deadline of the connection. If the server is ending, the deadline is endTimeout from
// now.
func (c *http2Conn) setReadDeadline(at time.Time) error {
	err := c.conn.SetReadDeadline(at)
	select {
	case <-c.ended: // later, goAway overrides this deadline
		return errors.Join(err, c.conn.SetReadDeadline(time.Now().Add(endTimeout)))
	default:
		return err
	}
}

// deadline returns the time until which to wait for the next bytes. An idle connection first waits for restAfter, and
// then in a new goroutine until the end of the idle timeout.
func (c *http2Conn) deadline() time.Time {
	switch {
	case c.reading:
		return time.Now().Add(requestTimeout)
	case len(c.streams) > 0:
		return c.progressed.Add(requestTimeout)
	case c.rested:
		return c.until
	}
	return time.Now().Add(restAfter)
}

// goAway tells the client by GOAWAY that no new requests are accepted. Pending requests are still answered within the
// grace period.
func (c *http2Conn) goAway() {
	c.mu.Lock()
	c.wake()
	_ = c.framer.WriteGoAway(math.MaxInt32, http2.ErrCodeNo, nil) // writing to memory does not fail
	c.flush()
	c.mu.Unlock()
	_ = c.conn.SetReadDeadline(time.Now().Add(endTimeout)) // it fails on closed connections only
	time.AfterFunc(dnsfilter.GracePeriod, func() { _ = c.conn.Close() })
}

// run answers requests until the connection or ctx ends, or until the connection is idle. An idle connection continues
// in a new goroutine, which is counted in the argument open, a wait group.
func (c *http2Conn) run(ctx context.Context, open *sync.WaitGroup) {
	err := error(nil)
	if c.stop == nil {
		c.ended = ctx.Done()
		c.stop = context.AfterFunc(ctx, c.goAway)
		err = c.begin()
	}
	c.mu.Lock()
	c.wake()
	c.mu.Unlock()
	for err == nil {
		err = c.next()
	}
	if errors.Is(err, errIdle) {
		open.Go(c.rest(ctx, open))
		return
	}
	c.mu.Lock()
	c.flush()
	c.mu.Unlock()
	c.late.Wait()
	_ = c.conn.Close() // it may be closed already; the error does not matter
	c.endAll()
	c.stop()
	c.client.Release()
}

// begin reads the connection preface of the client, and writes the SETTINGS of the server.
func (c *http2Conn) begin() error {
	c.beginRest() // there is nothing to rest from
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c.in, preface); err != nil {
		return err
	}
	if string(preface) != http2.ClientPreface {
		return http2.ConnectionError(badProtocol)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: maxStreams},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: maxHeaderBytes})
}

// await waits for the next frame. If the connection is idle for restAfter, it returns errIdle. The next call waits
// until the end of the idle timeout.
func (c *http2Conn) await() error {
	_, err := c.in.Peek(1)
	if err != nil && !c.rested && c.isIdle() && errors.Is(err, os.ErrDeadlineExceeded) {
		c.beginRest()
		return errIdle
	}
	c.rested = false
	return err
}

// beginRest sets the end of the idle timeout for the next call of await.
func (c *http2Conn) beginRest() { c.rested, c.until = true, time.Now().Add(idleTimeout-restAfter) }

// isIdle reports whether no stream is open. It returns false if the server is ending.
func (c *http2Conn) isIdle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.ended:
		return false
	default:
		return len(c.streams) == 0
	}
}

// next reads and handles one frame. An error means that the connection ends, or is idle.
func (c *http2Conn) next() error {
	if err := c.await(); err != nil {
		return err
	}
	c.reading = true
	frame, err := c.framer.ReadFrame()
	c.reading = false
	var ofStream http2.StreamError
	var ofConn http2.ConnectionError
	if err == nil {
		err = c.handle(frame)
	}
	switch {
	case errors.As(err, &ofStream):
		c.last = max(c.last, ofStream.StreamID)
		c.reset(ofStream.StreamID, ofStream.Code)
		return nil
	case errors.As(err, &ofConn):
		c.fail(http2.ErrCode(ofConn))
	case errors.Is(err, http2.ErrFrameTooLarge):
		c.fail(http2.ErrCodeFrameSize)
	}
	return err
}

// fail sends GOAWAY with the error code that ends the connection.
func (c *http2Conn) fail(code http2.ErrCode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.framer.WriteGoAway(c.last, code, nil)
}

// handle handles a frame. It ignores frames of types that DNS does not need.
func (c *http2Conn) handle(frame http2.Frame) error {
	id := frame.Header().StreamID
	switch f := frame.(type) {
	case *http2.MetaHeadersFrame:
		return c.onHeaders(f)
	case *http2.DataFrame:
		return c.onData(f)
	case *http2.RSTStreamFrame:
		if id > c.last {
			return http2.ConnectionError(badProtocol)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.end(id)
	case *http2.SettingsFrame:
		return c.onSettings(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.framer.WritePing(true, f.Data)
		}
	case *http2.WindowUpdateFrame:
		if id > c.last {
			return http2.ConnectionError(badProtocol)
		}
		return c.onWindow(id, int64(f.Increment))
	case *http2.PushPromiseFrame:
		return http2.ConnectionError(badProtocol)
	}
	return nil
}
