// Package icap is a service for HTTP proxies that speak ICAP (RFC 3507). It checks requests before the proxy forwards
// them (REQMOD), and refuses requests for listed URLs.
//
//	server := icap.Server{Filter: httpfilter.Filter{List: store}, Version: store.Version}
//	err := server.Serve(ctx, listener)
//
// The service's URL is icap://HOST:PORT/reqmod. A request that is not listed is answered with 204, No Content, as soon
// as its header is read: the service asks for no body (Preview: 0). A listed request gets the refusal of package
// httpfilter, with status 451. An ambiguous request is refused with HTTP status 400, and a request whose header is too
// long with 431 (RFC 6585). These are HTTP responses, not ICAP errors, so the proxy does not regard the service as
// failed. The ISTag changes with the lists, so a proxy drops its cached verdicts. A CONNECT request shows only host and
// port.
//
// There is no TLS and no authentication: listen on an address that only the proxy can reach.
package icap

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/argine-dns/argine/blocklist/httpfilter"
)

// Path is the path of the service's URL.
const Path = "/reqmod"

// Limits on what a client can use up. The body of a request is forwarded or discarded as it arrives, never stored.
const (
	maxHead     = 32 << 10  // maximum bytes of an ICAP header
	maxHTTPHead = 128 << 10 // maximum bytes of an HTTP header; a request with a longer one is refused
	// maxPassedOver is the maximum length of an HTTP header, in bytes. A header that is longer than maxHTTPHead is
	// skipped up to this length, so that the connection stays usable.
	maxPassedOver = 16 << 20
	headTime      = 10 * time.Second
	bodyTime      = 10 * time.Minute
	stallTime     = 30 * time.Second // time limit for each read of a body and each write of a response
	idleTime      = 5 * time.Minute  // time limit for the pause between requests
	endTime       = 5 * time.Second  // time limit for requests in progress when the server shuts down
	optionsTTL    = time.Minute
)

// DefaultConnections is the default of [Server].MaxConnections.
const DefaultConnections = 1000

// Server is a REQMOD service. Filter and Version are required.
type Server struct {
	Filter httpfilter.Filter
	// Version returns the version of the filter's list, at most 30 letters and digits, such as
	// [blocklist.Store.Version]. It changes whenever lookup results may change.
	Version func() string
	// Ready returns an error while the service can't answer requests. The service then answers with status 503, and the
	// proxy does what it is configured to do if the service fails. Nil: always ready.
	Ready func() error
	// MaxConnections is the maximum number of connections that are served at once. Further connections wait. Zero:
	// [DefaultConnections].
	MaxConnections int
	Log            *slog.Logger // nil: nothing is logged
}

// Serve answers requests on connections from l until ctx ends, and closes l. Requests in progress have five seconds
// to finish. It returns the error of l, or nil after the end of ctx.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	running := *s
	if running.MaxConnections <= 0 {
		running.MaxConnections = DefaultConnections
	}
	if running.Log == nil {
		running.Log = slog.New(slog.DiscardHandler)
	}
	all := &conns{open: map[*conn]struct{}{}}
	limited := netutil.LimitListener(l, running.MaxConnections)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-ctx.Done()
		_ = limited.Close() // Accept returns the error
		all.end()
	}()
	err := running.accept(ctx, limited, all)
	cancel()
	<-ended
	return err
}

// accept accepts connections until l is closed.
func (s *Server) accept(ctx context.Context, l net.Listener, all *conns) error {
	const pause = 50 * time.Millisecond // accepting may fail for lack of file descriptors
	for {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = c.Close() // no request was read yet
			}
			return nil //nolint:nilerr // the server shuts down
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			s.Log.WarnContext(ctx, "accepting a connection", slog.Any("error", err))
			time.Sleep(pause)
			continue
		}
		all.serve(newConn(s, c))
	}
}

// conns is the set of open connections.
type conns struct {
	mu    sync.Mutex
	ended bool
	open  map[*conn]struct{}
	all   sync.WaitGroup
}

func (a *conns) serve(c *conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		_ = c.Close() // no request was read yet
		return
	}
	a.open[c] = struct{}{}
	a.all.Go(func() {
		c.serve()
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.open, c)
	})
}

// end closes idle connections at once, and the others after the response in progress, or after endTime. It waits
// until all are closed.
func (a *conns) end() {
	a.each(func(c *conn) { c.end() })
	late := time.AfterFunc(endTime, func() { a.each(func(c *conn) { _ = c.Close() }) }) // slow clients
	defer late.Stop()
	a.all.Wait()
}

func (a *conns) each(do func(*conn)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	for c := range a.open {
		do(c)
	}
}
