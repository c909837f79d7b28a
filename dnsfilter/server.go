package dnsfilter

import (
	"bufio"
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

// GracePeriod is how long a server waits for pending queries when it shuts down.
const GracePeriod = 500 * time.Millisecond

// DefaultCache is the default size of the answer cache, in bytes.
const DefaultCache = 64 << 20

// Config is the configuration of a server.
type Config struct {
	Store    *blocklist.Store // the lists; nil: none
	Policy   Policy           // actions for the lists
	Upstream Upstream         // resolves names that are not blocked; required
	Cache    int64            // bytes of answers to keep; 0: DefaultCache, below 0: none
	Log      *slog.Logger     // nil: no log

	// Clients are the networks that the server answers; if empty, [DefaultClients]. Other clients get REFUSED over UDP
	// and a closed connection over TCP.
	Clients []netip.Prefix

	// Proxies are the networks whose word on the address of a client is taken: their TCP connections and UDP datagrams
	// have to begin with a header of the PROXY protocol, version 2. Clients, views and limits then apply to the client
	// behind them. Other networks' headers are not read.
	Proxies []netip.Prefix

	// CookieSecrets are shared by servers that answer at the same address. If there are none, the server creates its
	// own.
	CookieSecrets []CookieSecret

	// RateLimit applies to queries over UDP without a valid server cookie.
	RateLimit RateLimit

	// SpecialUse are zones that the server answers itself, as empty zones: see [SpecialZones].
	SpecialUse []blocklist.Name

	// Forward are zones that other upstreams answer. They take precedence over SpecialUse for the same zone. If zones
	// contain each other, the longest name counts.
	Forward []ForwardZone

	// Stale limits the use of expired answers while the upstream fails (serve-stale).
	Stale Stale

	// ServerID is what the server says about itself.
	ServerID ServerID

	// Records are local data; nil: none. They take precedence over forward and special-use zones, not over lists.
	Records *Records

	// Canaries are names by which programs find out whether this network has an encrypted resolver or a relay of theirs
	// turned off (see [CanaryNames]), with the action NXDomain or NoData.
	Canaries map[blocklist.Name]Action

	// Taps see all messages; none cost nothing.
	Taps []Tap

	// Primary are the zones that this server is the primary of.
	Primary map[blocklist.Name]PrimaryZone

	// Notified answers a notification (NOTIFY, RFC 1996) about a zone that is copied from another server, which may be
	// none of the clients. For other messages it returns nil. Nil: there are no such zones.
	Notified func(message []byte, client netip.Addr) (answer []byte)
}

// ForwardZone is a zone that another upstream answers. Its answers share the cache with all others.
type ForwardZone struct {
	Zone     blocklist.Name
	Upstream Upstream
}

// Serves reports whether a client is answered. A client without an IP address, from a transport that has none, always
// is.
func (c *Config) Serves(client netip.Addr) bool { return serves(c.Clients, client) }

// Server is a DNS server. Its configuration can be replaced while it runs.
type Server struct {
	store    *blocklist.Store
	current  atomic.Pointer[snapshot]
	cache    *cache.Cache
	inflight inflightTable
	seed     maphash.Seed   // for hashes of questions and clients
	unix     func() uint32  // current time
	secrets  []CookieSecret // used if the configuration has none
	log      *slog.Logger

	plain       connections // over TCP
	encrypted   connections // over TLS, HTTPS and QUIC
	streamed    [QUIC + 1]answerCounters
	badHeaders  atomic.Uint64
	writers     sync.Pool // of *bufio.Writer
	queries     sync.Pool // of *query
	enumeration *enumerationDetector
	turns       chan struct{} // semaphore: connections that compute an answer
	latency     upstream.Histogram
	shared      counters // for everything except UDP sockets
	mu          sync.Mutex
	counters    []*counters // one for each worker, ended ones included
}

// snapshot is the configuration of a server at one time. Reconfigure replaces it as a whole.
type snapshot struct {
	policy  Policy
	clients []netip.Prefix
	proxies []netip.Prefix
	views   *views
	zones   zones
	limiter *ratelimit.Limiter // nil: no limit
	secrets []CookieSecret
	general *resolvers // for all names outside the forward zones
	id      ServerID
	taps    []Tap

	notified func(message []byte, client netip.Addr) []byte // see Config
}

// New creates a server and starts nothing. It fails without an upstream, and as [Policy.Check] does.
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
	s.plain.max, s.encrypted.max = maxConns, maxEncrypted
	s.writers.New = func() any { return bufio.NewWriter(nil) }
	s.inflight.by = make(map[uint64]*inflight)
	return s, s.Reconfigure(c)
}

// Reconfigure replaces the configuration atomically: each query is handled by the old one or the new one. Store, Cache
// and Log can't be changed; their new values are ignored. It fails as New does, and then changes nothing.
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
	c.tapUpstream()
	s.cache.SetStale(next.Stale.seconds())
	s.current.Store(c)
	return nil
}

// Policy returns the current policy of the server.
func (s *Server) Policy() Policy { return s.current.Load().policy }

// Serve answers queries on the listeners until ctx ends. Then it finishes pending queries (for at most half a second)
// and returns nil. During that time it accepts no new connections, closes idle ones, and still answers over UDP.
// Queries left in its sockets are then answered if that needs no upstream. It returns early, with an error, if a
// listener fails. The listeners are always closed.
//
// On Linux, Serve raises GOMAXPROCS by one for each processor while it runs, since each has a thread that waits for
// datagrams.
func (s *Server) Serve(ctx context.Context, l *Listeners) error {
	if len(l.UDP)+len(l.TCP) == 0 {
		return errors.New("serving: there is no address to listen on")
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, conns := range socketsByWorker(l.UDP) {
		g.Go(func() error { return s.serveUDP(ctx, conns, l) })
	}
	for _, t := range l.TCP {
		g.Go(func() error { return s.ServeStreams(ctx, t, TCP, nil) })
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
	how, counted := UDP, &s.shared.answers
	if client.Network() != "udp" {
		how, counted = TCP, &s.streamed[TCP]
	}
	c := s.current.Load()
	opt := ednsRequest{structured: c.policy.wantsStructured(msg), nsid: requests(msg, dns.EDNS0NSID)}
	if reply := s.respond(msg, &query{counters: &s.shared}, opt, how, clientAddr(client)); len(reply) > 0 {
		counted.count(reply)
		_, _ = w.Write(reply) // the client may have gone away
	}
}

// newCounters creates counters that Stats includes in its sums.
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
