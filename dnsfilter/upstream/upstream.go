// Package upstream asks other resolvers: over UDP from several sockets, whose ports are random and change, with random ids; over
// TCP where the answer does not fit; or over TLS. Connections are kept, and shared by many questions. No goroutine waits for an
// answer: those that read the sockets and connections hand answers out.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/miekg/dns"
)

// rounds is how often each resolver is tried.
const rounds = 2

// Forwarder asks several resolvers. It begins with the one that answers fastest, asks the next when that takes unusually long
// or refuses, and takes the first good answer.
type Forwarder struct {
	resolvers []resolver
	encrypted bool                        // at least one
	log       atomic.Pointer[slog.Logger] // of changes; nil: they are not logged
	lane      *Lane                       // with a loop of its own; the only one if a resolver is asked over TLS
}

// New makes a forwarder to one resolver or more; it sends nothing.
func New(resolvers ...Endpoint) (*Forwarder, error) {
	if len(resolvers) == 0 {
		return nil, errors.New("making a forwarder: the address of a resolver is needed")
	}
	f := &Forwarder{resolvers: make([]resolver, len(resolvers))}
	for i, at := range resolvers {
		f.resolvers[i].at, f.resolvers[i].tls = at, at.tlsConfig()
		f.encrypted = f.encrypted || at.Name != ""
	}
	f.lane = f.newLane(nil)
	return f, nil
}

// Exchange sends query to one resolver after the other until one answers with NOERROR or NXDOMAIN. It gives
// up when ctx ends, after 4.8 seconds, or when each was tried twice; then the last answer, or else the last error, is
// returned.
func (f *Forwarder) Exchange(ctx context.Context, query *dns.Msg) (*dns.Msg, error) {
	packed, err := query.Pack()
	if err != nil {
		return nil, err
	}
	if len(packed) > maxQuery {
		return nil, fmt.Errorf("asking: a query of %d bytes is too long", len(packed))
	}
	w := waiter{make(chan struct{}), new(dns.Msg), nil}
	f.lane.Ask(packed, &w)
	f.lane.Flush()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-w.done:
		return w.reply, w.err
	}
}

// waiter is a [Receiver] for one that waits.
type waiter struct {
	done  chan struct{}
	reply *dns.Msg
	err   error
}

// Accept implements [Receiver].
func (w *waiter) Accept(reply []byte) bool {
	return reply[2]&flagTC == 0 && w.reply.Unpack(reply) == nil
}

// Answer implements [Receiver].
func (w *waiter) Answer(_ []byte, err error) {
	w.err = err
	close(w.done)
}
