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
	"github.com/argine-dns/argine/dnsfilter/upstream"
	"github.com/argine-dns/argine/testdata/freeport"
)

func mustName(t testing.TB, text string) blocklist.Name {
	t.Helper()
	name, err := blocklist.ParseName(text)
	require.NoError(t, err)
	return name
}

// resolver starts a resolver on loopback that answers every A query with one address.
func resolver(t testing.TB, addr string) dnsfilter.Upstream {
	t.Helper()
	at, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{Upstream: dnstest.NewZone(t, "$TTL 300\n*. A "+addr+"\n*. PTR host.example.\n")}))
	endpoint, err := upstream.ParseEndpoint(at)
	require.NoError(t, err)
	f, err := upstream.New(endpoint)
	require.NoError(t, err)
	return f
}

func zoneConfig(t *testing.T) dnsfilter.Config {
	t.Helper()
	return dnsfilter.Config{
		Store:      dnstest.NewStore(t, map[string]string{"l": "listed.corp.example"}),
		Policy:     dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain}}},
		Upstream:   resolver(t, "192.0.2.1"),
		SpecialUse: specialUse(t),
		Forward: []dnsfilter.ForwardZone{
			{mustName(t, "corp.example"), resolver(t, "192.0.2.2")},
			{mustName(t, "lab.corp.example"), dnstest.NewZone(t, "$TTL 300\n*. A 192.0.2.3\n")},
			{mustName(t, "10.in-addr.arpa"), resolver(t, "192.0.2.4")},
			{mustName(t, "1.168.192.in-addr.arpa"), resolver(t, "192.0.2.4")},
		},
	}
}

func TestForwardZones(t *testing.T) {
	t.Parallel()
	server := dnstest.NewServer(t, zoneConfig(t))
	addr, _ := dnstest.Serve(t, server)
	for _, c := range []struct{ name, want string }{
		{"www.example.", "192.0.2.1"},
		{"corp.example.", "192.0.2.2"},
		{"a.b.CORP.example.", "192.0.2.2"},
		{"xcorp.example.", "192.0.2.1"},
		{"corp.example.org.", "192.0.2.1"},
		{"lab.corp.example.", "192.0.2.3"},
		{"a.lab.corp.example.", "192.0.2.3"},
		{"listed.corp.example.", ""},
		{"a.home.arpa.", ""},
	} {
		for _, network := range []string{"udp", "tcp", "udp"} { // the last one from the cache
			reply := dnstest.Exchange(t, network, addr, dnstest.Question(c.name, dns.TypeA))
			if c.want == "" {
				assert.Equal(t, dns.RcodeNameError, reply.Rcode, c.name)
				continue
			}
			require.Len(t, reply.Answer, 1, "%s over %s", c.name, network)
			assert.Equal(t, c.want, reply.Answer[0].(*dns.A).A.String(), c.name)
		}
	}
	for name, want := range map[string]int{
		"5.0.0.10.in-addr.arpa.": dns.RcodeSuccess, "5.1.168.192.in-addr.arpa.": dns.RcodeSuccess,
		"5.2.168.192.in-addr.arpa.": dns.RcodeNameError,
	} {
		assert.Equal(t, want, dnstest.Exchange(t, "udp", addr, dnstest.Question(name, dns.TypePTR)).Rcode, name)
	}
	assert.NotZero(t, server.Stats().Hits)
	states := make(map[string]bool)
	for _, u := range server.Upstreams() {
		states[u.Zone] = u.Up && u.Answered > 0
	}
	assert.Equal(t, map[string]bool{"": true, "corp.example": true, "10.in-addr.arpa": true, "1.168.192.in-addr.arpa": true}, states)
}

// A forward zone whose resolvers are down does not make others stale, nor the server.
func TestForwardZoneThatIsDown(t *testing.T) {
	t.Parallel()
	c := zoneConfig(t)
	gone, err := upstream.New(upstream.Endpoint{Addr: netip.MustParseAddrPort(freeport.Addr(t))})
	require.NoError(t, err)
	c.Forward = []dnsfilter.ForwardZone{{mustName(t, "corp.example"), gone}}
	server := dnstest.NewServer(t, c)
	assert.Equal(t, dns.RcodeServerFailure, ask(t, server, "udp", dnstest.Question("a.corp.example.", dns.TypeA)).Rcode)
	assert.Equal(t, dns.RcodeSuccess, ask(t, server, "udp", dnstest.Question("a.example.", dns.TypeA)).Rcode)
	_, down := server.UpstreamDown()
	assert.False(t, down)
}

func TestForwardZonesThatAreNone(t *testing.T) {
	t.Parallel()
	for _, z := range []dnsfilter.ForwardZone{{}, {Zone: mustName(t, "corp.example")}, {"", dnstest.NewZone(t, "")}, {"\x00", dnstest.NewZone(t, "")}} {
		_, err := dnsfilter.New(dnsfilter.Config{Upstream: dnstest.NewZone(t, ""), Forward: []dnsfilter.ForwardZone{z}})
		assert.ErrorIs(t, err, blocklist.ErrMalformed)
	}
	_, err := dnsfilter.New(dnsfilter.Config{Upstream: dnstest.NewZone(t, ""), Canaries: map[blocklist.Name]dnsfilter.Action{"\x01a\x00": dnsfilter.Drop}})
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
}

func TestCanaries(t *testing.T) {
	t.Parallel()
	up := dnstest.NewZone(t, "$TTL 300\n*. A 192.0.2.1\n")
	canaries := map[blocklist.Name]dnsfilter.Action{}
	for _, name := range dnsfilter.CanaryNames() {
		canaries[mustName(t, name)] = dnsfilter.NXDomain
	}
	canaries[mustName(t, "mask.icloud.com")] = dnsfilter.NoData
	server := dnstest.NewServer(t, dnsfilter.Config{Upstream: up, Canaries: canaries})
	for name, want := range map[string][2]int{
		"use-application-dns.net.":   {dns.RcodeNameError, 0},
		"mask-h2.icloud.com.":        {dns.RcodeNameError, 0},
		"Mask.icloud.com.":           {dns.RcodeSuccess, 0},
		"www.icloud.com.":            {dns.RcodeSuccess, 1},
		"a.use-application-dns.net.": {dns.RcodeNameError, 0},
	} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			reply := ask(t, server, "udp", dnstest.Question(name, qtype).SetEdns0(1232, false))
			assert.Equal(t, want[0], reply.Rcode, name)
			if want[1] > 0 {
				continue
			}
			assert.Empty(t, reply.Answer, name)
			require.Len(t, reply.Ns, 1, name)
			assert.Empty(t, dnstest.EDEs(reply))
			assert.Contains(t, []string{"icloud.com.", "net."}, reply.Ns[0].Header().Name)
		}
	}
	plain := dnstest.NewServer(t, dnsfilter.Config{Upstream: up})
	assert.Len(t, ask(t, plain, "udp", dnstest.Question("use-application-dns.net.", dns.TypeA)).Answer, 1, "off by default")
}
