package secure

import (
	"bytes"
	"math"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// end removes a stream whose answer was sent, or that was reset. The caller holds the lock.
func (c *http2Conn) end(id uint32) {
	if stream := c.streams[id]; stream != nil {
		stream.release()
	}
	delete(c.streams, id)
	c.progressed = time.Now()
}

// endAll removes the streams of a connection that has ended.
func (c *http2Conn) endAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.streams {
		c.end(id)
	}
}

// flush sends the collected frames. The caller holds the lock.
func (c *http2Conn) flush() {
	if c.out.Len() == 0 {
		return
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // it fails on closed connections only
	if _, err := c.conn.Write(c.out.Bytes()); err != nil {
		_ = c.conn.Close() // so that its reader ends
	}
	if c.out.Reset(); c.out.Cap() > maxFrame {
		c.out = bytes.Buffer{}
	}
}

// reset ends a stream by RST_STREAM with an error code.
func (c *http2Conn) reset(id uint32, code http2.ErrCode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.framer.WriteRSTStream(id, code)
	c.end(id)
}

// refuse answers a request with an HTTP status and no body. If open is true, the request is incomplete, and RST_STREAM
// tells the client not to send the rest.
func (c *http2Conn) refuse(id uint32, status int, open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams[id] == nil {
		return
	}
	c.field(":status", strconv.Itoa(status))
	if status == http.StatusMethodNotAllowed {
		c.field("allow", "GET, POST")
	}
	c.writeHeader(id, true)
	if open {
		_ = c.framer.WriteRSTStream(id, http2.ErrCodeNo)
	}
	c.end(id)
}

// answer sends the DNS message m as the answer, as far as the flow control windows of the client allow. If m is empty,
// it resets the stream.
func (c *http2Conn) answer(id uint32, m []byte) {
	if len(m) == 0 {
		c.reset(id, abortedError) // the policy says so, or there is no room
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	stream := c.streams[id]
	if stream == nil { // the client no longer wants it
		return
	}
	c.field(":status", "200")
	c.field("content-type", mediaType)
	c.field("cache-control", cacheControl(m))
	c.field("content-length", strconv.Itoa(len(m)))
	c.writeHeader(id, false)
	stream.body = m
	if c.send(id, stream); c.streams[id] != nil {
		stream.body = bytes.Clone(stream.body) // its memory is used again
		c.hold(id, stream)
	}
}

func (c *http2Conn) field(name, value string) {
	_ = c.encoder.WriteField(hpack.HeaderField{Name: name, Value: value}) // writing to memory does not fail
}

// writeHeader writes a HEADERS frame with the collected header fields. The argument all is true if no DATA frames
// follow: then the frame ends the stream.
func (c *http2Conn) writeHeader(id uint32, all bool) {
	_ = c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true,
		EndStream: all,
	})
	c.block.Reset()
}

// send sends the unsent part of an answer, as far as the windows allow. It ends the stream after the last byte.
func (c *http2Conn) send(id uint32, stream *http2Stream) {
	for len(stream.body) > 0 {
		n := min(int64(len(stream.body)), maxFrame, c.window, stream.window)
		if n <= 0 {
			return
		}
		all := n == int64(len(stream.body))
		_ = c.framer.WriteData(id, all, stream.body[:n])
		stream.body = stream.body[n:]
		c.window -= n
		stream.window -= n
		if all {
			c.end(id)
		}
	}
}

// sendMore sends the unsent parts of all answers, as far as the windows allow.
func (c *http2Conn) sendMore() {
	for id, stream := range c.streams {
		if stream.answers {
			c.send(id, stream)
		}
	}
}

// onWindow enlarges the send window of a stream, or of the connection if id is 0.
func (c *http2Conn) onWindow(id uint32, more int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	window := &c.window
	if id != 0 {
		stream := c.streams[id]
		if stream == nil {
			return nil
		}
		window = &stream.window
	}
	if *window += more; *window > math.MaxInt32 {
		if id != 0 {
			return http2.StreamError{StreamID: id, Code: flowError}
		}
		return http2.ConnectionError(flowError)
	}
	c.sendMore()
	return nil
}

// onSettings applies and acknowledges the SETTINGS of the client.
func (c *http2Conn) onSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := f.ForeachSetting(func(s http2.Setting) error {
		if err := s.Valid(); err != nil || s.ID != http2.SettingInitialWindowSize {
			return err
		}
		more := int64(s.Val) - c.initial
		c.initial = int64(s.Val)
		for _, stream := range c.streams {
			if stream.window += more; stream.window > math.MaxInt32 {
				return http2.ConnectionError(flowError)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.sendMore()
	return c.framer.WriteSettingsAck()
}
