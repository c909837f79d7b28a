package dnsfilter

import (
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/cache"
)

// GracePeriod is how long a server waits for pending queries when it shuts down.
const GracePeriod = 500 * time.Millisecond

// DefaultCache is the default size of the answer cache, in bytes.
const DefaultCache = 64 << 20

// Config is the configuration of a server.
type Config struct {
	Store    *blocklist.Store // the lists; nil: no lists
	Policy   Policy           // actions for the lists
	Upstream Upstream         // resolves names that are not blocked; required
	Cache    int64            // maximum size of the cached answers in bytes; 0: DefaultCache, below 0: no cache
	Log      *slog.Logger     // nil: no log

	// Clients are the networks that the server answers; if empty, [DefaultClients]. Other clients get REFUSED over UDP
	// and a closed connection over TCP.
	Clients []netip.Prefix

	// Proxies are the networks of load balancers: their TCP connections and UDP datagrams have to begin with a header
	// of the PROXY protocol, version 2. Clients, views and limits then apply to the client in the header. Headers from
	// other networks are not read.
	Proxies []netip.Prefix

	// CookieSecrets are shared by the servers behind one address. If there are none, the server creates its own.
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

	// Canaries are names whose denial tells programs not to use an encrypted resolver or a relay of their own in this
	// network: see [CanaryNames]. The action is NXDomain or NoData.
	Canaries map[blocklist.Name]Action

	// Taps receive copies of all messages from and to clients and the upstream, see [Tap].
	Taps []Tap

	// Primary has the zones of which this server is the primary, by name: other servers copy them from it.
	Primary map[blocklist.Name]PrimaryZone

	// Notified answers a notification (NOTIFY, RFC 1996) about a zone that this server copies from a primary. The
	// primary need not be in Clients. For other messages Notified returns nil. Without such zones, the field is nil.
	Notified func(message []byte, client netip.Addr) (answer []byte)
}

// ForwardZone is a zone that another upstream answers. Its answers share the cache with all others.
type ForwardZone struct {
	Zone     blocklist.Name
	Upstream Upstream
}

// PrimaryZone is a zone of which this server is the primary, such as a response policy zone. Other servers can copy it,
// but its names can't be looked up here.
type PrimaryZone interface {
	// SOA answers an unsigned SOA query: it returns the record in wire form without its owner name, or else nil and the
	// rcode of the refusal.
	SOA(client netip.Addr) (record []byte, rcode int)
	// Transfer answers a message about the top of the zone: a request for a transfer (AXFR, IXFR), or any message with a
	// signature (TSIG). The argument stream is true over TCP, and false over UDP. Transfer calls send with each message of
	// the answer, whose bytes are valid until send returns. If send fails, Transfer returns.
	Transfer(message []byte, client netip.Addr, stream bool, send func(message []byte) error)
}

// Serves reports whether the server answers a client. A client without an IP address is always answered.
func (c *Config) Serves(client netip.Addr) bool { return serves(c.Clients, client) }

// Stale limits how long expired answers are used (serve-stale). The zero value is the default: a day.
type Stale struct {
	Off bool
	Max time.Duration // maximum time after the expiry, up to MaxStale; 0: 24 hours
}

// MaxStale is the maximum of [Stale].Max: a week (RFC 8767, section 5).
const MaxStale = 7 * 24 * time.Hour

// Check returns an error that wraps [blocklist.ErrMalformed] if Max is out of range.
func (s Stale) Check() error {
	if s.Max < 0 || s.Max > MaxStale {
		return fmt.Errorf("configuring a server: %w: expired answers are used for %s at most, not for %s", blocklist.ErrMalformed, MaxStale, s.Max)
	}
	return nil
}

// seconds returns how long the cache keeps expired answers, in seconds after their expiry.
func (s Stale) seconds() uint32 {
	switch {
	case s.Off:
		return 0
	case s.Max == 0:
		return cache.DefaultStale
	}
	return uint32(s.Max / time.Second)
}
