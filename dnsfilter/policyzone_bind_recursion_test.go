package dnsfilter_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// TestZonesLikeBINDReloads has what BIND's rpz test asks while zones change.
func TestZonesLikeBINDReloads(t *testing.T) {
	t.Parallel()
	const soa = "@ 300 SOA localhost. nobody.invalid. %d 3600 600 86400 60\n"
	z := newPolicyZone(t)
	s := dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: zonePolicy(z), Upstream: world(t, bindWorld()), Clients: everyone})
	for i, c := range []struct {
		what, text  string
		fails       bool
		asked, want string
	}{
		{"walled", soa + "walled.two.test 300 A 203.0.113.1\n", false, "walled.two.test", "203.0.113.1"},
		{"failed update will keep previous rules", "foobar\n", true, "walled.two.test", "203.0.113.1"},
		{"included rules, before", soa, false, "h81.two.test", "192.0.2.129"},
		{"included rules, after", soa + "h81.two.test CNAME .\n", false, "h81.two.test", "NXDOMAIN"},
		{"mixed case, before", soa + "H62.Two.TEST CNAME .\n", false, "h62.two.test", "NXDOMAIN"},
		{"mixed case, after", soa + "h61.two.test CNAME .\nH62.Two.TEST CNAME .\n", false, "h62.two.test", "NXDOMAIN"},
		{"parent nodes added after children", soa + "a.example CNAME .\n*.a.example CNAME .\n", false, "x.a.example", "NXDOMAIN"},
		{"parent nodes deleted", soa, false, "h32.two.test", "192.0.2.50"},
		{"children first", soa + "*.a.example CNAME .\na.example CNAME .\n", false, "a.example", "NXDOMAIN"},
		{"from an empty zone", soa, false, "x.servfail.test", "SERVFAIL"},
		{"from an empty zone", soa + "*.x.servfail.test CNAME .\nx.servfail.test CNAME .\n", false, "z.x.servfail.test", "NXDOMAIN"},
		// BIND: a delegation in the zone gives SERVFAIL. Here, NS records below the top of a zone are skipped.
		{"delegation", soa + "two.test NS ns.example.\nh31.two.test CNAME .\n", false, "two.test SOA", "ns.two.test. hostmaster.two.test. 1 3600 1200 604800 60"},
		// BIND: an owner outside of the zone is logged, and the rest counts.
		{"out of zone", soa + "com. CNAME .\nnever.two.test CNAME .\n", false, "never.two.test", "NXDOMAIN"},
		// BIND's rpzrecurse: the record is logged and skipped.
		{"invalid prefix length", soa + "1000.4.0.53.10.rpz-client-ip A 203.0.113.1\nh31.two.test CNAME *.\n", false, "h31.two.test", "nodata"},
	} {
		if strings.Contains(c.text, "%d") {
			c.text = fmt.Sprintf(c.text, i+1)
		}
		_, err := z.Read(strings.NewReader(c.text))
		assert.Equal(t, c.fails, err != nil, "%s: %v", c.what, err)
		assert.Equal(t, c.want, answerTo(t, s, c.asked), "BIND rpz, %s", c.what)
	}
	_, err := z.Read(strings.NewReader("@ SOA . . 1 2 3 4 5\ncom. CNAME .\n1000.4.0.53.10.rpz-client-ip CNAME .\nh31.two.test CNAME rpz-passthru.\n"))
	require.NoError(t, err)
}

