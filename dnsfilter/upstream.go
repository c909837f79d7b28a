package dnsfilter

import (
	"context"
	"log/slog"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// Upstream resolves names that are not blocked. Exchange has to be safe for concurrent use, and to return when ctx
// ends. The query has one question, with the name in lower case. Exchange may change the query. The server uses the
// rcode, the AD bit and the records of the reply.
type Upstream interface {
	Exchange(ctx context.Context, query *dns.Msg) (*dns.Msg, error)
}

// AsyncUpstream is an [Upstream] that takes packed queries without waiting for their replies. A server uses its
// sessions instead of Exchange, so a query needs neither a goroutine nor an allocation. The server opens one session
// for each goroutine that reads UDP sockets, with that goroutine's loop. One more session, with a nil loop, serves all
// other goroutines. [upstream.Forwarder] implements AsyncUpstream.
//
// A type that wraps a Forwarder has to implement NewSession as well. With Exchange alone, each query takes a goroutine.
// If the type embeds the Forwarder, the server calls the embedded NewSession and never the type's own Exchange.
type AsyncUpstream interface {
	Upstream

	// NewSession is described at [upstream.Forwarder.NewSession].
	NewSession(loop *upstream.Loop, idle func()) upstream.Session
}

// Type check.
var _ AsyncUpstream = (*upstream.Forwarder)(nil)

// reporter is an upstream that reports the state of its resolvers.
type reporter interface {
	Watch(log *slog.Logger)
	Tap(see func(upstream.Message))
	Probe()
	Down() (since time.Time, down bool)
	Status() []upstream.Status
}

// Type check.
var _ reporter = (*upstream.Forwarder)(nil)

// resolvers is an upstream with its optional interfaces.
type resolvers struct {
	upstream Upstream
	session  upstream.Session // session for goroutines without one of their own; nil if the upstream is not async
	reports  reporter         // state of the resolvers; nil if the upstream does not report it
	zone     string           // name of the forward zone; empty: the general upstream
}

func newResolvers(u Upstream, zone string) *resolvers {
	r := &resolvers{upstream: u, zone: zone}
	r.reports, _ = u.(reporter)
	if a, ok := u.(AsyncUpstream); ok {
		r.session = a.NewSession(nil, nil)
	}
	return r
}

// isDown reports whether all resolvers of the upstream are down. If so, clients get the expired answer in the cache
// without waiting, if there is one.
func (r *resolvers) isDown() bool {
	if r.reports == nil {
		return false
	}
	_, down := r.reports.Down()
	return down
}
