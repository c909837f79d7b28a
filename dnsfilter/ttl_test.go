package dnsfilter_test

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

func TestTTLOfBlockedAnswers(t *testing.T) {
	t.Parallel()
	store := dnstest.NewStore(t, map[string]string{"l": "listed.test"})
	up := dnstest.NewZone(t, "$TTL 300\nchain.example. CNAME a.listed.test.\n")
	for ttl, want := range map[uint32]uint32{0: 30, 1: 1, 300: 300, dnsfilter.MaxBlockTTL: 86400} {
		for _, action := range []dnsfilter.Action{dnsfilter.NXDomain, dnsfilter.NoData, dnsfilter.Sinkhole} {
			server := dnstest.NewServer(t, dnsfilter.Config{Store: store, Upstream: up, Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{
				{List: "l", Action: action, TTL: ttl, Sinkhole: []netip.Addr{netip.MustParseAddr("192.0.2.80")}},
			}}})
			for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
				m := ask(t, server, "udp", dnstest.Question("a.listed.test.", qtype))
				require.Len(t, append(m.Answer, m.Ns...), 1)
				rr := append(m.Answer, m.Ns...)[0]
				assert.Equal(t, want, rr.Header().Ttl)
				if soa, ok := rr.(*dns.SOA); ok {
					assert.Equal(t, []uint32{1, 3600, 1200, 604800, want}, []uint32{soa.Serial, soa.Refresh, soa.Retry, soa.Expire, soa.Minttl})
				}
			}
			if m := ask(t, server, "udp", dnstest.Question("chain.example.", dns.TypeAAAA)); action == dnsfilter.NXDomain {
				require.Len(t, m.Ns, 1)
				assert.Equal(t, want, m.Ns[0].Header().Ttl, "of the end of a chain")
			}
		}
	}
	_, err := dnsfilter.New(dnsfilter.Config{Store: store, Upstream: up, Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{
		{List: "l", Action: dnsfilter.NXDomain, TTL: dnsfilter.MaxBlockTTL + 1},
	}}})
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
}