// TestZonesLikeBINDErrors has what BIND's rpz test asks about extended errors. BIND sets the code for each zone; here,
// it follows from what happens, unless the settings have a reason.
func TestZonesLikeBINDErrors(t *testing.T) {
	t.Parallel()
	g := portedGroup{"", []portedZone{
		{lines: "walled.two.test A 203.0.113.1"},
		{lines: "evil.two.test CNAME garden.two.test.", rule: dnsfilter.Rule{Reason: dnsfilter.Blocked}},
		{lines: "*.evil.two.test CNAME *.wide.four.test.\nh61.two.test CNAME .", rule: dnsfilter.Rule{Reason: dnsfilter.NoReason}},
	}, nil}
	s := dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: g.policy(t), Upstream: world(t, bindWorld()), Clients: everyone})
	for _, c := range []struct {
		asked, want string
		codes       []uint16
	}{
		{"walled.two.test do", "203.0.113.1", []uint16{dns.ExtendedErrorCodeBlocked, dns.ExtendedErrorCodeForgedAnswer}},
		{"evil.two.test do", "garden.two.test. 203.0.113.12", []uint16{dns.ExtendedErrorCodeBlocked, dns.ExtendedErrorCodeForgedAnswer}},
		{"foo.evil.two.test do", "foo.evil.two.test.wide.four.test. 203.0.113.61", nil},
		{"h61.two.test do", "NXDOMAIN", nil},
	} {
		m := replyTo(t, s, c.asked)
		assert.Equal(t, c.want, short(m), c.asked)
		assert.Equal(t, c.codes, dnstest.EDEs(m), c.asked)
	}
}

// unresolved is a name of which the upstream has no answer.
func unresolved(n int) string { return fmt.Sprintf("q%02d.servfail.test", n) }

// unasked asks about the first names of servfail.test, and returns those for which the upstream was not asked. They are
// blocked. The others are SERVFAIL in BIND. Here, the rule decides that had to wait for the answer.
func unasked(t *testing.T, zones [][]string, names int) (all []int) {
	t.Helper()
	var texts []string
	for _, triggers := range zones {
		text := ""
		for _, trigger := range triggers {
			text += trigger + " CNAME .\n"
		}
		texts = append(texts, text)
	}
	g := portedGroup{zones: given(texts...)}
	up := &countingUp{Upstream: world(t, bindWorld()), asked: map[string]int{}}
	s := dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: g.policy(t), Upstream: up, Clients: everyone})
	for n := 1; n <= names; n++ {
		got := answerTo(t, s, unresolved(n))
		if up.asked[unresolved(n)+". A"] > 0 {
			assert.Contains(t, []string{"NXDOMAIN", "SERVFAIL"}, got, n)
			continue
		}
		assert.Equal(t, "NXDOMAIN", got, n)
		all = append(all, n)
	}
	return all
}

// TestZonesLikeBINDRecursion has the questions of BIND rpzrecurse, groups 1 to 5: whether the upstream is asked before
// a zone decides, with qname-wait-recurse no.
func TestZonesLikeBINDRecursion(t *testing.T) {
	t.Parallel()
	const client, ip, nsdname = "32.200.2.0.192.rpz-client-ip", "32.255.100.51.198.rpz-ip", "ns.example.org.rpz-nsdname"
	var upTo []int
	var each [][]string
	for n := 1; n <= 32; n++ {
		each, upTo = append(each, []string{unresolved(n)}), append(upTo, n)
	}
	for _, c := range []struct {
		group string
		zones [][]string
		names int
		want  []int
	}{
		{"1a", [][]string{{client}}, 1, []int{1}},
		{"1b", [][]string{{unresolved(1)}}, 2, []int{1}},
		{"1c", [][]string{{client, unresolved(2)}}, 1, []int{1}},
		{"2a", each, 33, upTo},
		{"3a", [][]string{{ip}}, 1, nil},
		{"3b", [][]string{{nsdname}}, 1, nil},
		{"3c", [][]string{{"32.255.100.51.198.rpz-nsip"}}, 1, nil},
		{"3d", [][]string{{ip, unresolved(1)}}, 2, []int{1}},
		{"3e", [][]string{{nsdname, unresolved(1)}}, 2, []int{1}},
		{"3f", [][]string{{"32.255.100.51.198.rpz-nsip", unresolved(1)}}, 2, []int{1}},
		{"5a", [][]string{{unresolved(1)}, {unresolved(2), ip}, {unresolved(4)}, {unresolved(5), ip}, {unresolved(6)}}, 6, []int{1, 2}},
	} {
		assert.Equal(t, c.want, unasked(t, c.zones, c.names), "BIND rpzrecurse %s", c.group)
	}
	for n := range 32 { // group 4
		zones := slices.Concat(each[:n], [][]string{{ip, unresolved(n + 2)}})
		for k := n + 1; k <= 31; k++ {
			zones = append(zones, []string{unresolved(k + 2)})
		}
		assert.Len(t, unasked(t, zones, 33), n+1, "BIND rpzrecurse 4, %d", n)
	}
}

