// Package upstream asks other resolvers: over UDP from several sockets, whose ports are random and change, with random ids; over
// TCP where the answer does not fit. No goroutine waits for an answer: those that read the sockets hand answers out.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// tryWithin is how long one resolver has for one answer over TCP.
const tryWithin = 2 * time.Second

// rounds is how often each resolver is tried.
const rounds = 2

// maxTCP is how many questions may be asked over TCP at once.
const maxTCP = 256

// errMismatch is returned for a TCP reply to another query than the one sent.
var errMismatch = errors.New("the reply does not belong to the query")

// errBusy is returned if too many questions are asked over TCP at once.
var errBusy = errors.New("too many questions are asked over TCP at once")

// Forwarder asks several resolvers. It begins with the one that answers fastest, asks the next when that takes unusually long
// or refuses, and takes the first good answer.
type Forwarder struct {
	resolvers []resolver
	tcp       chan struct{}
	lane      *Lane // for Exchange
}

// New makes a forwarder to one resolver or more; it sends nothing.
func New(addrs ...netip.AddrPort) (*Forwarder, error) {
	if len(addrs) == 0 {
		return nil, errors.New("making a forwarder: the address of a resolver is needed")
	}
	f := &Forwarder{resolvers: make([]resolver, len(addrs)), tcp: make(chan struct{}, maxTCP)}
	for i, at := range addrs {
		f.resolvers[i].addr = at
	}
	f.lane = f.NewLane(nil)
	return f, nil
}

// ParseAddr reads the address of a resolver: an IP address, with a port unless it is 53.
func ParseAddr(text string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return netip.AddrPortFrom(a, 53), nil
	}
	at, err := netip.ParseAddrPort(text)
	if err != nil || at.Port() == 0 {
		return at, fmt.Errorf("resolver %q: write an IP address, or one with a port like 192.0.2.53:53", text)
	}
	return at, nil
}

// Exchange sends query to one resolver after the other until one answers with anything but SERVFAIL or REFUSED. It gives
// up when ctx ends, after five seconds, or when each was tried twice; then the last answer, or else the last error, is
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

// Answer implements [Receiver].
func (w *waiter) Answer(reply []byte, err error) {
	if w.err = err; err == nil {
		w.err = w.reply.Unpack(reply)
	}
	close(w.done)
}
