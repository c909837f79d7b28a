package rpz_test

import (
	"fmt"
	"iter"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/rpz"
)

// million is a zone of a million names, and one more in every other version.
func million(b *testing.B, digest bool) (z *rpz.Zone, change func()) {
	b.Helper()
	version := 0
	entry := func(i int) blocklist.Entry {
		name, err := blocklist.ParseName(fmt.Sprintf("name%d.example%d.test", i*7919%1_000_003, i%1000))
		require.NoError(b, err)
		return blocklist.DomainEntry(name)
	}
	c := rpz.Config{ZONEMD: digest, Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, Sources: []rpz.Source{{
		Rule:    dnsfilter.Rule{List: "l", Action: dnsfilter.NXDomain},
		Version: func() (string, error) { return fmt.Sprint(version), nil },
		Entries: func() iter.Seq2[blocklist.Entry, error] {
			return func(yield func(blocklist.Entry, error) bool) {
				for i := range 1_000_000 {
					if !yield(entry(i), nil) {
						return
					}
				}
			}
		},
		Changes: func(string) (iter.Seq2[blocklist.Change, error], bool) {
			return func(yield func(blocklist.Change, error) bool) {
				yield(blocklist.Change{Entry: entry(1_000_001), Removed: version%2 == 0}, nil)
			}, true
		},
	}}}
	c.Name, _ = blocklist.ParseName(zoneName)
	z, err := rpz.Open(b.TempDir(), c)
	require.NoError(b, err)
	require.NoError(b, z.Update(b.Context()))
	return z, func() {
		version++
		require.NoError(b, z.Update(b.Context()))
	}
}

// BenchmarkChange adds or removes one name in a zone of a million, with and without its digest.
func BenchmarkChange(b *testing.B) {
	for _, digest := range []bool{false, true} {
		b.Run(fmt.Sprintf("zonemd=%t", digest), func(b *testing.B) {
			z, change := million(b, digest)
			b.ReportAllocs()
			for b.Loop() {
				before := z.Status().Serial
				change()
				require.NotEqual(b, before, z.Status().Serial)
			}
		})
	}
}

// BenchmarkTransfer makes the messages of an AXFR of a million names.
func BenchmarkTransfer(b *testing.B) {
	z, _ := million(b, false)
	packet, err := new(dns.Msg).SetAxfr(zoneName).Pack()
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		size := 0
		z.Transfer(packet, netip.MustParseAddr("192.0.2.1"), true, func(m []byte) error { size += len(m); return nil })
		b.SetBytes(int64(size))
	}
}