// TestZonesLikeBINDRaces has group 6 of BIND rpzrecurse: zones change while a query waits for its upstream.
func TestZonesLikeBINDRaces(t *testing.T) {
	t.Parallel()
	real := world(t, bindWorld())
	for _, gone := range []bool{false, true} { // whether the zone goes away, or only its rule
		z := policyZone(t)
		waits, goOn := make(chan struct{}, 20), make(chan struct{})
		up := upstreamFunc(func(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
			if q.Question[0].Qtype == dns.TypeA {
				waits <- struct{}{}
				<-goOn
			}
			return real.Exchange(ctx, q)
		})
		c := dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: zonePolicy(z), Upstream: up, Clients: everyone}
		s := dnstest.NewServer(t, c)
		assert.Equal(t, "h42.two.test.", answerTo(t, s, "h42-alias.two.test CNAME"))
		z.Adopt(policyZone(t, "ns.example.org.rpz-nsdname CNAME ."))
		done := make(chan string, 1)
		go func() { done <- answerTo(t, s, "h42-alias.two.test") }()
		<-waits
		if gone {
			c.Policy = dnsfilter.Policy{}
			require.NoError(t, s.Reconfigure(c))
		} else {
			z.Adopt(policyZone(t))
		}
		close(goOn)
		assert.Equal(t, "h42.two.test. 192.0.2.66", <-done, "BIND rpzrecurse 6, %v", gone)
	}
}

// TestZonesLikeBINDManyZones has the test of BIND rpzrecurse with as many zones as BIND can have: 64.
func TestZonesLikeBINDManyZones(t *testing.T) {
	t.Parallel()
	g := portedGroup{test: "BIND rpzrecurse max"}
	for i := 1; i <= 64; i++ {
		text := ""
		for j := 1; j <= i; j++ {
			text += fmt.Sprintf("name%d A 198.51.100.%d\n", j, i)
		}
		g.zones = append(g.zones, portedZone{lines: text})
		g.asks = append(g.asks, ported{"", fmt.Sprintf("name%d", i), fmt.Sprintf("198.51.100.%d", i), ""})
	}
	g.check(t, dnsfilter.Config{Upstream: world(t, bindWorld())})
}

