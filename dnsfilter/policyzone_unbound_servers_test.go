package dnsfilter_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// cities are n zones with a name server each: ns.cityN.test at 198.51.100.N serves www.cityN.test at 192.0.2.N.
func cities(n int) string {
	text := "$TTL 300\n. SOA ns.root.test. h.root.test. 1 3600 600 86400 60\ntarget.test. A 203.0.113.6\n"
	for i := 1; i <= n; i++ {
		text += fmt.Sprintf("$ORIGIN city%d.test.\n@ SOA ns h 1 3600 600 86400 60\n@ NS ns\nns A 198.51.100.%d\nwww A 192.0.2.%d\nwww TXT \"city %d\"\n", i, i, i, i)
	}
	return text
}

// TestZonesLikeUnboundServers has rpz_nsdname, rpz_nsip and their overrides.
func TestZonesLikeUnboundServers(t *testing.T) {
	t.Parallel()
	actions := []string{"CNAME .", "CNAME *.", "CNAME rpz-drop.", "CNAME rpz-passthru.", "CNAME rpz-tcp-only.", "A 203.0.113.1", `TXT "42"`}
	var names, addrs string
	for i, a := range actions {
		names += fmt.Sprintf("ns.city%d.test.rpz-nsdname %s\n", min(i, 5)+1, a)
		addrs += fmt.Sprintf("32.%d.100.51.198.rpz-nsip %s\n", min(i, 5)+1, a)
	}
	asks := []ported{
		{"1", "www.city4.test", "192.0.2.4", ""},
		{"10", "www.city1.test", "NXDOMAIN", ""},
		{"20", "www.city2.test", "nodata", ""},
		{"30", "www.city6.test", "203.0.113.1", ""},
		{"30", "www.city6.test TXT", `"42"`, ""},
		{"40", "www.city5.test", "TC", ""},
		{"42", "www.city5.test tcp", "192.0.2.5", ""},
		{"", "www.city3.test", "dropped", ""},
		{"", "www.city7.test", "192.0.2.7", ""},
	}
	overridden := func(owner string) (zones []portedZone) {
		for i, a := range []dnsfilter.Action{dnsfilter.NXDomain, dnsfilter.NoData, dnsfilter.Passthru, dnsfilter.Drop, dnsfilter.Sinkhole, dnsfilter.Monitor} {
			z := portedZone{lines: fmt.Sprintf(owner, i+1) + " A 203.0.113.5\n", rule: dnsfilter.Rule{Action: a}}
			if a == dnsfilter.Drop {
				z.lines += fmt.Sprintf(owner, 3) + " A 203.0.113.5\n"
			}
			if a == dnsfilter.Sinkhole {
				z.rule.SinkholeName = mustName(t, "target.test")
			}
			zones = append(zones, z)
		}
		return zones
	}
	others := []ported{
		{"10", "www.city1.test", "NXDOMAIN", ""},
		{"20", "www.city2.test", "nodata", ""},
		{"30", "www.city3.test", "192.0.2.3", ""},
		{"40", "www.city4.test", "dropped", ""},
		{"50", "www.city5.test", "target.test. 203.0.113.6", ""},
		{"60", "www.city6.test", "192.0.2.6", ""},
	}
	for _, g := range []portedGroup{
		{"Unbound rpz_nsdname", given(names), asks},
		{"Unbound rpz_nsip", given(addrs), asks},
		{"Unbound rpz_nsdname_override", overridden("ns.city%d.test.rpz-nsdname"), others},
		{"Unbound rpz_nsip_override", overridden("32.%d.100.51.198.rpz-nsip"), others},
	} {
		g.check(t, dnsfilter.Config{Upstream: world(t, cities(7))})
	}
}

