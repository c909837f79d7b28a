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

// PrimaryZone is a zone that this server is the primary of, such as a response policy zone. Its names can't be looked
// up: it is for other servers, which copy it.
type PrimaryZone interface {
	// SOA returns the zone's SOA record without its owner, for an unsigned query, or else the rcode of a refusal.
	SOA(client netip.Addr) (record []byte, rcode int)
	// Transfer answers a message with a signature (TSIG) or a request for a transfer, about the top of the zone. It
	// calls send with each message of the answer, which is valid until send returns. After an error of send, it returns.
	Transfer(message []byte, client netip.Addr, stream bool, send func(message []byte) error)
}

// Serves reports whether a client is answered. A client without an IP address, from a transport that has none, always
// is.
func (c *Config) Serves(client netip.Addr) bool { return serves(c.Clients, client) }

// Stale is how long expired answers are used. The zero value is the default: a day.
type Stale struct {
	Off bool
	Max time.Duration // after the expiry, at most MaxStale; 0: 24 hours
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

// seconds returns how long the cache keeps expired answers.
func (s Stale) seconds() uint32 {
	switch {
	case s.Off:
		return 0
	case s.Max == 0:
		return cache.DefaultStale
	}
	return uint32(s.Max / time.Second)
}
