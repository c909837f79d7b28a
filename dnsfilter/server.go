package dnsfilter

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/errgroup"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/processors"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// Limits of a server. doc.go tells them.
const (
	maxWaiting   = 4096                    // questions at the upstream at once
	answerWithin = 4800 * time.Millisecond // from the question to the answer: stubs give up after 5 seconds
	graceWithin  = 500 * time.Millisecond  // for the queries in flight when the server ends
	settleEvery  = 2 * time.Millisecond    // how often it is looked whether they are done
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
	flights flights
	spare   sync.Pool      // of *flight
	unix    func() uint32  // the time
	secrets []CookieSecret // of those that share none
	log     *slog.Logger

	conns    connections
	alarm    *alarm
	turns    chan struct{} // of connections
	latency  upstream.Histogram
	shared   counters // of all but the sockets
	mu       sync.Mutex
	counters []*counters // one for each socket there ever was
}

// course is what Reconfigure replaces in one step.
type course struct {
	policy   Policy
	views    *views
	special  zones
	limiter  *limiter // nil: no limit
	secrets  []CookieSecret
	upstream Upstream
	session  upstream.Session // for goroutines that have none of their own; nil if the upstream is not async
	reports  reporting        // nil if the upstream does not know how its resolvers are doing
}

// New makes a server; it starts nothing. It fails without an upstream, and as [Policy.Check] does.
func New(c Config) (*Server, error) {
	if c.Upstream == nil {
		return nil, errors.New("making a server: an upstream is needed")
	}
	if err := c.Policy.Check(c.Store); err != nil {
		return nil, err
	}
	if c.Cache == 0 {
		c.Cache = DefaultCache
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{store: c.Store, cache: newCache(max(c.Cache, 0)), log: c.Log}
	s.unix = func() uint32 { return uint32(time.Now().Unix()) }
	s.secrets = []CookieSecret{newCookieSecret()}
	s.alarm, s.turns = newAlarm(), make(chan struct{}, max(processors.Count()/2, 1))
	s.flights.by = make(map[uint64]*flight)
	s.spare.New = func() any { return new(flight) }
	s.Reconfigure(c.Policy, c.Upstream)
	return s, nil
}

// Reconfigure replaces policy and upstream in one step: a query meets the old ones or the new ones. The policy is one
// that [Policy.Check] takes.
func (s *Server) Reconfigure(p Policy, u Upstream) {
	c := &course{policy: p, views: newViews(&p), special: newZones(p.Special), limiter: newLimiter(p.RateLimit), upstream: u}
	if c.secrets = p.CookieSecrets; len(c.secrets) == 0 {
		c.secrets = s.secrets
	}
	if w, ok := u.(reporting); ok {
		w.Watch(s.log)
		c.reports = w
	}
	if a, ok := u.(AsyncUpstream); ok {
		c.session = a.NewSession(nil, nil)
	}
	s.current.Store(c)
}

// Serve answers on the listeners until ctx ends, then finishes the queries in flight (for at most half a second) and returns
// nil. Meanwhile it takes no new connections, closes idle ones, and goes on answering over UDP; what its sockets hold in the end
// is still answered where that needs no upstream. It returns earlier, with an error, if a listener fails. The listeners are
// closed in any case.
//
// On Linux, GOMAXPROCS is higher meanwhile: by one for each processor, since a thread waits for datagrams there.
func (s *Server) Serve(ctx context.Context, l *Listeners) error {
	if len(l.UDP)+len(l.TCP) == 0 {
		return errors.New("serving: there is no address to listen on")
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, conns := range cores(l.UDP) {
		g.Go(func() error { return s.serveUDP(ctx, conns, &l.held) })
	}
	for _, t := range l.TCP {
		g.Go(func() error { return s.serveTCP(ctx, t) })
	}
	return g.Wait()
}

// ServeDNS implements [dns.Handler], for servers of other transports.
func (s *Server) ServeDNS(w dns.ResponseWriter, msg *dns.Msg) {
	defer s.survive()
	if msg.Response {
		return
	}
	s.shared.queries.Add(1)
	s.answerMessage(w, msg)
}

// answerMessage writes the answer to a message, if there is one.
func (s *Server) answerMessage(w dns.ResponseWriter, msg *dns.Msg) {
	client := w.RemoteAddr()
	stream, counted := false, &s.shared.answers
	if client.Network() != "udp" {
		stream, counted = true, &s.shared.streamed
	}
	if reply := s.respond(msg, s.current.Load().policy.wantsStructured(msg), stream, clientAddr(client)); len(reply) > 0 {
		counted.count(reply)
		_, _ = w.Write(reply) // a client that went away is no concern of ours
	}
}

// survive keeps a fault from hurting more than the query in which it came to light.
func (s *Server) survive() {
	if p := recover(); p != nil {
		s.log.Error("query failed", slog.Any("panic", p))
	}
}

// local appends the answer to a query that can be given at once: by a decision, or from the cache. It reports whether the upstream
// is to be asked: for the answer if there is none yet, else because the one given is about to expire or has expired. No answer
// and nothing to ask means that nothing is to be sent. It is the one way to an answer, whichever way the query came.
func (s *Server) local(c *course, dst []byte, q *query, now uint32) (m []byte, ask bool) {
	if s.store != nil {
		if d := c.views.decide(s.store, q); d.Blocks() {
			s.alarm.note(q, &d, now, s.log)
			m, _ := d.answer(dst, q)
			return m, false
		}
	}
	if zone := c.special.find(q.name()); zone != "" {
		if m, ok := q.local(dst, zone); ok {
			return m, false
		}
	}
	if q.qtype == dns.TypeANY && (!q.do || !q.overStream()) {
		return q.minimalAny(dst), false
	}
	q.stale = false
	m, how := s.cache.get(dst, q, now)
	switch {
	case how == notFound, how == stale && !c.isDown():
		q.stale = how == stale
		return nil, true
	case how >= stale:
		q.counters.hits.Add(1)
		return s.deliver(c, q, m, outdate(m)), how != resting
	}
	q.counters.hits.Add(1)
	return s.deliver(c, q, m, 0), how == due
}

// isDown reports whether the upstream answers nothing: then nobody is made to wait for it who can be served otherwise.
func (c *course) isDown() bool {
	if c.reports == nil {
		return false
	}
	_, down := c.reports.Down()
	return down
}
