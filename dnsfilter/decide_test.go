package dnsfilter_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

func TestQuorum(t *testing.T) {
	t.Parallel()
	store := dnstest.NewStore(t, map[string]string{
		"a": "three.test\ntwo.test\none.test\nsoft.test\nalone.test\nwide.test\nallowed.test\n198.51.100.0/24",
		"b": "three.test\ntwo.test\nsoft.test status=monitor\n=wide.test\nallowed.test\n198.51.100.7",
		"c": "three.test\nlater.test\nsub.wide.test",
		"d": "alone.test", "watch": "two.test", "allow": "allowed.test",
	})
	lists := []string{"a", "b", "c"}
	p := dnsfilter.Policy{
		Allow: []string{"allow"},
		Rules: []dnsfilter.Rule{{List: "a"}, {List: "watch", Action: dnsfilter.Monitor}, {List: "d", Action: dnsfilter.Refused}, {List: "c", Action: dnsfilter.Monitor}},
		Quorums: []dnsfilter.Quorum{
			{Rule: dnsfilter.Rule{List: "all", Action: dnsfilter.Drop}, Lists: lists, AtLeast: 3},
			{Rule: dnsfilter.Rule{List: "two", Action: dnsfilter.NXDomain}, Lists: lists, AtLeast: 2},
			{Rule: dnsfilter.Rule{List: "any", Action: dnsfilter.Monitor}, Lists: lists, AtLeast: 1},
		},
	}
	for _, c := range []struct{ name, action, by, list string }{
		{"three.test", "drop", "all", "a"},
		{"x.two.test", "nxdomain", "two", "a"}, // a blocking quorum goes before a rule that monitors
		{"one.test", "monitor", "any", "a"},    // one is not enough
		{"soft.test", "monitor", "any", "a"},   // an entry that monitors does not count
		{"alone.test", "refused", "d", "d"},    // a rule goes before a quorum
		{"later.test", "monitor", "c", "c"},    // a rule that monitors goes before a quorum that does
		{"wide.test", "nodata", "two", "a"},    // one of the two has the name alone: names below it must not be hidden
		{"x.wide.test", "monitor", "any", "a"},
		{"y.sub.wide.test", "nxdomain", "two", "a"},
		{"allowed.test", "pass", "allow", "allow"},
		{"none.test", "pass", "", ""},
	} {
		d := decide(t, p, store, c.name)
		assert.Equal(t, []string{c.action, c.by, c.list}, []string{d.Action.String(), d.By(), d.Match.List}, c.name)
	}
	for addr, want := range map[string]dnsfilter.Action{"198.51.100.7": dnsfilter.NoData, "198.51.100.8": dnsfilter.Monitor, "192.0.2.1": dnsfilter.Pass} {
		assert.Equal(t, want, p.DecideAddr(store, netip.MustParseAddr(addr)).Action, addr)
	}

	s := dnstest.NewServer(t, dnsfilter.Config{Store: store, Policy: p})
	ask(t, s, "udp", dnstest.Question("two.test.", dns.TypeA))
	ask(t, s, "udp", dnstest.Question("one.test.", dns.TypeA))
	assert.Equal(t, map[string]map[dnsfilter.Action]uint64{"two": {dnsfilter.NXDomain: 1}, "any": {dnsfilter.Monitor: 1}}, s.Stats().Lists)
}

func TestCategories(t *testing.T) {
	t.Parallel()
	store := dnstest.NewStore(t, map[string]string{
		"l": "csam.test category=csam\ngame.test category=gambling\nplain.test\nother.test category=other\n" +
			"=www.csam.test category=other\nseen.csam.test category=watched\nsoft.test category=csam status=monitor\n" +
			"nested.test category=other\nwatched.nested.test category=watched\n=deep.watched.nested.test category=other\n" +
			"192.0.2.0/24 category=csam\n192.0.2.7 category=other\n198.51.100.7 category=other",
	})
	rule := dnsfilter.Rule{List: "l", Action: dnsfilter.NXDomain, Categories: map[string]dnsfilter.Action{
		"csam": dnsfilter.Refused, "gambling": dnsfilter.NoData, "other": dnsfilter.Pass, "watched": dnsfilter.Monitor,
	}}
	p := dnsfilter.Policy{Rules: []dnsfilter.Rule{rule}}
	for _, c := range []struct{ name, action, entry string }{
		{"csam.test", "refused", "csam.test"},
		{"game.test", "nodata", "game.test"},
		{"plain.test", "nxdomain", "plain.test"},
		{"other.test", "pass", ""},
		{"www.csam.test", "refused", "csam.test"},  // the entry of the name itself passes, and hides nothing
		{"seen.csam.test", "refused", "csam.test"}, // likewise
		{"soft.test", "monitor", "soft.test"},
		{"deep.watched.nested.test", "monitor", "watched.nested.test"},
		{"x.nested.test", "pass", ""},
	} {
		d := decide(t, p, store, c.name)
		entry := ""
		if d.Match.List != "" {
			entry = d.Match.Entry()
		}
		assert.Equal(t, []string{c.action, entry}, []string{d.Action.String(), entry}, c.name)
		assert.Equal(t, c.entry, entry, c.name)
	}
	for addr, want := range map[string]dnsfilter.Action{"192.0.2.7": dnsfilter.Refused, "192.0.2.8": dnsfilter.Refused, "198.51.100.7": dnsfilter.Pass} {
		assert.Equal(t, want, p.DecideAddr(store, netip.MustParseAddr(addr)).Action, addr)
	}
}

