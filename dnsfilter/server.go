package dnsfilter

import (
	"bufio"
	"errors"
	"hash/maphash"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/cache"
	"github.com/argine-dns/argine/dnsfilter/internal/cookie"
	"github.com/argine-dns/argine/dnsfilter/internal/processors"
	"github.com/argine-dns/argine/dnsfilter/internal/ratelimit"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// Server is a DNS server. Its configuration can be replaced while it runs.
type Server struct {
	store    *blocklist.Store
	current  atomic.Pointer[snapshot]
	cache    *cache.Cache
	inflight inflightTable
	seed     maphash.Seed   // seed for hashes of questions and clients
	unix     func() uint32  // returns the current time in Unix seconds
	secrets  []CookieSecret // the server's own secrets, used if the configuration has none
	log      *slog.Logger

	plain       connections // connections over TCP, unencrypted
	encrypted   connections // connections over TLS and HTTPS
	quic        connections // connections over QUIC and HTTP/3
	streamed    [QUIC + 1]answerCounters
	badHeaders  atomic.Uint64
	writers     sync.Pool // unused values of type *bufio.Writer
	queries     sync.Pool // unused values of type *query
	enumeration *enumerationDetector
	turns       chan struct{} // semaphore: limits how many connections compute an answer at the same time
	latency     upstream.Histogram
	shared      counters // counts everything except queries over UDP on the fast path
	mu          sync.Mutex
	counters    []*counters // one for each worker, including those that have ended
}

// snapshot is an immutable configuration of a server. Reconfigure replaces it as a whole.
type snapshot struct {
	policy  Policy
	clients []netip.Prefix
	proxies []netip.Prefix
	views   *views
	zones   zones
	limiter *ratelimit.Limiter // nil: no limit
	secrets []CookieSecret
	general *resolvers // [Config].Upstream, for all names outside the forward zones
	id      ServerID
	taps    taps

	notified func(message []byte, client netip.Addr) []byte // see [Config].Notified
}

// New creates a server, and starts nothing. It fails if the configuration has no upstream, an invalid policy (see
// [Policy.Check]) or other invalid settings.
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
	s.enumeration, s.turns = newEnumerationDetector(), make(chan struct{}, max(processors.Count()/2, 1))
	s.plain.max, s.encrypted.max, s.quic.max = maxConns, maxEncrypted, maxQUIC
	s.writers.New = func() any { return bufio.NewWriter(nil) }
	s.inflight.by = make(map[uint64]*inflight)
	return s, s.Reconfigure(c)
}

// Reconfigure replaces the configuration atomically: each query is handled by the old one or the new one. Store, Cache
// and Log can't be changed; their new values are ignored. The errors are those of New; after an error, the old
// configuration remains.
func (s *Server) Reconfigure(next Config) error {
	if next.Upstream == nil {
		return errors.New("configuring a server: an upstream is needed")
	}
	p := next.Policy
	if err := p.Check(s.store); err != nil {
		return err
	}
	if err := errors.Join(next.checkZones(), next.ServerID.Check(), next.Stale.Check()); err != nil {
		return err
	}
	c := &snapshot{policy: p, views: newViews(&p), clients: next.Clients, secrets: next.CookieSecrets}
	c.zones, c.general, c.id = newZones(&next), newResolvers(next.Upstream, ""), next.ServerID
	c.proxies, c.taps, c.notified = next.Proxies, next.Taps, next.Notified
	c.limiter = ratelimit.New(next.RateLimit.PerSecond, next.RateLimit.Slip)
	if len(c.secrets) == 0 {
		c.secrets = s.secrets
	}
	for _, r := range c.resolvers() {
		if r.reports != nil {
			r.reports.Watch(s.log)
		}
	}
	c.taps.watch(c.resolvers())
	s.cache.SetStale(next.Stale.seconds())
	s.current.Store(c)
	return nil
}

// Policy returns the current policy of the server.
func (s *Server) Policy() Policy { return s.current.Load().policy }

// newCounters creates the counters of a worker, and adds them to those that Stats sums up.
func (s *Server) newCounters() *counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := new(counters)
	s.counters = append(s.counters, c)
	return c
}

// recoverPanic recovers from a panic, so that only the query that caused it fails.
func (s *Server) recoverPanic() {
	if p := recover(); p != nil {
		s.log.Error("query failed", slog.Any("panic", p))
	}
}

// hash returns the hash of a query's cache key, with a random seed.
func (s *Server) hash(key []byte) uint64 { return maphash.Bytes(s.seed, key) }

// Decide returns the decision on a query for a name, by the lists and policy zones in the client's view. The name is in
// lower-case wire form. No counter changes. The decision keeps a reference to name.
func (s *Server) Decide(name []byte, client netip.Addr) Decision {
	v := s.current.Load().views.of(plainAddr(client))
	return v.WithZones(v.Decide(s.store, name), name, client)
}

// resolvers returns the general upstream, and those of the forward zones in the order of their names.
func (c *snapshot) resolvers() []*resolvers {
	all := []*resolvers{c.general}
	for _, name := range slices.Sorted(maps.Keys(c.zones.by)) {
		if r := c.zones.by[name].forward; r != nil {
			all = append(all, r)
		}
	}
	return all
}

// resolversFor returns the upstream to ask for a query. The zone of the query's name must have been looked up before.
func (c *snapshot) resolversFor(q *query) *resolvers {
	if q.resolvers != nil {
		return q.resolvers
	}
	return c.general
}
