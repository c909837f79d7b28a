package dnsfilter_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/longtest"
	"github.com/argine-dns/argine/testdata/peers"
)

// hierarchy is what authoritative servers on loopback have, by zone: all of them have all zones.
var hierarchy = map[string]string{
	".":           "@ NS ns.root.test.\nexample. NS ns1.dns.test.\ntest. NS ns.root.test.\nns.root.test. A 127.0.0.2\nns1.dns.test. A 127.0.0.2\n",
	"test":        "@ NS ns.root\nns.root A 127.0.0.2\nns1.dns A 127.0.0.2\nns2.dns A 127.0.0.3\nns.other A 127.0.0.4\ngarden A 192.0.2.80\n*.wide A 192.0.2.81\n",
	"example":     "@ NS ns1.dns.test.\na NS ns1.dns.test.\na NS ns2.dns.test.\nb NS ns.other.test.\n",
	"a.example":   "@ NS ns1.dns.test.\n@ NS ns2.dns.test.\nwww A 192.0.2.1\ndeep.x.y A 192.0.2.4\nx.y TXT \"x\"\ny TXT \"y\"\nto-b CNAME www.b.example.\n",
	"b.example":   "@ NS ns.other.test.\nwww A 192.0.2.2\nwww AAAA 2001:db8::2\nc NS ns1.dns.test.\nto-a CNAME www.a.example.\n",
	"c.b.example": "@ NS ns1.dns.test.\nwww A 192.0.2.3\n",
}

// apexSOA begins each of these zones.
const apexSOA = "$TTL 300\n@ SOA ns.root.test. h.root.test. 1 3600 600 86400 60\n"

// authoritative starts the servers of the hierarchy at 127.0.0.2, 127.0.0.3 and 127.0.0.4.
func authoritative(t *testing.T, port string) {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf("server:\n port: %s\n zonesdir: %q\n pidfile: \"\"\n zonelistfile: \"zone.list\"\n xfrdfile: \"\"\n xfrdir: %q\n username: \"\"\n chroot: \"\"\n rrl-ratelimit: 0\n", port, dir, dir)
	for _, addr := range []string{"127.0.0.2", "127.0.0.3", "127.0.0.4"} {
		text += " ip-address: " + addr + "\n"
	}
	text += "remote-control:\n control-enable: no\n"
	for zone, records := range hierarchy {
		dnstest.WriteFile(t, dir, "zone."+zone, apexSOA+records)
		text += fmt.Sprintf("zone:\n name: %q\n zonefile: %q\n", zone, "zone."+zone)
	}
	peers.Start(t, dir, "nsd", "-d", "-c", dnstest.WriteFile(t, dir, "nsd.conf", text))
	peers.Await(t, "127.0.0.2:"+port, "www.c.b.example", "NOERROR 192.0.2.3")
}

// TestServerTriggersAsBIND compares triggers about name servers with those of a BIND that resolves a hierarchy of zones
// itself. This server asks an upstream that knows the same.
func TestServerTriggersAsBIND(t *testing.T) {
	t.Parallel()
	peers.Need(t, "named", "nsd")
	theirs := freeport.Addr(t)
	port := peers.Port(theirs)
	authoritative(t, port)
	for round := range longtest.Rounds(1, 20) {
		t.Run(fmt.Sprint(round), func(t *testing.T) { compareServers(t, uint64(round), theirs, port) })
	}
}

func compareServers(t *testing.T, seed uint64, theirs, port string) {
	t.Helper()
	dir := t.TempDir()
	policy, texts := randomZones(t, rand.New(rand.NewPCG(seed, 2)), dir,
		"ns1.dns.test.rpz-nsdname", "ns2.dns.test.rpz-nsdname", "ns.other.test.rpz-nsdname", "*.dns.test.rpz-nsdname", "*.test.rpz-nsdname", "*.other.test.rpz-nsdname",
		"32.2.0.0.127.rpz-nsip", "32.3.0.0.127.rpz-nsip", "32.4.0.0.127.rpz-nsip", "31.2.0.0.127.rpz-nsip", "24.0.0.0.127.rpz-nsip")
	hints := dnstest.WriteFile(t, dir, "hints.db", ". 3600 NS ns.root.test.\nns.root.test. 3600 A 127.0.0.2\n")
	var zones, names, world string
	for i := range texts {
		zones += fmt.Sprintf("zone \"z%d.feed.test\" { type primary; file \"z%d.db\"; };\n", i, i)
		names += fmt.Sprintf("zone \"z%d.feed.test\"; ", i)
	}
	settings := fmt.Sprintf("controls { };\noptions { directory %q; port %s; listen-on { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; session-keyfile none; lock-file none;\n"+
		"dnssec-validation no; empty-zones-enable no; response-policy { %s} break-dnssec yes; };\nzone \".\" { type hint; file %q; };\n%s", dir, port, names, hints, zones)
	p := peers.Start(t, dir, "named", "-g", "-n", "1", "-c", dnstest.WriteFile(t, dir, "named.conf", settings))
	defer p.Stop()
	for zone, records := range hierarchy {
		world += "$ORIGIN " + dns.Fqdn(zone) + "\n" + apexSOA + records
	}
	ours, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: policy, Upstream: recursor{dnstest.NewZone(t, world)}}))
	compareAnswers(t, theirs, ours, fmt.Sprintf("seed %d", seed), texts)
}
