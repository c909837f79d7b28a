package dnsfilter_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// typeANY is why the answer to type ANY differs.
const typeANY = "ANY gets an HINFO record (RFC 8482), from which a rule about the answer has nothing to hide"

// bindWorld is what the upstream knows in the tests from BIND (bin/tests/system/rpz, ns1, ns2 and ns4). Host N of group
// G has the address 192.0.2.(16*G+N). The zones below two.test have the same hosts.
func bindWorld() string {
	const hosts = `
@             SOA  ns hostmaster 1 3600 1200 604800 60
@             NS   ns
@             NS   .
text          TXT  "only text"
garden        A    203.0.113.12
garden        AAAA 2001:db8:f::12
garden        TXT  "garden"
garden-alias  CNAME garden
h01           A    192.0.2.1
h01           AAAA 2001:db8::1
h31           A    192.0.2.49
h31           AAAA 2001:db8:3::1
h31           TXT  "h31"
h32           A    192.0.2.50
h32           TXT  "h32"
h33           A    192.0.2.51
h34           A    192.0.2.52
h35           A    192.0.2.53
h36           A    192.0.2.54
h37           A    192.0.2.55
h38           A    192.0.2.56
h39           A    192.0.2.57
h41           A    192.0.2.65
h41-six       AAAA 2001:db8:4::1
h42           A    192.0.2.66
h42           AAAA 2001:db8:4::2
h42           TXT  "h42"
h42-alias     CNAME h42
h43           A    192.0.2.67
h43-alias     CNAME h43
h44           A    192.0.2.68
h45           A    192.0.2.69
h45-alias     CNAME h45
h45-alias2    CNAME h45-alias
h45-alias3    CNAME h45-alias2
h46           A    192.0.2.70
h46-alias     CNAME h46
h46-alias2    CNAME h46-alias
h46-alias3    CNAME h46-alias2
h51           A    192.0.2.81
h51           A    192.0.2.82
h52           A    192.0.2.82
h53           A    192.0.2.83
h54           A    192.0.2.84
h61           A    192.0.2.97
h62           A    192.0.2.98
h71           A    192.0.2.113
h81           A    192.0.2.129
*.wild        A    192.0.2.145
`
	text := "$TTL 120\n. SOA ns.test. hostmaster.test. 1 3600 1200 604800 60\n"
	for _, apex := range []string{"two.test.", "sub1.two.test.", "subsub.sub1.two.test.", "sub2.two.test.", "subsub.sub2.two.test.", "sub3.two.test.", "subsub.sub3.two.test."} {
		text += "$ORIGIN " + apex + hosts
		if apex != "two.test." {
			text += "ns A 198.51.100.2\n"
		}
	}
	return text + `
$ORIGIN two.test.
ns             A    198.51.100.2
$ORIGIN signed.test.
@              SOA  ns hostmaster 1 3600 1200 604800 60
@              NS   ns.two.test.
h01            A    192.0.2.1
h01            RRSIG A 13 3 120 20380101000000 20250101000000 1 signed.test. AAAA
h01-out        CNAME h01.two.test.
h35            A    192.0.2.53
$ORIGIN two.test.
h01-signed     CNAME h01.signed.test.
$ORIGIN four.test.
@              SOA  ns hostmaster 1 3600 1200 604800 60
@              NS   ns
ns             A    198.51.100.4
h31            A    192.0.2.49
garden         A    203.0.113.14
h36.two        A    203.0.113.56
h37.sub1.two   A    203.0.113.57
*.wild.sub1.two A   203.0.113.57
*.wide         A    203.0.113.61
h36.two.test   A    203.0.113.56
h37.sub1.two.test A 203.0.113.57
*.wild.sub1.two.test A 203.0.113.57
$ORIGIN three.test.
@              SOA  ns hostmaster 1 3600 1200 604800 60
@              NS   ns
ns             A    198.51.100.3
c1             A    198.51.100.124
c2             A    198.51.100.116
`
}