// TestZonesLikeUnboundAliases has rpz_cname_handle and rpz_qtype_cname. In Unbound, zones decide about the target of
// their own CNAME records, too. In BIND and here, they decide once for a query: what a zone says is not changed by it.
func TestZonesLikeUnboundAliases(t *testing.T) {
	t.Parallel()
	const once = "the target of local data is not searched for in the zones, as in BIND"
	real := cities(17) + "$ORIGIN test.\n"
	for _, n := range []int{5, 6, 7, 14, 15} {
		real += fmt.Sprintf("alias.city%d CNAME w2.city%d\n", n, n)
	}
	for _, n := range []string{"g2", "g3", "g4", "g6", "g7", "g9", "g10", "g11", "g12", "g13", "g14", "g15", "g16", "g17"} {
		real += n + ".target A 203.0.113.2" + n[1:min(len(n), 2)] + "\n"
	}
	g := portedGroup{"Unbound rpz_cname_handle", given(`
www.city1.test  A 203.0.113.61
www.city2.test  CNAME g2.target.test.
g2.target.test  A 203.0.113.62
www.city3.test  CNAME g3.target.test.
g3.target.test  CNAME g3b.target.test.
www.city4.test  CNAME g4.target.test.
g4.target.test  CNAME g4b.target.test.
w2.city5.test   A 203.0.113.65
w2.city6.test   CNAME g6.target.test.
g6.target.test  A 203.0.113.66
w2.city7.test   CNAME g7.target.test.
g7.target.test  CNAME g7b.target.test.
32.8.100.51.198.rpz-nsip  A 203.0.113.68
32.9.100.51.198.rpz-nsip  CNAME g9.target.test.
g9.target.test  A 203.0.113.69
32.10.100.51.198.rpz-nsip CNAME g10.target.test.
g10.target.test CNAME g10b.target.test.
www.city11.test CNAME g11.target.test.
www.city12.test CNAME g12.target.test.
g12.target.test CNAME g12b.target.test.
www.city13.test CNAME g13.target.test.
g13.target.test CNAME g13b.target.test.
w2.city14.test  CNAME g14.target.test.
w2.city15.test  CNAME g15.target.test.
g15.target.test CNAME g15b.target.test.
32.16.100.51.198.rpz-nsip CNAME g16.target.test.
32.17.100.51.198.rpz-nsip CNAME g17.target.test.
g17.target.test CNAME g17b.target.test.
`), []ported{
		{"10", "www.city1.test", "203.0.113.61", ""},
		{"20", "www.city2.test", "g2.target.test. 203.0.113.22", once},
		{"30", "www.city3.test", "g3.target.test. 203.0.113.23", once},
		{"40", "www.city4.test", "g4.target.test. 203.0.113.24", once},
		{"50, 80", "alias.city5.test", "203.0.113.65", ""},
		{"60, 90", "alias.city6.test", "g6.target.test. 203.0.113.26", once},
		{"70, 100", "alias.city7.test", "g7.target.test. 203.0.113.27", once},
		{"110", "www.city8.test", "203.0.113.68", ""},
		{"120", "www.city9.test", "g9.target.test. 203.0.113.29", once},
		{"130", "www.city10.test", "g10.target.test. 203.0.113.21", once},
		{"140", "www.city11.test", "g11.target.test. 203.0.113.21", ""},
		{"150", "www.city12.test", "g12.target.test. 203.0.113.21", once},
		{"160", "www.city13.test", "g13.target.test. 203.0.113.21", once},
		{"170, 190", "alias.city14.test", "g14.target.test. 203.0.113.21", ""},
		{"180, 200", "alias.city15.test", "g15.target.test. 203.0.113.21", once},
		{"210", "www.city16.test", "g16.target.test. 203.0.113.21", ""},
		{"220", "www.city17.test", "g17.target.test. 203.0.113.21", once},
	}}
	g.check(t, dnsfilter.Config{Upstream: world(t, real)})

	g = portedGroup{"Unbound rpz_qtype_cname", given("www.city1.test CNAME foo.target.test.\n32.2.100.51.198.rpz-nsip CNAME foo.target.test."), []ported{
		{"10", "www.city1.test CNAME", "foo.target.test.", ""},
		{"20", "www.city2.test CNAME", "foo.target.test.", ""},
	}}
	g.check(t, dnsfilter.Config{Upstream: world(t, cities(2))})
}

