// Package icap is a service for HTTP proxies that speak ICAP (RFC 3507): it looks at requests before they leave
// (REQMOD), and has those refused that ask for what a list holds.
//
//	server := icap.Server{Filter: httpfilter.Filter{List: store}, Version: store.Version}
//	err := server.Serve(ctx, listener)
//
// The service is icap://HOST:PORT/reqmod. What is not listed is answered with 204, No Content, as soon as its header
// is there: no body is asked for (Preview: 0). What is listed gets the refusal of package httpfilter, with status
// 451. A request that can't be judged is refused by itself, with status 400, or 431 where its header is too long (RFC
// 6585): to the proxy that is no fault of the service. The ISTag changes with the lists, so that a proxy forgets what
// it was told before. A CONNECT shows host and port alone.
//
// There is no TLS and no authentication: listen where only the proxy gets to.
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

// Path is that of the service.
const Path = "/reqmod"

// Limits on what a client may take of the server. The body of a request is passed on or over as it comes, never kept.
const (
	maxHead       = 32 << 10  // bytes of an ICAP header
	maxHTTPHead   = 128 << 10 // bytes of the header in it that is looked at; what is longer is refused
	maxPassedOver = 16 << 20  // bytes of such a header that are read, so that the connection goes on
	headTime      = 10 * time.Second
	bodyTime      = 10 * time.Minute
	stallTime     = 30 * time.Second // for the next bytes of a body, and for taking an answer
	idleTime      = 5 * time.Minute  // between requests
	endTime       = 5 * time.Second  // for what is under way when the server ends
	optionsTTL    = time.Minute
)

// DefaultConnections is how many connections a server has at once where nothing else is said.
const DefaultConnections = 1000

// Server is a REQMOD service. Filter and Version are needed.
type Server struct {
	Filter httpfilter.Filter
	// Version names what the filter's list finds now, in at most 30 letters and digits: [blocklist.Store.Version].
	Version func() string
	// Ready tells why requests can't be answered now: they get 503, and the proxy does what it is configured to do
	// without the service. Nil: they always can.
	Ready func() error
	// MaxConnections are served at once, more wait. Zero: [DefaultConnections].
	MaxConnections int
	Log            *slog.Logger // nil: nothing is logged
}

// Serve answers what comes over l until ctx ends, and closes l. What is under way then is finished, for some seconds.
// The error is that of l, or nil at the end of ctx.
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
		_ = limited.Close() // Accept tells
		all.end()
	}()
	err := running.accept(ctx, limited, all)
	cancel()
	<-ended
	return err
}

// accept takes connections until l is closed.
func (s *Server) accept(ctx context.Context, l net.Listener, all *conns) error {
	const pause = 50 * time.Millisecond // out of files, perhaps
	for {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = c.Close() // nothing was asked yet
			}
			return nil //nolint:nilerr // it was to end
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

// conns are the connections that are open.
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
		_ = c.Close() // nothing was asked yet
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

// end closes the connections that wait for a request, and the others when theirs is answered.
func (a *conns) end() {
	a.each(func(c *conn) { c.end() })
	late := time.AfterFunc(endTime, func() { a.each(func(c *conn) { _ = c.Close() }) }) // a client that takes its time
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