// TestZonesLikeBINDNames has the questions of BIND rpz test1.
func TestZonesLikeBINDNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 47) + "." + strings.Repeat(strings.Repeat("b", 62)+".", 2) + strings.Repeat("c", 55) + ".wild.sub1.two.test"
	names := `
h01.two.test       CNAME .
h31.two.test       CNAME *.
h32.two.test       DNAME garden.four.test.
h42.two.test       CNAME .
h43.two.test       CNAME *.
h41.sub1.two.test  A 203.0.113.12
h41.sub2.two.test  A 203.0.113.12
n1.sub1.two.test   CNAME garden.two.test.
n2.sub1.two.test   CNAME garden-alias.two.test.
h44.two.test       A 198.51.100.44
h61.two.test       CNAME h61.two.test.
h62.two.test       A 198.51.100.62
h61.two.test       A 198.51.100.61
h62.two.test       CNAME h62.two.test.
h36.two.test       CNAME *.four.test.
*.sub1.two.test    CNAME *.four.test.
h45.two.test       A 198.51.100.16
h46.two.test       CNAME .
h46-alias.two.test A 198.51.100.17
h52.two.test       CNAME .
h53.two.test       CNAME *.
h54.two.test       DNAME garden.four.test.
c1.three.test      CNAME .
h01.signed.test    CNAME .
h38.two.test       CNAME rpz-drop.
h39.two.test       CNAME rpz-tcp-only.
x.servfail.test    A 198.51.100.34
`
	const rd, broken = "a rule counts whatever RD says, as with recursive-only no", "signed answers are replaced, too, as with break-dnssec yes"
	g := portedGroup{"BIND rpz test1", given(names, "h44.two.test A 198.51.100.45"), []ported{
		{"1", ". NS", "nodata", ""},
		{"2", "h01.two.test", "NXDOMAIN", ""},
		{"3", "h31.two.test", "nodata", ""},
		{"4", "h32.two.test", "192.0.2.50", "a DNAME record has no meaning in a policy zone, and is skipped; BIND says no data"},
		{"5", "sub.h32.two.test", "NXDOMAIN", ""}, // as without zones
		{"6", "h42.two.test", "NXDOMAIN", ""},
		{"7", "h42-alias.two.test", "NXDOMAIN h42.two.test.", ""},
		{"8", "h43-alias.two.test", "nodata", ""},
		{"9", "h41.sub1.two.test", "203.0.113.12", ""},
		{"10", "h41.sub2.two.test", "203.0.113.12", ""},
		{"11", "n1.sub1.two.test", "garden.two.test. 203.0.113.12", ""},
		{"12", "n2.sub1.two.test", "garden-alias.two.test. garden.two.test. 203.0.113.12", ""},
		{"13", "h44.two.test", "198.51.100.44", ""},
		{"14", "h61.two.test", "192.0.2.97", ""},
		{"15", "h62.two.test", "198.51.100.62", ""},
		{"16", "h36.two.test", "h36.two.test.four.test. 203.0.113.56", ""},
		{"17", "h37.sub1.two.test", "h37.sub1.two.test.four.test. 203.0.113.57", ""},
		{"18", "h45-alias3.two.test", "198.51.100.16", ""},
		{"19", "h46-alias3.two.test", "198.51.100.17", ""},
		{"20", "h52.two.test norec", "NXDOMAIN", rd},
		{"21", "h53.two.test norec", "nodata", rd},
		{"22", "h54.two.test norec", "192.0.2.84", ""},
		{"23", "sub.h54.two.test norec", "NXDOMAIN", ""},
		{"24", "c1.three.test", "NXDOMAIN", ""},
		{"25", "h01.two.test do", "NXDOMAIN", ""},
		{"26", "h01.signed.test", "NXDOMAIN", ""},
		{"27", "h01.signed.test do", "NXDOMAIN", broken},
		{"28", "h01-out.signed.test do", "NXDOMAIN h01.two.test.", ""},
		{"29", "h01-signed.two.test do", "NXDOMAIN h01.signed.test.", broken},
		{"30", "h01.signed.test SRV do", "NXDOMAIN", broken},
		{"31", "h01.signed.test SRV", "NXDOMAIN", ""},
		{"32", "h38.two.test ANY", "dropped", ""},
		{"33", "h39.two.test", "TC", ""},
		{"33", "h39.two.test tcp", "192.0.2.57", ""},
		{"34, 35", "x.servfail.test", "198.51.100.34", "a rule that needs no answer waits for none, as with qname-wait-recurse no"},
		{"36", long, "YXDOMAIN", ""},
	}}
	g.check(t, dnsfilter.Config{Upstream: world(t, bindWorld())})
}