// TestZonesLikeUnboundTags has rpz_cname_tag: the zone is for some clients. Tags are views here.
func TestZonesLikeUnboundTags(t *testing.T) {
	t.Parallel()
	g := portedGroup{zones: given("www.city1.test A 203.0.113.61\nwww.city2.test CNAME g2.target.test.\n32.40.100.51.198.rpz-nsip A 203.0.113.68\nwww.city5.test TXT \"txt5\"")}
	policy := dnsfilter.Policy{Views: []dnsfilter.View{{Clients: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}, Rules: g.policy(t).Rules}}}
	g.test, g.asks = "Unbound rpz_cname_tag", []ported{
		{"10", "www.city1.test", "192.0.2.1", ""},
		{"20", "www.city2.test", "192.0.2.2", ""},
		{"30", "www.city3.test", "192.0.2.3", ""},
		{"50", "www.city1.test @203.0.113.1", "203.0.113.61", ""},
		{"60", "www.city2.test @203.0.113.1", "g2.target.test. 203.0.113.22", ""},
		{"90", "www.city5.test TXT @198.51.100.1", `"city 5"`, ""},
	}
	g.ask(t, dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: policy, Clients: everyone, Upstream: world(t, cities(5)+"g2.target.test. A 203.0.113.22\n")}))
}

// TestZonesLikeUnboundSigned has rpz_val_block, as far as answers go: a name that is blocked for clients does not keep
// the upstream from validating what is below it.
func TestZonesLikeUnboundSigned(t *testing.T) {
	t.Parallel()
	real := cities(5) + "$ORIGIN example.\nfoo1 CNAME www.city1.test.\nfoo4 CNAME www4.city4.test.\nfoo5 CNAME www5.city5.test.\n$ORIGIN test.\ncity1 TXT \"apex\"\nwww4.city4 CNAME bok.city4\nbok.city4 A 192.0.2.4\nwww5.city5 CNAME bok.city5\nbok.city5 A 192.0.2.5\nalt.city5 A 203.0.113.56\n"
	g := portedGroup{"Unbound rpz_val_block", given("city1.test CNAME .\ncity2.test CNAME .\ncity3.test CNAME .\nbok.city4.test A 203.0.113.55\nwww5.city5.test CNAME alt.city5.test."), []ported{
		{"10", "city1.test TXT", "NXDOMAIN", ""},
		{"20", "www.city2.test TXT", `"city 2"`, ""},
		{"30", "www.city3.test TXT", `"city 3"`, ""},
		{"40", "foo1.example TXT", `www.city1.test. "city 1"`, ""},
		{"50", "foo4.example", "203.0.113.55", ""},
		{"60", "foo5.example", "alt.city5.test. 203.0.113.56", ""},
	}}
	g.check(t, dnsfilter.Config{Upstream: world(t, real)})
}

// TestZonesLikeUnboundStale has serve_expired_rpz_drop and serve_expired_rpz_nx: zones decide about expired answers,
// too.
func TestZonesLikeUnboundStale(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]string{"CNAME rpz-drop.": "dropped", "CNAME .": "NXDOMAIN"} {
		synctest.Test(t, func(t *testing.T) {
			var down atomic.Bool
			zone := dnstest.NewZone(t, "www.example.test. 1 A 192.0.2.1\ntgt.far.test. 1 A 198.51.100.40\n")
			up := upstreamFunc(func(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
				if down.Load() {
					return nil, errors.New("down")
				}
				return zone.Exchange(ctx, q)
			})
			s := dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: zonePolicy(policyZone(t, "24.0.2.0.192.rpz-ip "+action)), Upstream: up, Clients: everyone})
			assert.Equal(t, "198.51.100.40", answerTo(t, s, "tgt.far.test do"))
			assert.Equal(t, want, answerTo(t, s, "www.example.test do"))
			down.Store(true)
			time.Sleep(2 * time.Second)
			assert.Equal(t, want, answerTo(t, s, "www.example.test do"), "Unbound serve_expired_rpz, %s", action)
			time.Sleep(10 * time.Second) // timers
		})
	}
}

