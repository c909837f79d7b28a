package service_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/blocklist/receipt"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/service"
)

const probed = blocktest.List

// followed puts a signed list in force, as serial 1 in a new store.
func followed(t *testing.T, store *blocklist.Store, lines ...string) *blocklist.Store {
	t.Helper()
	o := blocktest.NewOrigin(t, lines...)
	sub, err := subscribe.New(store, subscribe.Config{List: probed, Root: o.Root, Origins: []string{o.URL}})
	require.NoError(t, err)
	_, err = sub.Refresh(t.Context())
	require.NoError(t, err)
	require.Nil(t, sub.Status().Hold)
	return store
}

// probedStore has a signed list, an allow list, and another list.
func probedStore(t *testing.T) (*blocklist.Store, uint64) {
	t.Helper()
	store := dnstest.NewStore(t, map[string]string{"allow": "allowed.example", "other": "both.example\ngone-but-other.example"})
	followed(t, store, "=host.example", "new.example", "both.example", "www.allowed.example", "odd.example category=odd", "parent.example")
	info, _ := store.List(probed)
	return store, info.Serial
}

func entries(t *testing.T, lines ...string) (all []blocklist.Entry) {
	t.Helper()
	for _, line := range lines {
		e, err := blocklist.ParseEntry(line)
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

// addrs returns both addresses of a server under test.
func addrs(t *testing.T, at string) []net.Addr {
	t.Helper()
	a, err := netip.ParseAddrPort(at)
	require.NoError(t, err)
	return []net.Addr{net.UDPAddrFromAddrPort(a), net.TCPAddrFromAddrPort(a)}
}

func TestProber(t *testing.T) {
	t.Parallel()
	store, serial := probedStore(t)
	right := subscribe.Probe{
		List: probed, Test: blocklist.CanaryName(probed, serial), Gone: blocklist.CanaryName(probed, serial-1),
		Added:   entries(t, "new.example", "=host.example", "both.example", "www.allowed.example", "odd.example category=odd"),
		Removed: entries(t, "old.example", "=old.example", "gone-but-other.example", "child.parent.example"),
	}
	with := func(change func(*subscribe.Probe)) subscribe.Probe { p := right; change(&p); return p }
	everything := receipt.Asked{Test: 2, Gone: 2, Added: 3, Removed: 2} // what others decide about is left out
	drop := dnsfilter.Rule{List: probed, Action: dnsfilter.Drop}
	nx := dnsfilter.Rule{List: probed, Action: dnsfilter.NXDomain, Reason: dnsfilter.Censored}
	sink := dnsfilter.Rule{List: probed, Action: dnsfilter.Sinkhole, Sinkhole: []netip.Addr{netip.MustParseAddr("192.0.2.80")}}
	mute := dnsfilter.Rule{List: probed, Action: dnsfilter.NXDomain, Reason: dnsfilter.NoReason}
	other := dnsfilter.Rule{List: "other", Action: dnsfilter.Refused}
	test, err := blocklist.ParseName("test")
	require.NoError(t, err)
	v := func(r ...dnsfilter.Rule) dnsfilter.Policy {
		return dnsfilter.Policy{Allow: []string{"allow"}, Rules: r}
	}
	for name, c := range map[string]struct {
		policy dnsfilter.Policy
		probe  subscribe.Probe
		want   receipt.Asked
		says   string
		is     error
	}{
		"nxdomain":              {v(nx), right, receipt.Asked{Test: 2, Gone: 2, Added: 4, Removed: 3}, "", nil},
		"after another list":    {v(other, nx), right, everything, "", nil},
		"sinkhole":              {v(other, sink), right, everything, "", nil},
		"test is special":       {v(other, nx), right, everything, "", nil},
		"test is special, mute": {v(other, mute), right, everything, "", nil},
		"drop":                  {v(drop), subscribe.Probe{List: probed, Test: right.Test, Gone: right.Gone}, receipt.Asked{Test: 2, Gone: 2}, "", nil},
		"category that passes": {
			v(other, dnsfilter.Rule{List: probed, Action: dnsfilter.NXDomain, Categories: map[string]dnsfilter.Action{"odd": dnsfilter.Pass}}), right,
			receipt.Asked{Test: 2, Gone: 2, Added: 2, Removed: 2},
			"", nil,
		},
		"an old serial":        {v(nx), with(func(p *subscribe.Probe) { p.Test, p.Gone = p.Gone, p.Test }), receipt.Asked{}, "not in force", nil},
		"both are in force":    {v(nx), with(func(p *subscribe.Probe) { p.Gone = p.Test }), receipt.Asked{Test: 1}, "serial before: it is blocked", nil},
		"not listed after all": {v(nx), with(func(p *subscribe.Probe) { p.Added = entries(t, "missing.example") }), receipt.Asked{Test: 1, Gone: 1}, "not in force", nil},
		"monitor":              {v(dnsfilter.Rule{List: probed, Action: dnsfilter.Monitor}), right, receipt.Asked{}, "monitor", subscribe.ErrNotEnforced},
		"no rule":              {v(other), right, receipt.Asked{}, "no rule", subscribe.ErrNotEnforced},
		"a view without it":    {dnsfilter.Policy{Rules: []dnsfilter.Rule{nx}, Views: []dnsfilter.View{{Clients: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}}, right, receipt.Asked{}, "192.0.2.0/24", subscribe.ErrNotEnforced},
		"loopback not served":  {v(nx), right, receipt.Asked{}, "name it in clients", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := dnsfilter.Config{Store: store, Policy: c.policy}
			switch {
			case strings.HasPrefix(name, "test is special"):
				server.SpecialUse = []blocklist.Name{test}
			case name == "loopback not served":
				server.Clients = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
			}
			s := dnstest.NewServer(t, server) // its upstream must not be asked
			at, _ := dnstest.Serve(t, s)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			got, err := service.NewProber(s, store, addrs(t, at)...)(ctx, c.probe)
			assert.Equal(t, c.want, got)
			if c.says == "" {
				assert.NoError(t, err)
				assert.Zero(t, s.Stats().Failures)
				return
			}
			assert.ErrorContains(t, err, c.says)
			for _, e := range right.Added {
				assert.NotContains(t, err.Error(), e.Target(), "names stay out of logs")
			}
			if c.is != nil {
				assert.ErrorIs(t, err, c.is)
			}
		})
	}
}

// A resolver that does something else than its policy says gets no receipt: here another one answers in its place.
func TestProberFindsAnotherAnswer(t *testing.T) {
	t.Parallel()
	store, serial := probedStore(t)
	nx := dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: probed, Action: dnsfilter.NXDomain}}}
	ours := dnstest.NewServer(t, dnsfilter.Config{Store: store, Policy: nx})
	p := subscribe.Probe{List: probed, Test: blocklist.CanaryName(probed, serial), Gone: blocklist.CanaryName(probed, serial-1)}
	zone := dnstest.NewZone(t, "$TTL 300\n*. A 192.0.2.3\n. SOA ns. h. 1 2 3 4 5\n")
	stale := dnstest.NewStore(t, nil)
	blocktest.SetList(t, stale, probed, "old.example") // a local one has no serial
	for name, c := range map[string]dnsfilter.Config{
		"one that blocks nothing":          {Upstream: zone},
		"one with another list in force":   {Store: stale, Policy: nx, Upstream: zone},
		"one with another action in force": {Store: store, Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: probed, Action: dnsfilter.Refused}}}, Upstream: zone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, _ := dnstest.Serve(t, dnstest.NewServer(t, c))
			_, err := service.NewProber(ours, store, addrs(t, at)[0])(t.Context(), p)
			assert.ErrorContains(t, err, "not blocked as the policy says")
		})
	}
	_, err := service.NewProber(ours, store)(t.Context(), p)
	assert.ErrorContains(t, err, "no address")
	gone := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = service.NewProber(ours, store, gone)(ctx, p)
	assert.Error(t, err)
}