// TestZonesLikeBINDAddresses has the questions of BIND rpz test2. Of BIND's third zone, a secondary, there are three
// versions.
func TestZonesLikeBINDAddresses(t *testing.T) {
	t.Parallel()
	addresses := `
32.49.2.0.192.rpz-ip       CNAME *.
28.64.2.0.192.rpz-ip       CNAME .
32.65.2.0.192.rpz-ip       CNAME 32.65.2.0.192.
32.67.2.0.192.rpz-ip       CNAME *.
128.1.zz.3.db8.2001.rpz-ip CNAME .
32.81.2.0.192.rpz-ip       A 198.51.100.1
32.82.2.0.192.rpz-ip       A 198.51.100.2
32.83.2.0.192.rpz-ip       A 198.51.100.1
128.2.0.0.0.0.7.db8.2001.rpz-ip CNAME .
32.84.2.0.192.rpz-ip       CNAME garden.two.test.
h54.two.test               CNAME garden.four.test.
32.68.2.0.192.rpz-ip       CNAME rpz-passthru.
32.116.100.51.198.rpz-ip   CNAME .
32.1.113.0.203.rpz-client-ip A 198.51.100.17
`
	zones := given(addresses, "32.83.2.0.192.rpz-ip A 198.51.100.2\nc2.three.test A 198.51.100.16", "32.113.2.0.192.rpz-ip CNAME .")
	g := portedGroup{"BIND rpz test2", zones, []ported{
		{"1", "h31.two.test", "nodata", ""},
		{"2", "h32.two.test", "192.0.2.50", ""},
		{"3", "h41.two.test", "192.0.2.65", ""},
		{"4", "h42.two.test", "NXDOMAIN", ""},
		{"5", "h42.two.test AAAA", "2001:db8:4::2", ""},
		{"6", "h42.two.test TXT", `"h42"`, ""},
		{"7", "h42.two.test ANY", `"RFC8482" ""`, typeANY},
		{"8", "h43.two.test", "nodata", ""},
		{"9", "h31.two.test AAAA", "NXDOMAIN", ""},
		{"10", "h41-six.two.test AAAA", "2001:db8:4::1", ""},
		{"11", "h51.two.test", "198.51.100.1", ""},
		{"12", "h53.two.test", "198.51.100.1", ""},
		{"13", "h54.two.test norec", "garden.four.test. 203.0.113.14", "a rule counts whatever RD says"},
		{"14", "h54.two.test", "garden.four.test. 203.0.113.14", ""},
		{"15", "h44.two.test", "192.0.2.68", ""},
		{"16", "c2.three.test", "NXDOMAIN", ""},
		{"17", "h44.two.test @203.0.113.1", "198.51.100.17", ""},
		{"18", "h71.two.test", "NXDOMAIN", ""},
	}}
	up := world(t, bindWorld())
	g.check(t, dnsfilter.Config{Upstream: up})
	g.zones[2].lines, g.asks = "", []ported{{"19", "h71.two.test", "192.0.2.113", ""}}
	g.check(t, dnsfilter.Config{Upstream: up})
	g.zones[2].lines, g.asks = "32.113.2.0.192.rpz-ip CNAME .", []ported{{"20", "h71.two.test", "NXDOMAIN", ""}}
	g.check(t, dnsfilter.Config{Upstream: up})
	var none []ported
	for _, c := range []struct{ asked, want string }{
		{"h31.two.test", "192.0.2.49"},
		{"h32.two.test", "192.0.2.50"},
		{"h41.two.test", "192.0.2.65"},
		{"h42.two.test", "192.0.2.66"},
		{"h42.two.test AAAA", "2001:db8:4::2"},
		{"h42.two.test TXT", `"h42"`},
		{"h42.two.test ANY", `"RFC8482" ""`},
		{"h43.two.test", "192.0.2.67"},
		{"h31.two.test AAAA", "2001:db8:3::1"},
		{"h41-six.two.test AAAA", "2001:db8:4::1"},
		{"h51.two.test", "192.0.2.81 192.0.2.82"},
	} {
		none = append(none, ported{"radix tree deletions", c.asked, c.want, ""})
	}
	policy := g.policy(t)
	s := dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: policy, Upstream: up, Clients: everyone})
	assert.Equal(t, "NXDOMAIN", answerTo(t, s, "h42.two.test"))
	for _, r := range policy.Rules {
		r.Zone.Adopt(newPolicyZone(t))
	}
	g.asks = none
	g.ask(t, s)
}

// serverRules are the rules of BIND rpz test3.
const serverRules = `
*.sub1.two.test.rpz-nsdname         CNAME .
*.sub2.two.test.rpz-nsdname         CNAME garden-alias.two.test.
h32.two.test                        CNAME h32.two.test.
28.0.2.0.192.rpz-ip                 CNAME 28.0.2.0.192.
h41.two.test                        A 203.0.113.12
ns.sub3.two.test.rpz-nsdname        A 198.51.100.101
ns.subsub.sub3.two.test.rpz-nsdname A 198.51.100.102
ns.five.test                        A 203.0.113.12
`

