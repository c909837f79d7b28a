package dnsfilter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
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
	if len(l.UDP)+len(l.TCP) == 0 {
		return errors.New("serving: there is no address to listen on")
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, conn := range l.UDP {
		g.Go(func() error { return s.serveUDP(ctx, conn) })
	}
	for _, t := range l.TCP {
		g.Go(func() error { return serveTCP(ctx, tcpServer(s.limitClients(t), s)) })
	}
	return g.Wait()
}

// serveTCP runs one listener until ctx ends.
func serveTCP(ctx context.Context, d *dns.Server) error {
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
	defer s.survive()
	if msg.Response {
		return
	}
	s.stats.queries.Add(1)
	s.answerMessage(w, msg)
}

// answerMessage writes the answer to a message, if there is one.
func (s *Server) answerMessage(w dns.ResponseWriter, msg *dns.Msg) {
	client := w.RemoteAddr()
	if reply := s.respond(msg, client.Network() != "udp", clientAddr(client)); reply != nil {
		_, _ = w.Write(reply) // a client that went away is no concern of ours
	}
}

// survive keeps a fault from hurting more than the query in which it came to light.
func (s *Server) survive() {
	if p := recover(); p != nil {
		s.log.Error("query failed", slog.Any("panic", p))
	}
}

// respond returns the answer to a message in wire form; nil means none.
func (s *Server) respond(msg *dns.Msg, stream bool, client netip.Addr) []byte {
	q := new(query)
	if msg.Opcode != dns.OpcodeQuery {
		q.id, q.size, q.flags = msg.Id, minSize, headerFlags(msg)
		return q.refuse(nil, dns.RcodeNotImplemented, 0)
	}
	if !q.parse(msg, stream) {
		return q.refuse(nil, dns.RcodeFormatError, 0)
	}
	if rcode := q.check(); rcode != dns.RcodeSuccess {
		return q.refuse(nil, rcode, 0)
	}
	current := s.current.Load()
	if !current.policy.serves(client) {
		return q.refuse(nil, dns.RcodeRefused, dns.ExtendedErrorCodeProhibited)
	}
	m, found := s.local(current, nil, q, s.cache.now())
	if !found {
		return s.resolve(current, q)
	}
	return m
}

// local appends the answer to a query that can be given at once, without asking upstream: by a decision, or from the cache.
// An answer of no bytes means that nothing is to be sent. It is the one way to an answer, whichever way the query came.
func (s *Server) local(c *course, dst []byte, q *query, now uint32) (_ []byte, found bool) {
	if s.store != nil {
		d := c.policy.Decide(s.store, q.name())
		s.stats.count(&d)
		q.allowed = d.allows()
		if d.Blocks() {
			m, ok := d.answer(dst, q)
			if !ok {
				return nil, true
			}
			return m, true
		}
	}
	if q.qtype == dns.TypeANY {
		return q.minimalAny(dst), true
	}
	m, ok := s.cached(c, dst, q, now)
	if ok {
		s.stats.hits.Add(1)
	}
	return m, ok
}