// TestZonesLikeBINDClients has the questions of BIND rpzrecurse about clients, wildcards, and a name server that is
// blocked.
func TestZonesLikeBINDClients(t *testing.T) {
	t.Parallel()
	nx := func(lines string) portedZone {
		return portedZone{lines: lines, rule: dnsfilter.Rule{Action: dnsfilter.NXDomain}}
	}
	net1, net2 := "*.sub1.two.test CNAME .\nsub1.two.test CNAME .", "*.sub2.two.test CNAME .\nsub2.two.test CNAME ."
	for _, g := range []portedGroup{
		{"BIND rpzrecurse clientip", given("32.4.113.0.203.rpz-client-ip A 198.51.100.2\n24.0.113.0.203.rpz-client-ip A 198.51.100.1", "24.0.113.0.203.rpz-client-ip A 198.51.100.3"), []ported{
			{"", "q.servfail.test @203.0.113.4", "198.51.100.2", ""},
		}},
		{"BIND rpzrecurse clientip2", given("32.3.113.0.203.rpz-client-ip A 198.51.100.1\n31.2.113.0.203.rpz-client-ip CNAME ."), []ported{
			{"1", "q.servfail.test @203.0.113.1", "SERVFAIL", ""},
			{"2", "q.servfail.test @203.0.113.2", "NXDOMAIN", ""},
			{"3", "q.servfail.test @203.0.113.3", "198.51.100.1", ""},
			{"4", "q.servfail.test @203.0.113.4", "SERVFAIL", ""},
		}},
		{"BIND rpzrecurse wildcard1", []portedZone{nx(net1)}, []ported{{"1", "h31.sub1.two.test", "NXDOMAIN", ""}, {"2", "sub1.two.test", "NXDOMAIN", ""}}},
		{"BIND rpzrecurse wildcard2", []portedZone{nx(net1), nx(net2)}, []ported{{"1", "h31.sub1.two.test", "NXDOMAIN", ""}, {"2", "sub1.two.test", "NXDOMAIN", ""}}},
		{"BIND rpzrecurse wildcard3", []portedZone{nx("*.sub1.two.test CNAME .")}, []ported{{"1", "h31.sub1.two.test", "NXDOMAIN", ""}, {"2", "sub1.two.test NS", "ns.sub1.two.test. .", ""}}},
		{
			"BIND rpzrecurse wildcard4",
			[]portedZone{{lines: "sub1.two.test CNAME rpz-passthru.\n*.sub1.two.test CNAME rpz-passthru.", rule: dnsfilter.Rule{Action: dnsfilter.Passthru}}, {lines: "sub1.two.test CNAME .\nh31.sub1.two.test CNAME ."}},
			[]ported{{"1", "sub1.two.test NS", "ns.sub1.two.test. .", ""}, {"2", "h31.sub1.two.test", "192.0.2.49", ""}},
		},
		{"BIND rpzrecurse, NSDNAME policy being blocked", given("32.100.100.51.198.rpz-nsip CNAME .\nns.four.test.rpz-nsdname CNAME ."), []ported{
			{"", "h31.four.test", "NXDOMAIN", ""}, {"", "h31.two.test", "192.0.2.49", ""},
		}},
	} {
		g.check(t, dnsfilter.Config{Upstream: world(t, bindWorld())})
	}
}

// TestZonesLikeBINDViews has the questions of BIND rpzextra: clients have zones of their own.
func TestZonesLikeBINDViews(t *testing.T) {
	t.Parallel()
	zone := func(action string, names ...string) (text string) {
		for _, name := range names {
			text += fmt.Sprintf("%s.test CNAME %s\n*.%s.test CNAME %s\n", name, action, name, action)
		}
		return text
	}
	pass, nx := "rpz-passthru.", "."
	views := [][]portedZone{
		given(zone(pass, "allowed") + zone(nx, "bad")),
		given(zone(nx, "allowed")),
		given(zone(pass, "allowed")),
		given(zone(pass, "allowed") + zone(nx, "good", "bad")),
		given(zone(nx, "allowed"), zone(pass, "allowed")+zone(nx, "good")),
	}
	var policy dnsfilter.Policy
	for i, zones := range views {
		g := portedGroup{zones: zones}
		policy.Views = append(policy.Views, dnsfilter.View{Clients: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i + 1)}), 32)}, Rules: g.policy(t).Rules})
	}
	up := world(t, "$TTL 300\n. SOA ns. h. 1 2 3 4 5\nallowed.test. A 192.0.2.2\ngood.test. A 192.0.2.2\nbad.test. A 192.0.2.2\n")
	s := dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: policy, Upstream: up, Clients: everyone})
	for i, want := range []map[string]string{
		{"bad": "NXDOMAIN", "good": "192.0.2.2", "allowed": "192.0.2.2"},
		{"bad": "192.0.2.2", "good": "192.0.2.2", "allowed": "NXDOMAIN"},
		{"bad": "192.0.2.2", "good": "192.0.2.2", "allowed": "192.0.2.2"},
		{"bad": "NXDOMAIN", "good": "NXDOMAIN", "allowed": "192.0.2.2"},
		{"bad": "192.0.2.2", "good": "NXDOMAIN", "allowed": "NXDOMAIN"},
	} {
		for name, answer := range want {
			assert.Equal(t, answer, answerTo(t, s, fmt.Sprintf("%s.test @203.0.113.%d", name, i+1)), "BIND rpzextra: %s, view %d", name, i+1)
		}
	}
	// what passes keeps its TTL, and is reported with its rule
	assert.Greater(t, replyTo(t, s, "allowed.test @203.0.113.1").Answer[0].Header().Ttl, uint32(200))
}
