package blocklist_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
)

func TestLookupAddr(t *testing.T) {
	s := openStore(t, t.TempDir())
	blocktest.SetList(t, s, "local", "192.0.2.0/24", "192.0.2.128/25 status=monitor", "192.0.2.7", "198.51.100.7 status=monitor", "2001:db8::/32", "2001:db8:1::/48", "64:ff9b::/96 status=monitor",
		"203.0.113.1 expires=2020-01-01", "example.com")
	for addr, want := range map[string]string{
		"192.0.2.1": "192.0.2.0/24", "192.0.2.7": "192.0.2.7", "192.0.2.200": "192.0.2.0/24", "192.0.3.0": "", "198.51.100.7": "198.51.100.7", "198.51.100.8": "",
		"2001:db8:1::1": "2001:db8:1::/48", "2001:db8:2::1": "2001:db8::/32", "2001:db9::": "", "2001:db8::1%eth0": "2001:db8::/32",
		"::ffff:192.0.2.7": "192.0.2.7", "64:ff9b::192.0.2.7": "192.0.2.7", "64:ff9b::c633:6407": "64:ff9b::/96", "64:ff9b:1::192.0.2.7": "", "203.0.113.1": "", "::": "",
	} {
		m, ok := s.LookupAddr(netip.MustParseAddr(addr))
		assert.Equal(t, want != "", ok, addr)
		if ok {
			assert.Equal(t, want, m.Entry(), addr)
			assert.Equal(t, blocklist.ScopeIP, m.Scope)
		}
	}
	_, ok := s.LookupAddr(netip.Addr{})
	assert.False(t, ok)
}

func TestAppendAddrMatches(t *testing.T) {
	s := openStore(t, t.TempDir())
	blocktest.SetList(t, s, "local", "192.0.2.0/24 status=monitor")
	require.NoError(t, apply(s, snapshot(t, 1, "192.0.2.1", "192.0.2.2")))
	require.NoError(t, apply(s, release(t, header(2, 1, "192.0.2.0/25", "192.0.2.1"), "+192.0.2.0/25", "-192.0.2.2")))
	got := s.AppendAddrMatches(nil, netip.MustParseAddr("192.0.2.2"))
	require.Len(t, got, 2)
	assert.Equal(t, "192.0.2.0/25 192.0.2.0/24", got[0].Entry()+" "+got[1].Entry())
	m, _ := s.LookupAddr(netip.MustParseAddr("192.0.2.2"))
	assert.Equal(t, csam, m.List)
	got = s.AppendAddrMatches(got[:0], netip.MustParseAddr("192.0.2.200"))
	require.Len(t, got, 1)
	assert.True(t, got[0].Monitor)
	other := netip.MustParseAddr("2001:db8::1")
	assert.Zero(t, testing.AllocsPerRun(100, func() { got = s.AppendAddrMatches(got[:0], other) }))
}

// TestLookupAddrModel compares with a walk over all prefixes.
func TestLookupAddrModel(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(rand.Uint64(), 2))
	random := func() netip.Addr { // close together, in both families
		if r.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte{192, 0, byte(r.IntN(4)), byte(r.Uint32())})
		}
		return netip.AddrFrom16([16]byte{0x20, 1, 13, 0xb8, byte(r.IntN(2)), 14: byte(r.IntN(2)), 15: byte(r.Uint32())})
	}
	s := openStore(t, t.TempDir())
	for range 20 {
		var entries []blocklist.Entry
		for range 1 + r.IntN(20) {
			a := random()
			p, err := a.Prefix(a.BitLen() - r.IntN(a.BitLen()/2))
			require.NoError(t, err)
			entries = append(entries, blocklist.IPEntry(p))
		}
		require.NoError(t, s.SetLocal("local", "", values(entries)))
		for range 300 {
			a, best := random(), -1
			for _, e := range entries {
				if p, _ := e.Prefix(); p.Contains(a) {
					best = max(best, p.Bits())
				}
			}
			m, ok := s.LookupAddr(a)
			require.Equal(t, best >= 0, ok, "%s in %v", a, entries)
			if ok {
				p, _ := entry(t, m.Entry()).Prefix()
				require.True(t, p.Contains(a) && p.Bits() == best, "%s: %s", a, p)
			}
		}
	}
}

func BenchmarkLookupAddr(b *testing.B) {
	s := openStore(b, b.TempDir())
	blocktest.SetList(b, s, "local", "192.0.2.0/24", "198.51.100.7", "203.0.113.128/25", "2001:db8::/32", "2001:db8:1::/48")
	addrs := []netip.Addr{netip.MustParseAddr("192.0.3.1"), netip.MustParseAddr("2001:db9::1")}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ok := s.LookupAddr(addrs[i&1]); ok {
			b.Fatal("listed")
		}
	}
}
