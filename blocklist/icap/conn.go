package icap

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/httpfilter"
)

// conn is a connection. It answers its requests one after another.
type conn struct {
	net.Conn
	s *Server
	r *bufio.Reader
	w *bufio.Writer

	until time.Time // latest deadline for reads of a request's body; zero: Read sets no deadlines

	mu     sync.Mutex
	busy   bool // whether a request is in progress
	ending bool
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{Conn: nc, s: s}
	c.r, c.w = bufio.NewReader(c), bufio.NewWriter(c)
	return c
}

// Read implements [io.Reader]. While a body is read, it sets a deadline for each read.
func (c *conn) Read(p []byte) (int, error) {
	if !c.until.IsZero() {
		deadline := time.Now().Add(stallTime)
		if deadline.After(c.until) {
			deadline = c.until
		}
		if err := c.SetReadDeadline(deadline); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

// Write implements [io.Writer]. It sets a deadline for each write.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(stallTime)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// end closes the connection if it is idle. Otherwise the connection ends after the request in progress.
func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = true
	if !c.busy {
		_ = c.Close() // it is idle
	}
}

// begin marks a request as in progress. It returns false if the connection is ending.
func (c *conn) begin() (proceed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = !c.ending
	return c.busy
}

func (c *conn) done() (proceed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	return !c.ending
}

func (c *conn) isEnding() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending
}

// serve answers requests until the client or the server ends the connection.
func (c *conn) serve() {
	defer c.Close() //nolint:errcheck // the client is gone
	for more := true; more; {
		if c.SetReadDeadline(time.Now().Add(idleTime)) != nil {
			return
		}
		if _, err := c.r.Peek(1); err != nil || !c.begin() {
			return
		}
		err := c.serveOne()
		if err == nil && c.r.Buffered() == 0 || err != nil {
			err = errors.Join(err, c.w.Flush())
		}
		more = c.done() && err == nil
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errLast) {
			c.s.Log.Debug("ending a connection", slog.Any("error", err))
		}
	}
	_ = c.w.Flush() // the last response before the server shuts down
}

// errLast is returned after the last request, whose response has announced that the connection ends.
var errLast = errors.New("the last request")

// serveOne reads and answers one request.
func (c *conn) serveOne() error {
	if err := c.SetReadDeadline(time.Now().Add(headTime)); err != nil {
		return err
	}
	q, err := readRequest(c.r)
	if refused := (*statusError)(nil); errors.As(err, &refused) {
		q.last = true
		c.writeHead(q, refused.status, refused.text, "null-body=0")
	}
	if err != nil {
		return err
	}
	q.last = q.last || c.isEnding()
	c.until = time.Now().Add(bodyTime)
	defer func() { c.until = time.Time{} }()
	if q.method == http.MethodOptions {
		c.writeOptions(q)
	} else if err := c.modify(q); err != nil {
		return err
	}
	if q.last {
		return errLast
	}
	return nil
}

// modify answers a REQMOD request. Before the answer, it reads the rest of the request, because some clients read the
// response only after they have sent everything.
func (c *conn) modify(q request) error {
	if c.s.Ready != nil {
		if err := c.s.Ready(); err != nil {
			q.last = true
			c.writeHead(q, http.StatusServiceUnavailable, "Service Unavailable", "null-body=0")
			return err
		}
	}
	refusal := c.judge(&q) //nolint:bodyclose // refuse closes it
	if refusal == nil && !q.preview && !q.allow {
		return c.echo(q)
	}
	if q.hasBody {
		if err := copyBody(io.Discard, c.r); err != nil {
			return err
		}
	}
	if refusal != nil {
		return c.refuse(q, refusal)
	}
	c.writeHead(q, http.StatusNoContent, "No Content", "")
	return nil
}

// judge looks up a request. It returns the response with which the request is refused, or nil if the request may
// pass.
func (c *conn) judge(q *request) *http.Response {
	if q.tooLong {
		return plain(http.StatusRequestHeaderFieldsTooLarge,
			fmt.Sprintf("The header of this request is longer than %d bytes.", maxHTTPHead))
	}
	h := parseHTTP(q.http)
	m, listed, err := httpfilter.Lookup(c.s.Filter.List, h.method, h.target, h.hosts...)
	switch {
	case err != nil || (!listed || m.Monitor) && !isMethod(h.method):
		return plain(http.StatusBadRequest, httpfilter.Unreadable)
	case !listed || m.Monitor:
		return nil
	}
	u, err := url.Parse(h.target)
	if err != nil {
		u = &url.URL{Opaque: h.target}
	}
	return c.s.Filter.Response(&http.Request{
		Method: h.method, URL: u, Host: strings.Join(h.hosts, ","),
		Header: http.Header{"Accept": h.accept},
	}, m)
}

