package dnsfilter

import (
	"context"
	"log/slog"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// Upstream resolves names that are not listed. Exchange is called by many goroutines at once and returns when ctx ends.
// The query has one question, in lower case, and belongs to the callee. Of the answer, the rcode, the AD bit and the
// records are used.
type Upstream interface {
	Exchange(ctx context.Context, query *dns.Msg) (*dns.Msg, error)
}

// AsyncUpstream is an [Upstream] that takes packed queries without waiting for their replies. A server uses its
// sessions instead of Exchange, so a query needs neither a goroutine nor an allocation. The server opens one session
// for each goroutine that reads sockets, with that goroutine's loop. One more session without a loop (nil) serves
// everything else. [upstream.Forwarder] implements it.
//
// A type that wraps a Forwarder has to implement NewSession as well. With Exchange alone, each query takes a goroutine.
// If the type embeds the Forwarder, the server calls the embedded NewSession and never the type's own Exchange.
type AsyncUpstream interface {
	Upstream

	// NewSession is described at [upstream.Forwarder.NewSession].
	NewSession(loop *upstream.Loop, idle func()) upstream.Session
}

// type check.
var _ AsyncUpstream = (*upstream.Forwarder)(nil)

// reporter is an upstream that reports the state of its resolvers.
type reporter interface {
	Watch(log *slog.Logger)
	Tap(see func(upstream.Message))
	Probe()
	Down() (since time.Time, down bool)
	Status() []upstream.Status
}

// type check.
var _ reporter = (*upstream.Forwarder)(nil)

// resolvers is an upstream as the server uses it.
type resolvers struct {
	upstream Upstream
	session  upstream.Session // for goroutines without a session of their own; nil if the upstream is not async
	reports  reporter         // nil if the upstream does not report the state of its resolvers
	zone     string           // empty: the general upstream
}

func newResolvers(u Upstream, zone string) *resolvers {
	r := &resolvers{upstream: u, zone: zone}
	r.reports, _ = u.(reporter)
	if a, ok := u.(AsyncUpstream); ok {
		r.session = a.NewSession(nil, nil)
	}
	return r
}

// isDown reports whether all of the resolvers are down. Then clients get an expired answer without waiting, if there is
// one.
func (r *resolvers) isDown() bool {
	if r.reports == nil {
		return false
	}
	_, down := r.reports.Down()
	return down
}
