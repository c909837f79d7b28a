package secure

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/grace"
)

// mediaType is the media type of DNS messages (RFC 8484, section 6).
const mediaType = "application/dns-message"

// Limits of HTTP. They are documented in package dnsfilter, with the limits of connections.
const (
	maxHeaderBytes = 8 << 10
	maxQuery       = 4 << 10 // maximum size of a query, in bytes
	maxStreams     = 100     // maximum number of open streams per connection
	headerTimeout  = 5 * time.Second
	requestTimeout = 10 * time.Second
	idleTimeout    = 30 * time.Second
)

// admittedKey is the context key of the admitted connection ([dnsfilter.Conn]) that a request came over.
type admittedKey struct{}

// httpConn is an admitted connection, which is released when it is closed.
type httpConn struct {
	net.Conn

	admitted *dnsfilter.Conn
	once     sync.Once
}

func (c *httpConn) Close() error {
	c.once.Do(c.admitted.Release)
	return c.Conn.Close()
}

// httpListener is a listener for an HTTP server. Its Accept returns connections that are already admitted.
type httpListener struct {
	net.Listener

	conns chan net.Conn
	done  <-chan struct{}
}

func (l httpListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// add passes an admitted connection to the HTTP server.
func (l httpListener) add(conn net.Conn, c *dnsfilter.Conn) {
	admitted := &httpConn{Conn: conn, admitted: c}
	select {
	case l.conns <- admitted:
	case <-l.done:
		_ = admitted.Close()
	}
}

// serveHTTPS answers requests on the connections of a listener until ctx ends. Then it closes the listener.
func serveHTTPS(ctx context.Context, s *dnsfilter.Server, l net.Listener, config *tls.Config) error {
	ctx, cancel := context.WithCancel(ctx)
	h := http.Server{
		Handler: http.HandlerFunc(serveRequest), MaxHeaderBytes: maxHeaderBytes,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			if c, ok := conn.(*httpConn); ok {
				ctx = context.WithValue(ctx, admittedKey{}, c.admitted)
			}
			return ctx
		},
	}
	version1 := httpListener{Listener: l, conns: make(chan net.Conn), done: ctx.Done()}
	served := make(chan error, 1)
	go func() { served <- h.Serve(version1) }()
	var open sync.WaitGroup
	var unfinished unfinished
	err := s.Accept(ctx, l, dnsfilter.HTTPS, func(conn net.Conn, c *dnsfilter.Conn) {
		open.Go(func() {
			switch secured := c.Handshake(ctx, conn, config); {
			case secured == nil:
			case secured.ConnectionState().NegotiatedProtocol == http2.NextProtoTLS:
				open.Go(func() { newHTTP2(secured, c, &unfinished).run(ctx, &open) })
			default:
				version1.add(secured, c)
			}
		})
	})
	cancel()
	if errServe := <-served; !errors.Is(errServe, net.ErrClosed) {
		err = errors.Join(err, fmt.Errorf("serving HTTPS: %w", errServe))
	}
	endHTTP(&h)
	grace.Wait(&open, dnsfilter.GracePeriod)
	return err
}

// endHTTP ends an HTTP server. It closes idle connections at once, and the others after their requests or the grace
// period.
func endHTTP(h *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), dnsfilter.GracePeriod)
	defer cancel()
	if h.Shutdown(ctx) != nil {
		_ = h.Close() // the requests that are left are cut off
	}
}

// buffers has the buffers for the query and the answer of one request.
type buffers struct{ query, answer []byte }

var pool = sync.Pool{New: func() any { return &buffers{make([]byte, 0, maxQuery+1), make([]byte, 0, maxQuery)} }} //nolint:gochecknoglobals // a pool

// serveRequest answers a DNS query in a GET or POST request (RFC 8484, section 4.1).
func serveRequest(w http.ResponseWriter, r *http.Request) {
	c, _ := r.Context().Value(admittedKey{}).(*dnsfilter.Conn)
	if c == nil {
		panic(http.ErrAbortHandler) // the connection is about to end
	}
	b, _ := pool.Get().(*buffers)
	defer pool.Put(b)
	status := b.read(w, r)
	if status != http.StatusOK {
		http.Error(w, http.StatusText(status), status)
		return
	}
	m := c.Answer(b.answer[:0], b.query)
	if len(m) == 0 {
		panic(http.ErrAbortHandler) // no answer is sent: the policy says so, or there is no room
	}
	h := w.Header()
	h["Content-Type"] = []string{mediaType}
	h["Cache-Control"] = []string{cacheControl(m)}
	h["Content-Length"] = []string{strconv.Itoa(len(m))}
	if _, err := w.Write(m); err != nil {
		panic(http.ErrAbortHandler) // the client is gone, or does not read
	}
}

// read reads the query of a request into b. It returns 200, or the HTTP status of the refusal.
func (b *buffers) read(w http.ResponseWriter, r *http.Request) (status int) {
	b.query = b.query[:0]
	switch status = headerStatus(r.Method, r.URL.Path, r.Header.Get("Content-Type"), r.ContentLength); {
	case status == http.StatusMethodNotAllowed:
		w.Header().Set("Allow", "GET, POST")
		return status
	case status != http.StatusOK:
		return status
	case r.Method == http.MethodGet:
		return b.readParameter(r.URL.RawQuery)
	}
	n, err := io.ReadFull(r.Body, b.query[:maxQuery+1])
	b.query = b.query[:n]
	switch {
	case n > maxQuery:
		return http.StatusRequestEntityTooLarge
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) || n < minQuery:
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// headerStatus returns 200, or the HTTP status of the refusal if a request with these header fields is not acceptable.
func headerStatus(method, path, media string, length int64) int {
	switch {
	case path != dnsfilter.HTTPSPath:
		return http.StatusNotFound
	case method == http.MethodGet:
		return http.StatusOK
	case method != http.MethodPost:
		return http.StatusMethodNotAllowed
	case media != mediaType:
		return http.StatusUnsupportedMediaType
	case length > maxQuery:
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusOK
}

// minQuery is the minimum size of a query in bytes: that of the message header.
const minQuery = 12

// readParameter reads the query from the parameter dns of a raw URL query into b. It returns 200, or the HTTP status of
// the refusal.
func (b *buffers) readParameter(raw string) (status int) {
	for parameter := range strings.SplitSeq(raw, "&") {
		text, ok := strings.CutPrefix(parameter, "dns=")
		if !ok {
			continue
		}
		if base64.RawURLEncoding.DecodedLen(len(text)) > maxQuery {
			return http.StatusRequestURITooLong
		}
		var err error
		if b.query, err = base64.RawURLEncoding.AppendDecode(b.query, []byte(text)); err == nil && len(b.query) >= minQuery {
			return http.StatusOK
		}
		break
	}
	return http.StatusBadRequest
}