// TestZonesLikeUnboundTransfers has rpz_axfr and rpz_ixfr: what is asked before and after the zone has changed.
// Transfers have tests of their own.
func TestZonesLikeUnboundTransfers(t *testing.T) {
	t.Parallel()
	before := portedGroup{"Unbound rpz_axfr, rpz_ixfr", given(`
a CNAME *.
c TXT "first"
c TXT "second"
c TXT "third"
d CNAME .
32.1.2.0.192.rpz-ip CNAME *.
32.3.2.0.192.rpz-ip A 203.0.113.3
32.3.2.0.192.rpz-ip A 203.0.113.4
32.4.2.0.192.rpz-ip CNAME .
28.0.113.0.203.rpz-client-ip A 203.0.113.5
28.16.113.0.203.rpz-client-ip CNAME *.
32.6.100.51.198.rpz-nsip A 203.0.113.1
ns.city7.test.rpz-nsdname A 203.0.113.1
`), []ported{
		{"1", "b TXT", `"real b"`, ""},
		{"3", "a TXT", "nodata", ""},
		{"5", "www.city1.test", "nodata", ""},
		{"7", "c TXT", `"first" "second" "third"`, ""},
		{"9", "www.city3.test", "203.0.113.3 203.0.113.4", ""},
		{"11", "d TXT", "NXDOMAIN", ""},
		{"13", "www.city4.test", "NXDOMAIN", ""},
		{"16", "www.city5.test @203.0.113.1", "203.0.113.5", ""},
		{"18", "www.city5.test @203.0.113.17", "nodata", ""},
		{"20", "www.city6.test", "203.0.113.1", ""},
		{"22", "www.city7.test", "203.0.113.1", ""},
	}}
	after := portedGroup{before.test, given(`
b TXT "from the zone"
c TXT "third"
c TXT "from the zone"
a CNAME .
32.1.2.0.192.rpz-ip CNAME .
32.3.2.0.192.rpz-ip A 203.0.113.5
32.3.2.0.192.rpz-ip A 203.0.113.6
`), []ported{
		{"50", "b TXT", `"from the zone"`, ""},
		{"52", "a TXT", "NXDOMAIN", ""},
		{"54", "www.city1.test", "NXDOMAIN", ""},
		{"56", "c TXT", `"third" "from the zone"`, ""},
		{"58", "www.city3.test", "203.0.113.5 203.0.113.6", ""},
		{"60", "d TXT", `"real d"`, ""},
		{"62", "www.city4.test", "192.0.2.4", ""},
		{"64", "www.city5.test @203.0.113.1", "192.0.2.5", ""},
		{"66", "www.city5.test @203.0.113.17", "192.0.2.5", ""},
		{"68", "www.city6.test", "192.0.2.6", ""},
		{"70", "www.city7.test", "192.0.2.7", ""},
	}}
	policy := before.policy(t)
	s := dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: policy, Clients: everyone, Upstream: world(t, cities(7)+"b. TXT \"real b\"\nd. TXT \"real d\"\n")})
	before.ask(t, s)
	policy.Rules[0].Zone.Adopt(after.policy(t).Rules[0].Zone)
	after.ask(t, s)
}

// TestZonesLikeUnboundReload has rpz_reload: other settings change what a zone does, while its records stay.
func TestZonesLikeUnboundReload(t *testing.T) {
	t.Parallel()
	g := portedGroup{zones: []portedZone{{lines: "foo.city1.test CNAME .\nwww.city1.test A 203.0.113.4", rule: dnsfilter.Rule{Action: dnsfilter.Sinkhole, SinkholeName: mustName(t, "www.city2.test")}}}}
	c := dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: g.policy(t), Clients: everyone, Upstream: world(t, cities(2))}
	s := dnstest.NewServer(t, c)
	assert.Equal(t, "www.city2.test. 192.0.2.2", answerTo(t, s, "foo.city1.test"))
	assert.Equal(t, "www.city2.test. 192.0.2.2", answerTo(t, s, "www.city1.test"))
	c.Policy.Rules = []dnsfilter.Rule{{List: "other", Zone: c.Policy.Rules[0].Zone}}
	require.NoError(t, s.Reconfigure(c))
	assert.Equal(t, "NXDOMAIN", answerTo(t, s, "foo.city1.test"))
	assert.Equal(t, "203.0.113.4", answerTo(t, s, "www.city1.test"))
	stats := s.Stats().Lists
	assert.Len(t, stats, 2, "decisions are counted by the name of the list")
}