// stubs are the zones that BIND has of type stub and static-stub, where one server of them has a rule and another has
// none. Here, other upstreams answer them.
func stubs(t *testing.T) (zones []dnsfilter.ForwardZone) {
	t.Helper()
	for _, zone := range []string{"stub.test", "static-stub.test"} {
		for apex, server := range map[string]string{zone: "ns.sub1.two.test.", "other-" + zone: "ns.other-" + zone + "."} {
			zones = append(zones, dnsfilter.ForwardZone{Zone: mustName(t, apex), Upstream: recursor{dnstest.NewZone(t, "$TTL 120\n$ORIGIN "+apex+".\n@ SOA ns h 1 2 3 4 5\n@ NS "+server+"\nns A 198.51.100.10\nh31 A 198.51.100.99\nh41 A 198.51.100.99\n")}})
		}
	}
	return zones
}

// TestZonesLikeBINDServers has the questions of BIND rpz test3, test4 and test4a.
func TestZonesLikeBINDServers(t *testing.T) {
	t.Parallel()
	groups := []portedGroup{
		{"BIND rpz test3", given(serverRules), []ported{
			{"1", "h31.two.test", "192.0.2.49", ""},
			{"2", "h31.two.test do", "192.0.2.49", ""},
			{"3", "h31.sub1.two.test", "NXDOMAIN", ""},
			{"4", "h31.subsub.sub1.two.test", "NXDOMAIN", ""},
			{"5", "h31.subsub.sub1.two.test ANY", `"RFC8482" ""`, typeANY},
			{"6", "h42.subsub.sub2.two.test", "garden-alias.two.test. garden.two.test. 203.0.113.12", ""},
			{"7", "h32.two.test", "192.0.2.50", ""},
			{"8", "h01.two.test", "192.0.2.1", ""},
			{"9", "h41.two.test", "203.0.113.12", ""},
			{"10", "h31.sub3.two.test", "198.51.100.101", ""},
			{"11", "h31.subsub.sub3.two.test", "198.51.100.102", ""},
			{"12", "xxx.crash.two.test", "NXDOMAIN", ""},
			{"13", "h31.stub.test", "NXDOMAIN", ""},
			{"14", "h31.static-stub.test", "NXDOMAIN", ""},
			{"15", "h31.other-stub.test", "198.51.100.99", ""},
			{"16", "h31.other-static-stub.test", "198.51.100.99", ""},
		}},
		{"BIND rpz test4", given(`
32.2.100.51.198.rpz-nsip CNAME .
h32.two.test             CNAME h32.two.test.
28.0.2.0.192.rpz-ip      CNAME 28.0.2.0.192.
ns.two.test.rpz-nsdname  CNAME none.test.
32.5.100.51.198.rpz-ip   A 203.0.113.12
`), []ported{
			{"1", "h31.two.test", "NXDOMAIN none.test.", ""}, // BIND hides the alias from its comparison
			{"2", "h32.two.test", "192.0.2.50", ""},
			{"3", "h01.two.test", "192.0.2.1", ""},
			{"4", "h31.four.test", "192.0.2.49", ""},
			{"5", "h41.stub.test", "NXDOMAIN", ""},
			{"6", "h41.static-stub.test", "NXDOMAIN", ""},
			{"7", "h41.other-stub.test", "198.51.100.99", ""},
			{"8", "h41.other-static-stub.test", "198.51.100.99", ""},
		}},
		{"BIND rpz test4a", given(`
32.2.100.51.198.rpz-nsip A    203.0.113.41
32.2.100.51.198.rpz-nsip AAAA 2001:db8:f::41
32.2.100.51.198.rpz-nsip TXT  "walled"
`), []ported{
			{"1", "h31.two.test", "203.0.113.41", ""},
			{"2", "h31.two.test AAAA", "2001:db8:f::41", ""},
			{"3", "h31.two.test TXT", `"walled"`, ""},
		}},
	}
	for _, g := range groups {
		g.check(t, dnsfilter.Config{Upstream: world(t, bindWorld()), Forward: stubs(t)})
	}
}

