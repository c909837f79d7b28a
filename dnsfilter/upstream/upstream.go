// Package upstream forwards queries to other resolvers. Over UDP, it uses random IDs, 0x20, and several sockets whose
// random ports change; truncated answers are fetched again over TCP. It also speaks DNS over TLS (RFC 7858). Many
// queries share one connection. No goroutine waits for a reply: the goroutines that read the sockets and connections
// deliver the replies.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// rounds is the maximum number of attempts per resolver.
const rounds = 2

// Forwarder forwards queries to several resolvers. It sends a query to the fastest resolver first. If that resolver is
// slow or fails, it sends the query to the next one, too. It accepts the first good answer. [Forwarder.Exchange] waits
// for the answer; the sessions of [Forwarder.NewSession] do not.
type Forwarder struct {
	resolvers []resolver
	encrypted bool                        // at least one resolver uses TLS
	log       atomic.Pointer[slog.Logger] // log of outages; nil: none
	tap       atomic.Pointer[func(Message)]
	shared    *pool // pool with its own loop; if encrypted is true, the only pool
	now       func() time.Time
	tick      time.Duration // interval for checking timeouts
}

// New creates a forwarder to one or more resolvers. It returns an error if there are none. It sends nothing.
func New(resolvers ...Endpoint) (*Forwarder, error) {
	if len(resolvers) == 0 {
		return nil, errors.New("making a forwarder: the address of a resolver is needed")
	}
	f := &Forwarder{resolvers: make([]resolver, len(resolvers)), now: time.Now, tick: 50 * time.Millisecond}
	for i, at := range resolvers {
		f.resolvers[i].at, f.resolvers[i].tls = at, at.tlsConfig()
		f.encrypted = f.encrypted || at.Name != ""
	}
	f.shared = f.newPool(nil)
	return f, nil
}

// Exchange sends a query to one resolver after another until one answers with NOERROR or NXDOMAIN. It gives up after
// 4.8 seconds, after two attempts per resolver, or after eight attempts. Then it returns the last failure reply, or an
// error if there is none. If ctx ends before that, it returns the error of ctx.
func (f *Forwarder) Exchange(ctx context.Context, query *dns.Msg) (*dns.Msg, error) {
	packed, err := query.Pack()
	if err != nil {
		return nil, err
	}
	if len(packed) > maxQuery {
		return nil, fmt.Errorf("asking: a query of %d bytes is too long", len(packed))
	}
	w := waiter{make(chan struct{}), new(dns.Msg), nil}
	f.shared.Ask(packed, &w)
	f.shared.Flush()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-w.done:
		return w.reply, w.err
	}
}

// waiter is the [Receiver] of Exchange.
type waiter struct {
	done  chan struct{}
	reply *dns.Msg
	err   error
}

// Accept implements [Receiver].
func (w *waiter) Accept(reply []byte) bool {
	return !dnswire.IsTruncated(reply) && w.reply.Unpack(reply) == nil
}

// Answer implements [Receiver].
func (w *waiter) Answer(_ []byte, err error) {
	w.err = err
	close(w.done)
}
