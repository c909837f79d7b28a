package dnsfilter_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

func TestCached(t *testing.T) {
	t.Parallel()
	store := dnstest.NewStore(t, map[string]string{"l": "listed.test"})
	synctest.Test(t, func(t *testing.T) {
		server := dnstest.NewServer(t, dnsfilter.Config{
			Store: store, Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain}}},
			Upstream: dnstest.NewZone(t, "a.example. 60 A 192.0.2.1\na.example. 60 A 192.0.2.2\nb.a.example. 60 A 192.0.2.1\nc.example. 60 CNAME x.listed.test.\nexample. 600 SOA n. h. 1 2 3 4 600\n"),
		})
		for _, name := range []string{"a.example.", "b.a.example.", "c.example."} {
			for _, qtype := range []uint16{dns.TypeA, dns.TypeMX} {
				ask(t, server, "udp", dnstest.Question(name, qtype))
			}
		}
		ask(t, server, "udp", dnstest.Question("A.example.", dns.TypeA).SetEdns0(1232, true))
		time.Sleep(20 * time.Second)
		before := server.Stats()
		all, err := server.Cached("A.Example")
		require.NoError(t, err)
		require.Len(t, all, 3)
		records := []string{"a.example.\t60\tIN\tA\t192.0.2.1", "a.example.\t60\tIN\tA\t192.0.2.2"}
		assert.Equal(t, []dnsfilter.CachedAnswer{
			{Type: "A", Rcode: "NOERROR", Records: records, Expires: 40 * time.Second},
			{Type: "A", DO: true, Rcode: "NOERROR", Records: records, Expires: 40 * time.Second},
			{Type: "MX", Rcode: "NOERROR", Expires: 580 * time.Second},
		}, all)
		all, err = server.Cached("c.example.")
		require.NoError(t, err)
		require.Len(t, all, 2)
		assert.True(t, all[0].Decision.Blocks())
		assert.Equal(t, "l", all[0].Decision.By())
		assert.Equal(t, before, server.Stats(), "looking counts as nothing")

		time.Sleep(50 * time.Second)
		all, err = server.Cached("b.a.example")
		require.NoError(t, err)
		require.Len(t, all, 2)
		assert.Equal(t, []any{true, -10 * time.Second}, []any{all[0].Stale, all[0].Expires})
		time.Sleep(25 * time.Hour)
		all, err = server.Cached("b.a.example")
		require.NoError(t, err)
		assert.Empty(t, all, "no longer of use")
		_, err = server.Cached("a..example")
		assert.ErrorIs(t, err, blocklist.ErrMalformed)
		all, err = server.Cached(".")
		require.NoError(t, err)
		assert.Empty(t, all)
	})
}
