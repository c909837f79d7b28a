package secure

import (
	"time"

	"golang.org/x/net/http2"
)

// countUnfinished counts as unfinished the requests of the new streams (begun) that are still incomplete. The caller
// holds the lock.
func (c *http2Conn) countUnfinished() {
	for _, id := range c.begun {
		if stream := c.streams[id]; stream != nil && !stream.answers {
			c.hold(id, stream)
		}
	}
	c.begun = c.begun[:0]
}

// hold counts a request as unfinished. It resets the stream after requestTimeout unless release was called before.
// Other requests on the connection do not extend this time.
func (c *http2Conn) hold(id uint32, stream *http2Stream) {
	cut := func() { go c.cut(id, stream) } // it may have to wait for the connection
	timer, done := time.AfterFunc(requestTimeout, cut), c.unfinished.add(cut)
	stream.done = func() { timer.Stop(); done() }
}

// release ends the counting of the request as unfinished.
func (s *http2Stream) release() {
	if s.done != nil {
		s.done()
		s.done = nil
	}
}

// cut resets a stream whose request still counts as unfinished.
func (c *http2Conn) cut(id uint32, stream *http2Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams[id] == stream && stream.done != nil {
		_ = c.framer.WriteRSTStream(id, http2.ErrCodeEnhanceYourCalm)
		c.end(id)
		c.flush()
	}
}
