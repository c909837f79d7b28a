package dnsfilter_test

import (
	"strings"
	"testing"

	"github.com/argine-dns/argine/dnsfilter"
)

// unboundWorld is what the upstream knows in the tests from Unbound (testdata/rpz_*.rpl). Each city has a name server
// of its own.
const unboundWorld = `
$TTL 300
.                SOA ns.root.test. h.root.test. 1 3600 600 86400 60
a.test.          A    192.0.2.1
a.test.          AAAA 2001:db8::123
a.test.          TXT  "real a"
b.test.          TXT  "real b"
c.test.          TXT  "real c"
d.test.          A    192.0.2.4
d.test.          TXT  "real d"
e.test.          A    192.0.2.4
target.test.     A    192.0.2.6
x.b.test.        TXT  "real x.b"
c.g.test.        TXT  "real c.g"
e.a.example.     TXT  "real e.a"
something.e.b.example. TXT "real something.e.b"
f.example.       CNAME d.
h.example.       CNAME d.one.
tcp.test.        TXT  "real tcp"
www.city.test.   CNAME host.city5.test.
www.city2.test.  CNAME host.city7.test.
city7.test.      SOA  ns.city7.test. h.city7.test. 1 3600 600 86400 60
city7.test.      NS   ns.city7.test.
static.city6.test. A  192.0.2.61
static.city8.test. A  192.0.2.62
alias.foo.test.  30 CNAME a.foo.test.
a.foo.test.      30 A 192.0.2.99
bad.test.        A    192.0.2.42
`

// TestZonesLikeUnboundClients has rpz_clientip, rpz_clientip_override, rpz_passthru, rpz_passthru_clientip,
// rpz_clientip_passthru_cache, and what rpz_clientip_passthru_dns64 asks without DNS64.
func TestZonesLikeUnboundClients(t *testing.T) {
	t.Parallel()
	const one = "32.%.113.0.203.rpz-client-ip A 198.51.100.5\n"
	client := func(last string, a dnsfilter.Action) portedZone {
		return portedZone{lines: strings.ReplaceAll(one, "%", last), rule: dnsfilter.Rule{Action: a}}
	}
	toTarget := client("7", dnsfilter.Sinkhole)
	toTarget.rule.SinkholeName = mustName(t, "target.test")
	refused := client("1", dnsfilter.NXDomain)
	refused.lines = "32.1.113.0.203.rpz-client-ip CNAME rpz-passthru.\n32.2.113.0.203.rpz-client-ip A 198.51.100.5"
	drop := client("5", dnsfilter.Drop)
	drop.lines += strings.ReplaceAll(one, "%", "6")
	for _, g := range []portedGroup{
		{"Unbound rpz_clientip", given(`
28.0.113.0.203.rpz-client-ip  CNAME .
28.16.113.0.203.rpz-client-ip CNAME *.
28.32.113.0.203.rpz-client-ip CNAME rpz-drop.
28.48.113.0.203.rpz-client-ip CNAME rpz-passthru.
28.64.113.0.203.rpz-client-ip CNAME rpz-tcp-only.
28.80.113.0.203.rpz-client-ip A 198.51.100.1
28.80.113.0.203.rpz-client-ip TXT "42"
`), []ported{
			{"10", "a.test TXT", `"real a"`, ""},
			{"20", "a.test TXT @203.0.113.1", "NXDOMAIN", ""},
			{"30", "a.test TXT @203.0.113.17", "nodata", ""},
			{"40", "a.test TXT @203.0.113.49", `"real a"`, ""},
			{"50", "a.test TXT @203.0.113.65", "TC", ""},
			{"52", "a.test TXT @203.0.113.65 tcp", `"real a"`, ""},
			{"60", "a.test @203.0.113.81", "198.51.100.1", ""},
			{"62", "a.test TXT @203.0.113.81", `"42"`, ""},
			{"64", "a.test AAAA @203.0.113.81", "nodata", ""},
			{"90", "a.test TXT @203.0.113.33", "dropped", ""},
		}},
		{"Unbound rpz_clientip_override", []portedZone{
			refused, client("4", dnsfilter.NoData), client("5", dnsfilter.Passthru), drop, toTarget, client("8", dnsfilter.Monitor),
		}, []ported{
			{"10", "d.test @203.0.113.2", "NXDOMAIN", ""},
			{"20", "d.test @203.0.113.1", "NXDOMAIN", ""},
			{"30", "d.test @203.0.113.3", "192.0.2.4", ""},
			{"40", "d.test @203.0.113.4", "nodata", ""},
			{"50", "d.test @203.0.113.5", "192.0.2.4", ""},
			{"60", "d.test @203.0.113.6", "dropped", ""},
			{"70", "d.test @203.0.113.7", "target.test. 192.0.2.6", ""},
			{"80", "d.test @203.0.113.8", "192.0.2.4", ""},
		}},
		{"Unbound rpz_passthru", []portedZone{
			{lines: "c.test TXT \"local\"\nd.test A 198.51.100.1", rule: dnsfilter.Rule{Action: dnsfilter.Passthru}},
			{lines: "e.test CNAME rpz-passthru."},
			{lines: "c.test TXT \"other\"\n28.80.113.0.203.rpz-client-ip A 198.51.100.1\n28.0.2.0.192.rpz-ip A 198.51.100.2", rule: dnsfilter.Rule{Action: dnsfilter.NXDomain}},
		}, []ported{
			{"10", "c.test TXT @203.0.113.81", `"real c"`, ""},
			{"20", "d.test", "192.0.2.4", ""},
			{"30", "e.test", "192.0.2.4", ""},
		}},
		{"Unbound rpz_passthru_clientip", given("d.test A 198.51.100.1\n32.1.113.0.203.rpz-client-ip CNAME rpz-passthru.\n32.2.113.0.203.rpz-client-ip CNAME rpz-drop."), []ported{
			{"10", "d.test @203.0.113.1", "192.0.2.4", ""},
			{"20", "d.test @203.0.113.3", "198.51.100.1", ""},
			{"30", "d.test @203.0.113.2", "dropped", ""},
		}},
		{"Unbound rpz_clientip_passthru_cache, rpz_clientip_passthru_dns64", given("32.33.113.0.203.rpz-client-ip CNAME rpz-passthru.\n32.42.2.0.192.rpz-ip CNAME ."), []ported{
			{"1", "bad.test @203.0.113.1", "NXDOMAIN", ""},
			{"5", "bad.test @203.0.113.33", "192.0.2.42", ""},
		}},
	} {
		g.check(t, dnsfilter.Config{Upstream: world(t, unboundWorld)})
	}
}