// viewsPolicy blocks in general, watches one network, and lets one client in it through.
func viewsPolicy() dnsfilter.Policy {
	list := func(a dnsfilter.Action) []dnsfilter.Rule { return []dnsfilter.Rule{{List: "l", Action: a}} }
	return dnsfilter.Policy{
		Rules: list(dnsfilter.NXDomain),
		Views: []dnsfilter.View{
			{Clients: []netip.Prefix{netip.MustParsePrefix("127.1.0.0/16"), netip.MustParsePrefix("2001:db8::/32")}, Rules: list(dnsfilter.Refused)},
			{Clients: []netip.Prefix{netip.MustParsePrefix("127.1.2.3/32"), netip.MustParsePrefix("2001:db8:1::/48")}},
		},
	}
}

func TestViewOfAClient(t *testing.T) {
	t.Parallel()
	p := viewsPolicy()
	store := dnstest.NewStore(t, map[string]string{"l": "listed.test"})
	for client, want := range map[string]dnsfilter.Action{
		"127.0.0.1": dnsfilter.NXDomain, "127.1.0.1": dnsfilter.Refused, "127.1.2.3": dnsfilter.Pass, "127.1.2.4": dnsfilter.Refused,
		"::ffff:127.1.2.3": dnsfilter.Pass, "2001:db8::1": dnsfilter.Refused, "2001:db8::1%eth0": dnsfilter.Refused, "2001:db8:1::1": dnsfilter.Pass,
		"2001:db9::1": dnsfilter.NXDomain, "7f01:203::": dnsfilter.NXDomain,
	} {
		v := p.View(netip.MustParseAddr(client))
		assert.Equal(t, want, v.Decide(store, []byte("\x06listed\x04test\x00")).Action, client)
	}
	v := p.View(netip.Addr{})
	assert.Equal(t, dnsfilter.NXDomain, v.Decide(store, []byte("\x06listed\x04test\x00")).Action)
}

// TestViewsShareTheCache asks from three networks, over both transports, for a listed name and for one that leads to
// it: what one view has put into the cache is decided on for the next one again.
func TestViewsShareTheCache(t *testing.T) {
	t.Parallel()
	const unlisted, direct, leads = "other.test.", "listed.test.", "alias.test."
	up := &counting{next: dnstest.NewZone(t, "$TTL 300\n*. A 192.0.2.3\nalias.test. CNAME listed.test.\n. SOA ns. h. 1 2 3 4 5\n")}
	s := dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, map[string]string{"l": "listed.test"}), Policy: viewsPolicy(), Upstream: up})
	addr, _ := dnstest.Serve(t, s)
	for range 2 {
		for _, network := range []string{"udp", "tcp"} {
			for client, rcode := range map[string]int{"127.0.0.1": dns.RcodeNameError, "127.1.0.1": dns.RcodeRefused, "127.1.2.3": dns.RcodeSuccess} {
				for _, name := range []string{direct, leads} {
					assert.Equal(t, rcode, exchangeFrom(t, network, client, addr, dnstest.Question(name, dns.TypeA)).Rcode, "%s %s %s", network, client, name)
				}
				assert.Equal(t, dns.RcodeSuccess, exchangeFrom(t, network, client, addr, dnstest.Question(unlisted, dns.TypeA)).Rcode, "%s %s", network, client)
			}
		}
	}
	assert.EqualValues(t, 3, up.n.Load(), "one answer each")
}

func exchangeFrom(t *testing.T, network, client, addr string, m *dns.Msg) *dns.Msg {
	t.Helper()
	dialer := net.Dialer{Timeout: time.Minute}
	if network == "udp" {
		dialer.LocalAddr = &net.UDPAddr{IP: net.ParseIP(client)}
	} else {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(client)}
	}
	conn, err := dialer.DialContext(context.Background(), network, addr)
	if err != nil {
		t.Skipf("this system does not let us come from %s: %v", client, err)
	}
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	c := dns.Conn{Conn: conn}
	require.NoError(t, c.WriteMsg(m))
	reply, err := c.ReadMsg()
	require.NoError(t, err)
	return reply
}
