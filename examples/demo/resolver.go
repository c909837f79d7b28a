package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/errgroup"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// zone has the records that the demo's upstream answers with, so that the demo needs no network.
const zone = `
$TTL 300
example.org.       SOA ns.example.org. host.example.org. 1 3600 600 86400 300
www.example.org.   A 192.0.2.1
www.example.org.   AAAA 2001:db8::1
exact.example.org. A 192.0.2.2
a.exact.example.org. A 192.0.2.3
unblocked.example. A 192.0.2.4
`

// resolver is the enforcing side of the demo: a store, a subscription that updates it, and a server that uses it.
type resolver struct {
	store     *blocklist.Store
	sub       *subscribe.Subscription
	server    *dnsfilter.Server
	listeners *dnsfilter.Listeners
	addr      netip.AddrPort
}

func newResolver(dir, originURL string, root []byte, listen string) (r *resolver, err error) {
	r = &resolver{}
	if r.store, err = blocklist.Open(filepath.Join(dir, "store"), blocklist.Options{}); err != nil {
		return nil, err
	}
	r.sub, err = subscribe.New(r.store, subscribe.Config{
		List: listName, Root: root, Origins: []string{originURL},
		Interval: 5 * time.Second,
	})
	if err != nil {
		return nil, errors.Join(err, r.store.Close())
	}
	rest, err := upstream.NewZone(zone)
	if err != nil {
		return nil, errors.Join(err, r.store.Close())
	}
	rule := dnsfilter.Rule{List: listName, Action: dnsfilter.NXDomain, Reason: dnsfilter.Censored}
	r.server, err = dnsfilter.New(dnsfilter.Config{
		Store:  r.store,
		Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{rule}, Later: []string{listName}}, Upstream: rest,
	})
	if err != nil {
		return nil, errors.Join(err, r.store.Close())
	}
	if err := r.listen(listen); err != nil {
		return nil, errors.Join(err, r.store.Close())
	}
	return r, nil
}

func (r *resolver) listen(at string) (err error) {
	r.listeners, err = dnsfilter.Listen(context.Background(), "udp://"+at)
	if err != nil {
		return err
	}
	r.addr, err = netip.ParseAddrPort(r.listeners.UDP[0].LocalAddr().String())
	return err
}

// run answers queries and updates the list until ctx ends.
func (r *resolver) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.server.Serve(ctx, r.listeners) })
	g.Go(func() error {
		if err := r.sub.Run(ctx); !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	})
	return errors.Join(g.Wait(), r.store.Close())
}

// show waits until the list is in force, and then queries the resolver.
func (r *resolver) show(ctx context.Context, s *steps) error {
	start := time.Now()
	for r.sub.Status().Serial == 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	st := r.sub.Status()
	s.did(fmt.Sprintf("the resolver at %s has verified serial %d and enforces its %d entries", r.addr, st.Serial,
		st.Entries), time.Since(start))
	for _, q := range []struct{ name, what string }{
		{"blocked.example.", "listed"},
		{"www.blocked.example.", "below a listed name"},
		{"unblocked.example.", "a neighbour"},
		{"exact.example.org.", "listed alone"},
		{"a.exact.example.org.", "below a name that is listed alone"},
		{"www.example.org.", "not listed"},
	} {
		start := time.Now()
		got, err := r.ask(ctx, q.name)
		if err != nil {
			return err
		}
		s.did(fmt.Sprintf("%-22s %-34s -> %s", q.name, q.what, got), time.Since(start))
	}
	return nil
}

// ask queries the resolver for a name over a socket, and returns the answer in words.
func (r *resolver) ask(ctx context.Context, name string) (string, error) {
	m := new(dns.Msg).SetQuestion(name, dns.TypeA).SetEdns0(1232, false)
	reply, err := dns.ExchangeContext(ctx, m, r.addr.String())
	if err != nil {
		return "", err
	}
	text := dns.RcodeToString[reply.Rcode]
	for _, rr := range reply.Answer {
		if a, ok := rr.(*dns.A); ok {
			text += " " + a.A.String()
		}
	}
	opt := reply.IsEdns0()
	if opt == nil {
		return text, nil
	}
	for _, option := range opt.Option {
		if e, ok := option.(*dns.EDNS0_EDE); ok {
			text += fmt.Sprintf(", EDE %d (%s)", e.InfoCode, dns.ExtendedErrorCodeToString[e.InfoCode])
		}
	}
	return text, nil
}