// plain returns a response with one line of text as its body.
func plain(status int, text string) *http.Response {
	text += "\n"
	return &http.Response{
		Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), ContentLength: int64(len(text)),
		Body: io.NopCloser(strings.NewReader(text)),
		Header: http.Header{
			"Cache-Control": {"no-store"}, "Content-Type": {"text/plain; charset=utf-8"},
			"Content-Length": {strconv.Itoa(len(text))},
		},
	}
}

// refuse sends a response that the proxy passes on to its client instead of forwarding the request.
func (c *conn) refuse(q request, response *http.Response) error {
	defer response.Body.Close() //nolint:errcheck // it is in memory
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 %s\r\n", response.Status)
	if err := response.Header.Write(&head); err != nil {
		return err
	}
	head.WriteString("\r\n")
	kind := "res-body"
	if response.ContentLength == 0 {
		kind = "null-body"
	}
	c.writeHead(q, http.StatusOK, "OK", fmt.Sprintf("res-hdr=0, %s=%d", kind, head.Len()))
	_, _ = head.WriteTo(c.w) // Flush returns the error
	if response.ContentLength == 0 {
		return nil
	}
	return c.writeBody(func(w io.Writer) error { _, err := io.Copy(w, response.Body); return err })
}

// echo sends the request back unchanged, for a client that does not accept 204.
func (c *conn) echo(q request) error {
	kind := "null-body"
	if q.hasBody {
		kind = "req-body"
	}
	c.writeHead(q, http.StatusOK, "OK", fmt.Sprintf("req-hdr=0, %s=%d", kind, len(q.http)))
	_, _ = c.w.Write(q.http) // Flush returns the error
	if !q.hasBody {
		return nil
	}
	return c.writeBody(func(w io.Writer) error { return copyBody(w, c.r) })
}

// writeBody writes a chunked body. The function write writes its content.
func (c *conn) writeBody(write func(io.Writer) error) error {
	chunks := httputil.NewChunkedWriter(c.w)
	if err := write(chunks); err != nil {
		return err
	}
	_ = chunks.Close() // writes the last chunk
	_, err := io.WriteString(c.w, "\r\n")
	return err
}

// copyBody copies a chunked body, and skips its trailer.
func copyBody(w io.Writer, r *bufio.Reader) error {
	if _, err := io.Copy(w, httputil.NewChunkedReader(r)); err != nil {
		return fmt.Errorf("reading a body: %w", err)
	}
	for seen := 0; seen < maxHead; {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("reading a body: %w", err)
		}
		if seen += len(line); len(bytes.TrimRight(line, "\r\n")) == 0 {
			return nil
		}
	}
	return fmt.Errorf("reading a body: %w: its trailer", blocklist.ErrTooLarge)
}

// writeHead writes the status line and the header of an ICAP response. The buffered writer keeps an error until
// Flush.
func (c *conn) writeHead(q request, status int, text, encapsulated string, more ...string) {
	fmt.Fprintf(c.w, "ICAP/1.0 %d %s\r\nISTag: %q\r\nDate: %s\r\nServer: argine\r\n", status, text, c.s.Version(),
		time.Now().UTC().Format(http.TimeFormat))
	for _, field := range more {
		fmt.Fprintf(c.w, "%s\r\n", field)
	}
	if encapsulated != "" {
		fmt.Fprintf(c.w, "Encapsulated: %s\r\n", encapsulated)
	}
	if q.last {
		fmt.Fprint(c.w, "Connection: close\r\n")
	}
	fmt.Fprint(c.w, "\r\n")
}

// writeOptions answers OPTIONS with the capabilities of the service.
func (c *conn) writeOptions(q request) {
	c.writeHead(q, http.StatusOK, "OK", "null-body=0",
		"Methods: REQMOD", "Service: Argine blocklists", "Allow: 204", "Preview: 0", "Transfer-Preview: *",
		fmt.Sprintf("Options-TTL: %d", int(optionsTTL.Seconds())), fmt.Sprintf("Max-Connections: %d", c.s.MaxConnections))
}
