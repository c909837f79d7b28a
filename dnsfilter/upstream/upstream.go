// Package upstream asks other resolvers. Queries go over UDP from a socket of their own, so each has a random port as
// well as a random id, and over TCP where the answer does not fit.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// tryWithin is how long one resolver has for one answer.
const tryWithin = 2 * time.Second

// rounds is how often each resolver is tried.
const rounds = 2

// errMismatch is returned for a TCP reply to another query than the one sent.
var errMismatch = errors.New("the reply does not belong to the query")

// Forwarder asks several resolvers, one at a time. It begins with the one that answered last, so one that is down costs
// time once.
type Forwarder struct {
	addrs []netip.AddrPort
	first atomic.Uint32
}

// New makes a forwarder to one resolver or more; it sends nothing.
func New(addrs ...netip.AddrPort) (*Forwarder, error) {
	if len(addrs) == 0 {
		return nil, errors.New("making a forwarder: the address of a resolver is needed")
	}
	return &Forwarder{addrs: addrs}, nil
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
// up when ctx ends or each was tried twice; then the last answer, or else the last error, is returned. The id of the query
// is replaced by a random one.
func (f *Forwarder) Exchange(ctx context.Context, query *dns.Msg) (*dns.Msg, error) {
	var refusal *dns.Msg
	var last error
	first := f.first.Load()
	for i := range uint32(rounds * len(f.addrs)) {
		if i >= uint32(len(f.addrs)) && refusal != nil || ctx.Err() != nil {
			break
		}
		n := (first + i) % uint32(len(f.addrs))
		reply, err := ask(ctx, f.addrs[n], query)
		switch {
		case err != nil:
			last = fmt.Errorf("asking %s: %w", f.addrs[n], err)
		case reply.Rcode == dns.RcodeServerFailure || reply.Rcode == dns.RcodeRefused:
			refusal = reply
		default:
			f.first.CompareAndSwap(first, n)
			return reply, nil
		}
	}
	if refusal != nil {
		return refusal, nil
	}
	if last == nil {
		last = ctx.Err()
	}
	return nil, last
}

// ask tries one resolver once, over TCP if the answer over UDP was cut.
func ask(ctx context.Context, at netip.AddrPort, query *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, tryWithin)
	defer cancel()
	query.Id = dns.Id()
	packed, err := query.Pack()
	if err != nil {
		return nil, err
	}
	reply, err := exchange(ctx, "udp", at, query, packed)
	if err == nil && reply.Truncated {
		return exchange(ctx, "tcp", at, query, packed)
	}
	return reply, err
}

// exchange sends a packed query and waits for its reply.
func exchange(ctx context.Context, network string, at netip.AddrPort, query *dns.Msg, packed []byte) (*dns.Msg, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, at.String())
	if err != nil {
		return nil, timely(ctx, err)
	}
	defer conn.Close() //nolint:errcheck // nothing is left to lose
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	framed := dns.Conn{Conn: conn, UDPSize: 4096}
	if _, err := framed.Write(packed); err != nil {
		return nil, timely(ctx, err)
	}
	for {
		packet, err := framed.ReadMsgHeader(nil)
		var malformed *dns.Error
		if err != nil && !errors.As(err, &malformed) {
			return nil, timely(ctx, err)
		}
		reply := new(dns.Msg)
		if err == nil && reply.Unpack(packet) == nil && matches(reply, query) {
			return reply, nil
		}
		if network == "tcp" {
			return nil, errMismatch
		}
	}
}

// timely gives every way of running out of time the same error.
func timely(ctx context.Context, err error) error {
	var n net.Error
	if ctx.Err() != nil || errors.As(err, &n) && n.Timeout() {
		return context.DeadlineExceeded
	}
	return err
}

// matches tells whether reply answers query and not another. Over UDP the rest (address and port) is up to the socket,
// which is connected.
func matches(reply, query *dns.Msg) bool {
	if !reply.Response || reply.Id != query.Id || reply.Opcode != query.Opcode || len(reply.Question) != 1 {
		return false
	}
	r, q := reply.Question[0], query.Question[0]
	return r.Qtype == q.Qtype && r.Qclass == q.Qclass && strings.EqualFold(r.Name, q.Name)
}
