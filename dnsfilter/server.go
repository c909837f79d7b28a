package dnsfilter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/argine-dns/argine/blocklist"
)

// Limits of a server. doc.go tells them.
const (
	maxWaiting   = 4096            // questions at the upstream at once
	answerWithin = 5 * time.Second // from the question to the answer
	drainWithin  = 5 * time.Second // for the queries in flight when the server ends
)

// DefaultCache is how many bytes of answers a server keeps unless told otherwise.
const DefaultCache = 64 << 20

// Upstream answers questions about names that are not listed. Exchange is called by many goroutines at once; it ends when
// ctx does. The query has one question, in lower case, and belongs to the callee. Of the answer the rcode, the AD bit and
// the records are used.
type Upstream interface {
	Exchange(ctx context.Context, query *dns.Msg) (*dns.Msg, error)
}

// Config says what a server is made of.
type Config struct {
	Store    *blocklist.Store // what is listed; nil: nothing
	Policy   Policy           // what happens to what is listed
	Upstream Upstream         // answers the rest; required
	Cache    int64            // bytes of answers to keep; 0: DefaultCache, below 0: none
	Log      *slog.Logger     // nil: nowhere
}

// Server answers queries. Its policy and upstream may be replaced while it runs.
type Server struct {
	store   *blocklist.Store
	current atomic.Pointer[course]
	cache   *cache
	flights singleflight.Group
	waiting atomic.Int64
	log     *slog.Logger
	stats   counters
}

// course is what Reconfigure replaces in one step.
type course struct {
	policy   Policy
	upstream Upstream
}

// New makes a server; it starts nothing.
func New(c Config) (*Server, error) {
	if c.Upstream == nil {
		return nil, errors.New("making a server: an upstream is needed")
	}
	if c.Cache == 0 {
		c.Cache = DefaultCache
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{store: c.Store, cache: newCache(max(c.Cache, 0)), log: c.Log}
	s.Reconfigure(c.Policy, c.Upstream)
	return s, nil
}

// Reconfigure replaces policy and upstream in one step: a query meets the old ones or the new ones.
func (s *Server) Reconfigure(p Policy, u Upstream) { s.current.Store(&course{policy: p, upstream: u}) }

// Serve answers on the listeners until ctx ends, then finishes the queries in flight (for at most 5 seconds) and returns
// nil. It returns earlier, with an error, if a listener fails. The listeners are closed in any case.
func (s *Server) Serve(ctx context.Context, l *Listeners) error {
	servers := l.servers(s)
	if len(servers) == 0 {
		return errors.New("serving: there is no address to listen on")
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, d := range servers {
		g.Go(func() error { return serveOne(ctx, d) })
	}
	return g.Wait()
}

// serveOne runs one listener until ctx ends.
func serveOne(ctx context.Context, d *dns.Server) error {
	started, done := make(chan struct{}), make(chan error, 1)
	d.NotifyStartedFunc = func() { close(started) }
	go func() { done <- d.ActivateAndServe() }()
	select {
	case err := <-done:
		return fmt.Errorf("serving: %w", err)
	case <-started:
	}
	select {
	case err := <-done:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainWithin)
	defer cancel()
	_ = d.ShutdownContext(end) // its one error is that queries in flight were left behind
	return nil
}

// ServeDNS implements [dns.Handler], for servers of other transports.
func (s *Server) ServeDNS(w dns.ResponseWriter, msg *dns.Msg) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("query failed", slog.Any("panic", p))
		}
	}()
	if msg.Response {
		return
	}
	s.stats.queries.Add(1)
	stream := w.RemoteAddr().Network() != "udp"
	if reply := s.respond(msg, stream); reply != nil {
		_, _ = w.Write(reply) // a client that went away is no concern of ours
	}
}

// respond returns the answer to a message in wire form; nil means none.
func (s *Server) respond(msg *dns.Msg, stream bool) []byte {
	var q query
	if rcode := q.check(msg, stream); rcode != dns.RcodeSuccess {
		return q.finish(q.message(rcode, nil, nil))
	}
	current := s.current.Load()
	if d := s.decide(&current.policy, &q); d.Blocks() {
		a, ok := d.answer(&q)
		if !ok {
			return nil
		}
		return q.finish(a)
	}
	a, ok := s.resolve(current.upstream, &q)
	if !ok {
		return nil
	}
	return q.finish(a)
}

// check returns the rcode of a query that is refused before anything is looked at.
func (q *query) check(msg *dns.Msg, stream bool) int {
	q.msg, q.size = msg, minSize
	switch {
	case msg.Opcode != dns.OpcodeQuery:
		return dns.RcodeNotImplemented
	case !q.parse(msg, stream):
		return dns.RcodeFormatError
	case q.opt != nil && q.opt.Version() != 0:
		return dns.RcodeBadVers
	case q.class != dns.ClassINET, refusedType(q.qtype):
		return dns.RcodeRefused
	}
	return dns.RcodeSuccess
}

// refusedType tells types that ask for something else than the records of a name.
func refusedType(t uint16) bool {
	switch t {
	case dns.TypeAXFR, dns.TypeIXFR, dns.TypeMAILA, dns.TypeMAILB, dns.TypeOPT, dns.TypeTKEY, dns.TypeTSIG:
		return true
	}
	return false
}

func (s *Server) decide(p *Policy, q *query) Decision {
	if s.store == nil {
		return Decision{}
	}
	d := p.Decide(s.store, q.name)
	s.stats.count(d)
	return d
}
