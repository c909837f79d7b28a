package rpz_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/rpz"
	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/peers"
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

// BenchmarkTransfers transfers a zone of a million names over TCP, to one secondary and to 50 at once, beside BIND as its
// primary.
func BenchmarkTransfers(b *testing.B) {
	peers.Need(b, "named")
	z, _ := million(b, false)
	addrs := map[string]string{"dnsfilter": serveZone(b, z), "bind": startPrimary(b, z)}
	for _, at := range []int{1, 50} {
		for name, addr := range addrs {
			b.Run(fmt.Sprintf("%s/%d", name, at), func(b *testing.B) {
				for b.Loop() {
					failed := make(chan error, at)
					for range at {
						go func() { failed <- copyZone(addr, z.Status().Serial) }()
					}
					for range at {
						require.NoError(b, <-failed)
					}
				}
			})
		}
	}
}

// serveZone serves a zone over TCP.
func serveZone(b *testing.B, z *rpz.Zone) (addr string) {
	b.Helper()
	name, err := blocklist.ParseName(zoneName)
	require.NoError(b, err)
	s, err := dnsfilter.New(dnsfilter.Config{
		Store: blocktest.NewStore(b), Upstream: refusing{}, Primary: map[blocklist.Name]dnsfilter.PrimaryZone{name: z},
	})
	require.NoError(b, err)
	addr = freeport.Addr(b)
	l, err := dnsfilter.Listen(b.Context(), "tcp://"+addr)
	require.NoError(b, err)
	go func() { _ = s.Serve(b.Context(), l) }() // it ends with the benchmark
	return addr
}

// startPrimary starts a named that is the primary of a zone.
func startPrimary(b *testing.B, z *rpz.Zone) (addr string) {
	b.Helper()
	dir, zone := b.TempDir(), httptest.NewRecorder()
	z.ServeHTTP(zone, httptest.NewRequest(http.MethodGet, "/", nil))
	peers.Write(b, dir, "zone", zone.Body.String())
	addr = freeport.Addr(b)
	peers.Start(b, dir, "named", "-g", "-c", peers.Write(b, dir, "named.conf", fmt.Sprintf(`controls { };
options { directory %q; listen-on port %s { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; session-keyfile none; lock-file none;
 recursion no; dnssec-validation no; notify no; transfers-out 100; tcp-listen-queue 100; };
zone %q { type primary; file "zone"; allow-transfer { 127.0.0.1; }; };
`, dir, peers.Port(addr), zoneName)))
	require.True(b, peers.Wait(b, 2*time.Minute, func() bool {
		m, err := dns.Exchange(new(dns.Msg).SetQuestion(zoneName, dns.TypeSOA), addr)
		return err == nil && len(m.Answer) == 1
	}))
	return addr
}

// copyZone asks for a whole zone and reads it to its end, which is the end of its SOA record.
func copyZone(addr string, serial uint32) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	query, err := new(dns.Msg).SetAxfr(zoneName).Pack()
	if err != nil {
		return err
	}
	if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)); err != nil {
		return err
	}
	var end []byte
	for _, n := range []uint32{serial, 60, 30, 28 * 24 * 3600, 30} {
		end = binary.BigEndian.AppendUint32(end, n)
	}
	size, message := make([]byte, 2), make([]byte, 1<<16)
	for {
		if _, err := io.ReadFull(c, size); err != nil {
			return err
		}
		m := message[:binary.BigEndian.Uint16(size)]
		if _, err := io.ReadFull(c, m); err != nil || bytes.HasSuffix(m, end) {
			return err
		}
	}
}