// TestZonesLikeUnboundNames has rpz_qname, rpz_qname_override, rpz_qname_tcponly, rpz_rootwc, rpz_cname_wild,
// rpz_cached_cname, and what clients ask in rpz_signal_nxdomain_ra: there is no setting that clears RA.
func TestZonesLikeUnboundNames(t *testing.T) {
	t.Parallel()
	rule := func(lines string, a dnsfilter.Action) portedZone {
		return portedZone{lines: lines, rule: dnsfilter.Rule{Action: a}}
	}
	toD := rule("e.one TXT \"no\"", dnsfilter.Sinkhole)
	toD.rule.SinkholeName = mustName(t, "d.test")
	first := "one CNAME .\none CNAME *.\n*.one TXT \"wildcard\"\nb.one CNAME *.\nc.one CNAME rpz-passthru.\nc.g.test CNAME rpz-passthru.\n"
	second := "one TXT \"second\"\nd TXT \"second\"\ne CNAME *.a.example.\n*.e CNAME *.b.example.\ndrop CNAME rpz-drop.\ntcp.test CNAME rpz-tcp-only.\nc.g.test CNAME .\n"
	for _, g := range []portedGroup{
		{"Unbound rpz_qname", given(first, second), []ported{
			{"10", "one TXT", "NXDOMAIN", ""},
			{"20", "a.one TXT", `"wildcard"`, ""},
			{"30", "b.one TXT", "nodata", ""},
			{"40", "x.one TXT", `"wildcard"`, ""},
			{"50", "x.a.one TXT", `"wildcard"`, ""},
			{"60", "c.one TXT", `"real c.one"`, ""},
			{"70", "x.b.one TXT", `"real x.b.one"`, ""},
			{"80", "d TXT", `"second"`, ""},
			{"82", "e TXT", `e.a.example. "real e.a"`, ""},
			{"84", "something.e TXT", `something.e.b.example. "real something.e.b"`, ""},
			{"90", "drop TXT", "dropped", ""},
			{"95", "tcp.test TXT", "TC", ""},
			{"97", "tcp.test TXT tcp", `"real tcp"`, ""},
			{"100", "f.example TXT", `"second"`, ""},
			{"110", "c.g.test TXT", `"real c.g"`, ""},
		}},
		{"Unbound rpz_qname_override", []portedZone{
			rule("a.one TXT \"first\"", dnsfilter.Monitor),
			{lines: "a.one TXT \"second\""},
			rule("b.one CNAME .", dnsfilter.NoData), rule("c.test CNAME *.", dnsfilter.NXDomain),
			rule("d.test TXT \"no\"", dnsfilter.Passthru), toD, rule("f.one TXT \"no\"", dnsfilter.Drop),
		}, []ported{
			{"10", "a.one TXT", `"second"`, ""},
			{"20", "b.one TXT", "nodata", ""},
			{"30", "c.test TXT", "NXDOMAIN", ""},
			{"40", "d.test TXT", `"real d"`, ""},
			{"50", "e.one TXT", `d.test. "real d"`, ""},
			{"60", "f.one TXT", "dropped", ""},
		}},
		{"Unbound rpz_qname_tcponly", given("a.test CNAME rpz-passthru.\nb.test CNAME rpz-tcp-only."), []ported{
			{"10", "a.test TXT", `"real a"`, ""},
			{"20", "b.test TXT", "TC", ""},
			{"30", "b.test TXT tcp", `"real b"`, ""},
		}},
		{"Unbound rpz_rootwc", given(first+"* CNAME .\n", second), []ported{
			{"10", "x TXT", "NXDOMAIN", ""},
			{"30", "y.tld TXT", "NXDOMAIN", ""},
		}},
		{"Unbound rpz_cname_wild", given("*.city5.test CNAME static.city6.test.\n*.city7.test.rpz-nsdname CNAME static.city8.test."), []ported{
			{"10", "www.city.test", "static.city6.test. 192.0.2.61", ""},
			{"30", "www.city2.test", "static.city8.test. 192.0.2.62", ""},
		}},
		{"Unbound rpz_cached_cname", given("a.foo.test 120 A 198.51.100.99"), []ported{
			{"10", "a.foo.test", "198.51.100.99", ""},
			{"30, 60", "alias.foo.test", "198.51.100.99", ""},
		}},
		{"Unbound rpz_signal_nxdomain_ra", given("a.test CNAME .\nd.one CNAME .\nns.city7.test.rpz-nsdname CNAME .\n28.0.113.0.203.rpz-client-ip CNAME ."), []ported{
			{"10", "a.test TXT", "NXDOMAIN", ""},
			{"20", "h.example TXT", "NXDOMAIN d.one.", ""},
			{"30", "host.city7.test TXT", "NXDOMAIN", ""},
			{"50", "b.test TXT @203.0.113.1", "NXDOMAIN", ""},
		}},
	} {
		g.check(t, dnsfilter.Config{Upstream: world(t, unboundWorld+"c.one. TXT \"real c.one\"\nx.b.one. TXT \"real x.b.one\"\n")})
	}
}

