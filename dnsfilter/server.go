package dnsfilter

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/errgroup"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/cache"
	"github.com/argine-dns/argine/dnsfilter/internal/cookie"
	"github.com/argine-dns/argine/dnsfilter/internal/processors"
	"github.com/argine-dns/argine/dnsfilter/internal/ratelimit"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// gracePeriod is how long pending queries may still be answered when a server ends.
const gracePeriod = 500 * time.Millisecond

// DefaultCache is how many bytes of answers a server keeps unless its configuration says otherwise.
const DefaultCache = 64 << 20

// Config says what a server is made of.
type Config struct {
	Store    *blocklist.Store // what is listed; nil: nothing
	Policy   Policy           // what happens to what is listed
	Upstream Upstream         // answers the rest; required
	Cache    int64            // bytes of answers to keep; 0: DefaultCache, below 0: none
	Log      *slog.Logger     // nil: nowhere

	// Clients are the networks whose queries a server answers; if there are none, [DefaultClients]. Others get REFUSED
	// over UDP; over TCP their connections are closed.
	Clients []netip.Prefix

	// CookieSecrets are shared with other servers that answer at the same address; if there are none, a server makes
	// its own.
	CookieSecrets []CookieSecret

	// RateLimit is for queries over UDP, except those that have a cookie of ours.
	RateLimit RateLimit

	// SpecialUse are zones that the server answers itself, as zones of which nothing is known: see [SpecialZones].
	SpecialUse []blocklist.Name
}

// Serves reports whether a client is answered. One without an IP address, of a transport that has none, always is.
func (c *Config) Serves(client netip.Addr) bool { return serves(c.Clients, client) }

// Server answers queries. Its configuration may be replaced while it runs.
type Server struct {
	store    *blocklist.Store
	current  atomic.Pointer[snapshot]
	cache    *cache.Cache
	inflight inflightTable
	seed     maphash.Seed   // of hashes of questions and clients
	unix     func() uint32  // the time
	secrets  []CookieSecret // for a policy without any
	log      *slog.Logger

	conns       connections
	enumeration *enumerationDetector
	tcpTurns    chan struct{} // a semaphore of connections that look for an answer
	latency     upstream.Histogram
	shared      counters // of all but the sockets
	mu          sync.Mutex
	counters    []*counters // one for each worker there ever was
}

// snapshot is the configuration of a server at one time. Reconfigure replaces it as a whole.
type snapshot struct {
	policy   Policy
	clients  []netip.Prefix
	views    *views
	special  specialUseZones
	limiter  *ratelimit.Limiter // nil: no limit
	secrets  []CookieSecret
	upstream Upstream
	session  upstream.Session // for goroutines that have none of their own; nil if the upstream is not async
	reports  reporter         // nil if the upstream does not know the state of its resolvers
}

// New makes a server; it starts nothing. It fails without an upstream, and as [Policy.Check] does.
func New(c Config) (*Server, error) {
	if c.Cache == 0 {
		c.Cache = DefaultCache
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{store: c.Store, cache: cache.New(max(c.Cache, 0)), log: c.Log, seed: maphash.MakeSeed()}
	s.unix = func() uint32 { return uint32(time.Now().Unix()) }
	s.secrets = []CookieSecret{cookie.NewSecret()}
	s.enumeration, s.tcpTurns = newEnumerationDetector(), make(chan struct{}, max(processors.Count()/2, 1))
	s.inflight.by = make(map[uint64]*inflight)
	return s, s.Reconfigure(c)
}

// Reconfigure replaces the configuration in one step: a query meets the old one or the new one. Store, Cache and Log
// stay as New got them. It fails as New does, and then changes nothing.
func (s *Server) Reconfigure(next Config) error {
	if next.Upstream == nil {
		return errors.New("configuring a server: an upstream is needed")
	}
	p, u := next.Policy, next.Upstream
	if err := p.Check(s.store); err != nil {
		return err
	}
	c := &snapshot{policy: p, views: newViews(&p), clients: next.Clients, upstream: u, secrets: next.CookieSecrets}
	c.special, c.limiter = newSpecialUseZones(next.SpecialUse),
		ratelimit.New(next.RateLimit.PerSecond, next.RateLimit.Slip)
	if len(c.secrets) == 0 {
		c.secrets = s.secrets
	}
	if r, ok := u.(reporter); ok {
		r.Watch(s.log)
		c.reports = r
	}
	if a, ok := u.(AsyncUpstream); ok {
		c.session = a.NewSession(nil, nil)
	}
	s.current.Store(c)
	return nil
}

// Policy returns the policy of the server as it is now.
func (s *Server) Policy() Policy { return s.current.Load().policy }

// Serve answers on the listeners until ctx ends, then finishes the pending queries (for at most half a second) and
// returns nil. Meanwhile it accepts no new connections, closes idle ones, and goes on answering over UDP; what its
// sockets hold in the end is still answered where that needs no upstream. It returns earlier, with an error, if a
// listener fails. The listeners are closed in any case.
//
// On Linux, GOMAXPROCS is higher meanwhile: by one for each processor, since a thread waits for datagrams there.
func (s *Server) Serve(ctx context.Context, l *Listeners) error {
	if len(l.UDP)+len(l.TCP) == 0 {
		return errors.New("serving: there is no address to listen on")
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, conns := range socketsByWorker(l.UDP) {
		g.Go(func() error { return s.serveUDP(ctx, conns, l) })
	}
	for _, t := range l.TCP {
		g.Go(func() error { return s.serveTCP(ctx, t) })
	}
	return g.Wait()
}

// ServeDNS implements [dns.Handler], for servers of other transports.
func (s *Server) ServeDNS(w dns.ResponseWriter, msg *dns.Msg) {
	defer s.recoverPanic()
	if msg.Response {
		return
	}
	s.shared.queries.Add(1)
	client := w.RemoteAddr()
	stream, counted := false, &s.shared.answers
	if client.Network() != "udp" {
		stream, counted = true, &s.shared.streamed
	}
	if reply := s.respond(msg, s.current.Load().policy.wantsStructured(msg), stream, clientAddr(client)); len(reply) > 0 {
		counted.count(reply)
		_, _ = w.Write(reply) // the client may have gone away
	}
}

// newCounters adds counters to those that Stats sums up.
func (s *Server) newCounters() *counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := new(counters)
	s.counters = append(s.counters, c)
	return c
}

// recoverPanic limits a panic to the query that has caused it.
func (s *Server) recoverPanic() {
	if p := recover(); p != nil {
		s.log.Error("query failed", slog.Any("panic", p))
	}
}

// hash returns the hash of the key of a query, keyed at random.
func (s *Server) hash(key []byte) uint64 { return maphash.Bytes(s.seed, key) }
