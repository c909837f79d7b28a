// Package upstream forwards queries to other resolvers: over UDP from several sockets, whose ports are random and
// change, with random IDs and 0x20; over TCP where the answer does not fit; or over TLS (RFC 7858). Connections are
// kept open and shared by many queries. No goroutine waits for a reply: those that read the sockets and connections
// hand replies out.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// rounds is how often each resolver is tried.
const rounds = 2

// Forwarder forwards queries to several resolvers. It begins with the fastest one, fails over to the next when that
// takes unusually long or fails, and accepts the first good answer. Use it by [Forwarder.Exchange], or without waiting
// by [Forwarder.NewSession].
type Forwarder struct {
	resolvers []resolver
	encrypted bool                        // at least one is asked over TLS
	log       atomic.Pointer[slog.Logger] // of changes of their state; nil: none
	shared    *pool                       // with a loop of its own; the only one if a resolver is asked over TLS
}

// New makes a forwarder to one resolver or more; it sends nothing. It fails without one.
func New(resolvers ...Endpoint) (*Forwarder, error) {
	if len(resolvers) == 0 {
		return nil, errors.New("making a forwarder: the address of a resolver is needed")
	}
	f := &Forwarder{resolvers: make([]resolver, len(resolvers))}
	for i, at := range resolvers {
		f.resolvers[i].at, f.resolvers[i].tls = at, at.tlsConfig()
		f.encrypted = f.encrypted || at.Name != ""
	}
	f.shared = f.newPool(nil)
	return f, nil
}

// Exchange sends query to one resolver after the other until one answers with NOERROR or NXDOMAIN. It gives up when ctx
// ends, after 4.8 seconds, or when each was asked twice; then it returns the last failure of a resolver, or else the
// last error.
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