// TestZonesLikeUnboundAddresses has rpz_respip, rpz_respip_override and rpz_respip_tcponly.
func TestZonesLikeUnboundAddresses(t *testing.T) {
	t.Parallel()
	const real = `
$TTL 300
. SOA ns. h. 1 3600 600 86400 60
ns. A 192.0.2.40
a. A 198.18.0.123
a. AAAA 2001:db8::123
b. A 198.18.1.123
b. AAAA 2001:db8:1::123
c. A 198.18.11.123
c. AAAA 2001:db8:ff::123
d. A 198.18.160.123
d. AAAA 2001:db8:aa::123
e. A 198.18.170.123
e. AAAA 2001:db8:aa:bb::123
f. A 198.18.170.10
f. AAAA 2001:db8:aa:bb:cc::1
g. A 192.0.2.123
g. AAAA 2001:db8:aa:bb:cc::123
h. AAAA 2001:db8:aa:bb:cc::124
y. A 198.18.2.1
o1. A 203.0.113.1
o3. A 203.0.113.3
o4. A 203.0.113.4
o5. A 203.0.113.5
o6. A 203.0.113.6
o7. A 203.0.113.7
`
	first := `
15.0.0.18.198.rpz-ip CNAME *.
17.0.128.18.198.rpz-ip CNAME .
24.0.170.18.198.rpz-ip CNAME rpz-drop.
32.10.170.18.198.rpz-ip CNAME rpz-passthru.
32.1.2.18.198.rpz-ip CNAME rpz-tcp-only.
32.zz.db8.2001.rpz-ip CNAME *.
48.zz.aa.db8.2001.rpz-ip CNAME .
64.zz.bb.aa.db8.2001.rpz-ip CNAME rpz-drop.
128.1.zz.cc.bb.aa.db8.2001.rpz-ip CNAME rpz-passthru.
128.123.zz.cc.bb.aa.db8.2001.rpz-ip AAAA 2001:db8::123
128.124.0.0.cc.bb.aa.db8.2001.rpz-ip AAAA 2001:db8::124
`
	second := "32.10.170.18.198.rpz-ip A 203.0.113.123\n32.123.2.0.192.rpz-ip A 203.0.113.123\n128.1.zz.cc.bb.aa.db8.2001.rpz-ip AAAA 2001:db1::123"
	rule := func(n, what string, a dnsfilter.Action) portedZone {
		return portedZone{lines: "32." + n + ".113.0.203.rpz-ip " + what, rule: dnsfilter.Rule{Action: a}}
	}
	toNS := rule("6", "A 192.0.2.6", dnsfilter.Sinkhole)
	toNS.rule.SinkholeName = mustName(t, "ns")
	for _, g := range []portedGroup{
		{"Unbound rpz_respip", given(first, second), []ported{
			{"1", "a", "nodata", ""},
			{"3", "a AAAA", "nodata", ""},
			{"5", "b", "nodata", ""},
			{"7", "b AAAA", "nodata", ""},
			{"9", "c", "nodata", ""},
			{"11", "c AAAA", "nodata", ""},
			{"13", "d", "NXDOMAIN", ""},
			{"15", "d AAAA", "NXDOMAIN", ""},
			{"17", "f", "198.18.170.10", ""},
			{"19", "f AAAA", "2001:db8:aa:bb:cc::1", ""},
			{"21", "g", "203.0.113.123", ""},
			{"23", "g AAAA", "2001:db8::123", ""},
			{"25", "h AAAA", "2001:db8::124", ""},
			{"27, 30", "e", "dropped", ""},
			{"28, 31", "e AAAA", "dropped", ""},
			{"33", "y", "TC", ""},
		}},
		{"Unbound rpz_respip_tcponly", given(first), []ported{
			{"1", "a", "nodata", ""},
			{"10", "b", "nodata", ""},
			{"13", "d", "NXDOMAIN", ""},
			{"17", "f", "198.18.170.10", ""},
			{"30", "y", "TC", ""},
			{"40", "y tcp", "198.18.2.1", ""},
		}},
		{"Unbound rpz_respip_override", []portedZone{
			rule("1", "A 192.0.2.1", dnsfilter.Monitor), rule("1", "A 192.0.2.2", dnsfilter.Pass), rule("3", "CNAME .", dnsfilter.NoData), rule("4", "CNAME *.", dnsfilter.NXDomain),
			rule("5", "A 192.0.2.5", dnsfilter.Passthru), toNS, rule("7", "A 192.0.2.7", dnsfilter.Drop),
		}, []ported{
			{"1", "o1", "192.0.2.2", ""},
			{"3", "o3", "nodata", ""},
			{"5", "o4", "NXDOMAIN", ""},
			{"7", "o5", "203.0.113.5", ""},
			{"9", "o6", "ns. 192.0.2.40", ""},
			{"11", "o7", "dropped", ""},
		}},
	} {
		g.check(t, dnsfilter.Config{Upstream: world(t, real)})
	}
}
