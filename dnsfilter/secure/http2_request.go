package secure

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// request has the header fields of an HTTP request that matter for DNS.
type request struct {
	method, path, media string
	length              int64 // value of content-length; negative: none
}

// newRequest returns the header fields of a request. It returns false if the header is malformed or lacks a required
// field.
func newRequest(f *http2.MetaHeadersFrame) (r request, ok bool) {
	r = request{method: f.PseudoValue("method"), path: f.PseudoValue("path"), length: -1}
	for _, field := range f.RegularFields() {
		switch field.Name {
		case "content-type":
			r.media = field.Value
		case "content-length":
			var err error
			if r.length, err = strconv.ParseInt(field.Value, 10, 64); err != nil || r.length < 0 {
				return r, false
			}
		case "connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection": // RFC 9113, section 8.2.2
			return r, false
		}
	}
	return r, r.method != "" && r.path != "" && f.PseudoValue("scheme") != ""
}

// onHeaders handles a HEADERS frame. It begins a request, or ends one if the frame has its trailers.
func (c *http2Conn) onHeaders(f *http2.MetaHeadersFrame) error {
	id := f.StreamID
	if id <= c.last {
		return c.onTrailers(f)
	}
	if id%2 == 0 {
		return http2.ConnectionError(badProtocol)
	}
	c.last = id
	r, ok := newRequest(f)
	stream := &http2Stream{request: r}
	c.mu.Lock()
	if len(c.streams) == 0 {
		c.progressed = time.Now()
	}
	stream.window = c.initial
	full := len(c.streams) >= maxStreams
	if !full {
		c.streams[id] = stream
	}
	c.mu.Unlock()
	switch status := r.status(); {
	case full:
		return http2.StreamError{StreamID: id, Code: http2.ErrCodeRefusedStream}
	case !ok:
		return http2.StreamError{StreamID: id, Code: badProtocol}
	case f.Truncated:
		c.refuse(id, http.StatusRequestHeaderFieldsTooLarge, !f.StreamEnded())
	case status != http.StatusOK:
		c.refuse(id, status, !f.StreamEnded())
	case f.StreamEnded():
		return c.complete(id, stream)
	}
	c.begun = append(c.begun, id)
	return nil
}

// status returns 200, or the HTTP status of the refusal if the header is not acceptable.
func (r *request) status() int {
	path, _, _ := strings.Cut(r.path, "?")
	return headerStatus(r.method, path, r.media, r.length)
}

// onTrailers ends a request whose trailers have arrived. It ignores their fields.
func (c *http2Conn) onTrailers(f *http2.MetaHeadersFrame) error {
	stream := c.incomplete(f.StreamID)
	switch {
	case stream == nil:
		return http2.ConnectionError(closedError)
	case !f.StreamEnded():
		return http2.StreamError{StreamID: f.StreamID, Code: badProtocol}
	}
	return c.complete(f.StreamID, stream)
}

// incomplete returns the stream with this ID if its request is incomplete, or else nil.
func (c *http2Conn) incomplete(id uint32) *http2Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	if stream := c.streams[id]; stream != nil && !stream.answers {
		return stream
	}
	return nil
}

// onData adds a DATA frame to the body of a request.
func (c *http2Conn) onData(f *http2.DataFrame) error {
	if f.StreamID > c.last {
		return http2.ConnectionError(badProtocol)
	}
	if c.received += f.Length; c.received >= updateWindow {
		c.mu.Lock()
		_ = c.framer.WriteWindowUpdate(0, c.received)
		c.mu.Unlock()
		c.received = 0
	}
	stream := c.incomplete(f.StreamID)
	if stream == nil {
		return http2.StreamError{StreamID: f.StreamID, Code: closedError}
	}
	if len(stream.body)+len(f.Data()) > maxQuery {
		c.refuse(f.StreamID, http.StatusRequestEntityTooLarge, !f.StreamEnded())
		return nil
	}
	stream.body = append(stream.body, f.Data()...)
	if f.StreamEnded() {
		return c.complete(f.StreamID, stream)
	}
	return nil
}

// complete answers a complete request. If the answer needs the upstream, another goroutine sends it later.
func (c *http2Conn) complete(id uint32, stream *http2Stream) error {
	c.mu.Lock()
	stream.answers = true
	stream.release()
	c.mu.Unlock()
	if stream.request.length >= 0 && stream.request.length != int64(len(stream.body)) {
		return http2.StreamError{StreamID: id, Code: badProtocol}
	}
	b, _ := pool.Get().(*buffers)
	defer pool.Put(b)
	query, status := stream.body, http.StatusOK
	stream.body = nil
	if stream.request.method == http.MethodGet {
		_, raw, _ := strings.Cut(stream.request.path, "?")
		b.query = b.query[:0]
		status = b.readParameter(raw)
		query = b.query
	} else if len(query) < minQuery {
		status = http.StatusBadRequest
	}
	if status != http.StatusOK {
		c.refuse(id, status, false)
		return nil
	}
	m, wait := c.client.AnswerNow(b.answer[:0], query)
	if wait == nil {
		c.answer(id, m)
		return nil
	}
	c.waitFor(id, wait)
	return nil
}

// waitFor starts a goroutine that calls wait and sends its result as the answer. It first waits for a free slot.
func (c *http2Conn) waitFor(id uint32, wait func() []byte) {
	if len(c.slots) == cap(c.slots) {
		c.mu.Lock()
		c.flush() // before nothing more is read
		c.mu.Unlock()
	}
	c.slots <- struct{}{}
	c.late.Go(func() {
		defer func() { <-c.slots }()
		c.answer(id, wait())
		c.mu.Lock()
		defer c.mu.Unlock()
		c.flush()
	})
}
