package service_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/testdata/peers"
)

// TestUrgentZoneInFrontOfALargeOne: BIND takes in a change of a large policy zone. What is listed meanwhile in a small
// one before it is in force before what is listed in the large one at the same moment.
func TestUrgentZoneInFrontOfALargeOne(t *testing.T) {
	t.Parallel()
	peers.Need(t, "named")
	l, addr := dnstest.Listen(t)
	require.NoError(t, l.Close())
	r := newFolder(t, fmt.Sprintf("lists: [{name: urgent, file: urgent.txt, guard: off}, {name: large, file: large.txt, guard: off}]\nrpz:\n"+
		"  - {zone: urgent.rpz.example, lists: [urgent], key: transfer.key, allow: [127.0.0.1], notify: [%q]}\n"+
		"  - {zone: large.rpz.example, lists: [large], key: transfer.key, allow: [127.0.0.1], notify: [%[1]q]}\n", addr))
	var text strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&text, "n%d.w%d.test\n", i, i%1000)
	}
	urgent, large := "first.urgent.test\n", "first.large.test\n"+text.String()
	r.write(t, "transfer.key", transferKey)
	r.write(t, "urgent.txt", urgent)
	r.write(t, "large.txt", large)
	r.start(t)
	largeZone := func() (serial uint32, sent uint64) {
		s, err := r.control().Status(t.Context())
		require.NoError(t, err)
		require.Len(t, s.Zones, 2)
		return s.Zones[1].Serial, s.Zones[1].Incremental
	}
	require.True(t, peers.Wait(t, time.Minute, func() bool { serial, _ := largeZone(); return serial > 0 }), r.log)
	startTwoZones(t, r, addr)
	awaitVerdict(t, addr, "n7.w7.test.", "NXDOMAIN ", time.Minute)
	awaitVerdict(t, addr, "first.urgent.test.", "NXDOMAIN ", time.Minute)

	for round := range 3 {
		_, before := largeZone()
		large += fmt.Sprintf("before%d.large.test\n", round)
		r.write(t, "large.txt", large)
		require.True(t, peers.Wait(t, time.Minute, func() bool { _, sent := largeZone(); return sent > before }), r.log)
		large += fmt.Sprintf("next%d.large.test\n", round) // BIND takes in the change before this one
		urgent += fmt.Sprintf("now%d.urgent.test\n", round)
		r.write(t, "large.txt", large)
		r.write(t, "urgent.txt", urgent)
		begin, first := time.Now(), map[string]time.Duration{}
		require.True(t, peers.Wait(t, time.Minute, func() bool {
			for _, name := range []string{fmt.Sprintf("next%d.large.test.", round), fmt.Sprintf("now%d.urgent.test.", round)} {
				if m := dnstest.Exchange(t, "udp", addr, dnstest.Question(name, dns.TypeA)); first[name] == 0 && m.Rcode == dns.RcodeNameError {
					first[name] = time.Since(begin)
				}
			}
			return len(first) == 2
		}), "%v\n%s", first, r.log)
		t.Log(first)
		assert.Less(t, first[fmt.Sprintf("now%d.urgent.test.", round)], first[fmt.Sprintf("next%d.large.test.", round)])
	}
}

// startTwoZones starts a BIND that has two policy zones, as the handbook says.
func startTwoZones(t *testing.T, r *running, addr string) {
	t.Helper()
	dir, zones := t.TempDir(), ""
	for _, zone := range []string{"urgent", "large"} {
		zones += fmt.Sprintf("zone \"%s.rpz.example\" { type secondary; file \"%[1]s\"; masterfile-format text; primaries { 127.0.0.1 port %s key transfer.example; };\n"+
			" allow-notify { key transfer.example; }; allow-query { localhost; }; };\n", zone, peers.Port(r.addr))
	}
	dnstest.WriteFile(t, dir, "named.conf", fmt.Sprintf("controls { };\n%s\noptions { directory %q; listen-on port %s { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; session-keyfile none;\n"+
		"lock-file none; forward only; forwarders port %s { 127.0.0.1; }; dnssec-validation no; empty-zones-enable no; max-cache-ttl 0; max-ncache-ttl 0;\n"+
		"response-policy { zone \"urgent.rpz.example\"; zone \"large.rpz.example\"; } qname-wait-recurse no break-dnssec yes min-update-interval 0; };\n%s",
		transferKey, dir, peers.Port(addr), r.upstreamPort(t), zones))
	peers.Start(t, dir, "named", "-g", "-c", filepath.Join(dir, "named.conf"))
	awaitVerdict(t, addr, "free.test.", "NOERROR 192.0.2.3", time.Minute)
}
