package dnsfilter

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
)

// queryFor returns a query of type A for a name.
func queryFor(t testing.TB, text string) *query {
	t.Helper()
	name, err := blocklist.ParseName(text)
	require.NoError(t, err)
	q := &query{client: netip.MustParseAddr("192.0.2.1"), counters: new(counters), size: 1232}
	q.setKey(append(append(q.buf[:0], name...), 0, byte(dns.TypeA), 0, dns.ClassINET))
	return q
}

// BenchmarkPolicyZoneDecision decides on queries without and with a policy zone of a million names.
func BenchmarkPolicyZoneDecision(b *testing.B) {
	var text strings.Builder
	text.WriteString("@ SOA localhost. nobody.invalid. 7 3600 600 86400 60\n")
	for i := range 500_000 {
		fmt.Fprintf(&text, "name%d.some%d.example CNAME .\n*.name%d.some%d.example CNAME .\n", i, i%1000, i, i%1000)
	}
	z, store := NewPolicyZone("\x04feed\x07example\x00"), blocktest.NewStore(b)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	_, err := z.Read(strings.NewReader(text.String()))
	require.NoError(b, err)
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(text.String())
	used := float64(int64(after.HeapAlloc)-int64(before.HeapAlloc)) / (1 << 20)
	for what, p := range map[string]Policy{"without": {}, "with": {Rules: []Rule{{List: "z", Zone: z}}}} {
		v := p.general()
		for _, name := range []string{"www.example.org", "x.name77.some77.example"} {
			q := queryFor(b, name)
			b.Run(what+" "+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					v.decideOn(store, q)
				}
				b.ReportMetric(used, "MiB")
			})
		}
	}
}

// TestPolicyZoneDecisionAllocatesNothing decides by names and by clients.
func TestPolicyZoneDecisionAllocatesNothing(t *testing.T) { // not parallel, since it counts allocations
	z, store := NewPolicyZone("\x04feed\x07example\x00"), blocktest.NewStore(t)
	_, err := z.Read(strings.NewReader("@ SOA . . 1 2 3 4 5\n*.bad.example CNAME .\n32.9.2.0.192.rpz-client-ip CNAME *.\n"))
	require.NoError(t, err)
	p := Policy{Rules: []Rule{{List: "z", Zone: z}}}
	v := p.general()
	for name, want := range map[string]Action{"a.bad.example": NXDomain, "good.example": Pass} {
		q := queryFor(t, name)
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			if d := v.decideOn(store, q); d.Action != want {
				panic(name)
			}
		}), name)
	}
}