// TestZonesLikeBINDOverrides has the questions of BIND rpz test5, where the settings override what the records say, and
// of test6, which only have to be answered.
func TestZonesLikeBINDOverrides(t *testing.T) {
	t.Parallel()
	rule := func(a dnsfilter.Action) dnsfilter.Rule { return dnsfilter.Rule{Action: a} }
	to := func(name string) dnsfilter.Rule {
		return dnsfilter.Rule{Action: dnsfilter.Sinkhole, SinkholeName: mustName(t, name)}
	}
	zones := []portedZone{
		{lines: "h36.two.test.feed.example. 300 A 198.51.100.16\nexample.org NS example.net.\ndomain.test cname other.test", rule: dnsfilter.Rule{TTL: 100}},
		{lines: "h31.two.test A 198.51.100.1"},
		{lines: "h32.two.test A 198.51.100.2", rule: rule(dnsfilter.Passthru)},
		{lines: "h33.two.test A 198.51.100.3", rule: rule(dnsfilter.Passthru)}, // BIND: no-op, the old word for it
		{lines: "h34.two.test A 198.51.100.4", rule: rule(dnsfilter.Monitor)},
		{lines: "h35.two.test A 198.51.100.5\nh35.signed.test A 198.51.100.5", rule: rule(dnsfilter.NoData)},
		{lines: "h37.two.test A 198.51.100.11", rule: rule(dnsfilter.NXDomain)},
		{lines: "h38.two.test A 198.51.100.12", rule: to("text.two.test")},
		{lines: "h39.two.test A 198.51.100.15", rule: to("garden.two.test")},
		{lines: "h41.two.test A 198.51.100.18", rule: rule(dnsfilter.Drop)},
		{lines: "h19.two.test A 198.51.100.19", rule: rule(dnsfilter.TCPOnly)},
	}
	g := portedGroup{"BIND rpz test5", zones, []ported{
		{"1", "h31.two.test", "198.51.100.1", ""},
		{"2", "h32.two.test", "192.0.2.50", ""},
		{"3", "h33.two.test", "192.0.2.51", ""},
		{"4", "h34.two.test", "192.0.2.52", ""},
		{"5, 7", "h35.two.test", "nodata", ""},
		{"6, 8", "h35.two.test norec", "nodata", ""},
		{"9", "h35.signed.test", "nodata", ""},
		{"10", "h35.signed.test do", "nodata", ""},
		{"11", "h37.two.test", "NXDOMAIN", ""},
		{"12", "h38.two.test ANY", "text.two.test.", "the CNAME record is the whole answer to ANY"},
		{"12", "h38.two.test TXT", `text.two.test. "only text"`, ""},
		{"15", "h39.two.test", "garden.two.test. 203.0.113.12", ""},
		{"16", "h36.two.test", "198.51.100.16", ""},
		{"18", "h41.two.test ANY", "dropped", ""},
		{"19", "h19.two.test", "TC", ""},
		{"19", "h19.two.test tcp", "NXDOMAIN", ""},
	}}
	up := world(t, bindWorld())
	g.check(t, dnsfilter.Config{Upstream: up})
	s := dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: g.policy(t), Upstream: up, Clients: everyone})
	assert.EqualValues(t, 100, replyTo(t, s, "h36.two.test").Answer[0].Header().Ttl, "BIND rpz test5 16, 17")

	crashes := portedGroup{"BIND rpz test6", given(`
128.1111.2222.3333.4444.5555.6666.7777.8888.rpz-ip CNAME .
128.1111.2222.3333.4444.5555.6666.zz.rpz-ip        CNAME .
128.1111.2222.3333.4444.5555.zz.8888.rpz-ip        CNAME .
128.1111.2222.3333.4444.zz.8888.rpz-ip             CNAME .
128.zz.3333.4444.0.0.8888.rpz-ip                   CNAME .
128.zz.3333.4444.0.7777.8888.rpz-ip                CNAME .
128.zz.3333.4444.0.8777.8888.rpz-ip                CNAME .
127.zz.3333.4444.0.8777.8888.rpz-ip                CNAME .
redirect.test                                      A 198.51.100.1
*.redirect.test                                    A 198.51.100.1
*.credirect.test                                   CNAME garden.two.test.
`), nil}
	z := newPolicyZone(t)
	report, err := z.Read(strings.NewReader("@ SOA . . 1 2 3 4 5\n" + crashes.zones[0].lines))
	require.NoError(t, err)
	assert.Equal(t, 11, report.Rules)
	s = dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: crashes.policy(t), Upstream: up, Clients: everyone})
	for _, name := range []string{"h31.two.test", "h32.two.test", "h35.two.test", "www.redirect.test", "www.credirect.test"} {
		for _, how := range []string{"RRSIG", "SIG", "ANY", "ANY do"} {
			assert.NotNil(t, replyTo(t, s, name+" "+how), "BIND rpz test6: %s %s", name, how)
		}
	}
}
