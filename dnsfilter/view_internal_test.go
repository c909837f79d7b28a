package dnsfilter

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// TestPoliciesDoNotAllocate takes the fast path through views, categories, notices and a proxy.
func TestPoliciesDoNotAllocate(t *testing.T) {
	s := pathsServer(t)
	p := s.current.Load().policy
	for i := range p.Rules {
		p.Rules[i].Categories = map[string]Action{"other": Pass}
	}
	p.Views = []View{
		{Clients: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}, Rules: p.Rules},
		{Clients: []netip.Prefix{netip.MustParsePrefix("192.0.2.128/25")}},
	}
	require.NoError(t, s.Reconfigure(Config{Policy: p, Upstream: s.current.Load().general.upstream}))
	c, dst, now := s.current.Load(), make([]byte, 0, 2*dnswire.UDPSize), s.cache.Now()
	for _, client := range []string{"192.0.2.1", "192.0.2.200", "198.51.100.1", "2001:db8::1"} {
		for _, name := range []string{"a.nxdomain.test.", "sinkhole.test.", "paths.example.", "host.refused.example."} {
			packet, err := new(dns.Msg).SetQuestion(name, dns.TypeA).SetEdns0(1232, false).Pack()
			require.NoError(t, err)
			q := &query{counters: &s.shared}
			allocs := testing.AllocsPerRun(100, func() {
				q.client = netip.MustParseAddr(client)
				q.parsePacket(packet)
				s.answerNow(c, dst, q, now)
			})
			assert.Zero(t, allocs, "%s %s", client, name)
		}
	}
}
