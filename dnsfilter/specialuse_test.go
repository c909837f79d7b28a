package dnsfilter_test

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// specialUse returns all special zones.
func specialUse(t *testing.T) (zones []blocklist.Name) {
	t.Helper()
	for _, text := range dnsfilter.SpecialZones() {
		zone, err := blocklist.ParseName(text)
		require.NoError(t, err)
		zones = append(zones, zone)
	}
	return zones
}

func TestSpecialZones(t *testing.T) {
	t.Parallel()
	up := &counting{next: dnstest.NewZone(t, "$TTL 300\n*. A 192.0.2.3\n*. PTR a.example.\n. SOA ns. h. 1 2 3 4 5\n")}
	server := dnstest.NewServer(t, dnsfilter.Config{Upstream: up, SpecialUse: specialUse(t)})
	const forwarded = -1
	for _, c := range []struct {
		name  string
		qtype uint16
		rcode int
		addr  string
	}{
		{"localhost.", dns.TypeA, dns.RcodeSuccess, "127.0.0.1"},
		{"a.LocalHost.", dns.TypeAAAA, dns.RcodeSuccess, "::1"},
		{"localhost.", dns.TypeTXT, dns.RcodeSuccess, ""},
		{"a.invalid.", dns.TypeA, dns.RcodeNameError, ""},
		{"x.y.onion.", dns.TypeHTTPS, dns.RcodeNameError, ""},
		{"printer.home.arpa.", dns.TypeA, dns.RcodeNameError, ""},
		{"home.arpa.", dns.TypeSOA, dns.RcodeSuccess, "nobody.invalid."},
		{"10.in-addr.arpa.", dns.TypeNS, dns.RcodeSuccess, "localhost."},
		{"10.in-addr.arpa.", dns.TypeA, dns.RcodeSuccess, ""},
		{"test.", dns.TypeSOA, dns.RcodeNameError, ""},
		{"localhost.", dns.TypeNS, dns.RcodeSuccess, ""},
		{"a.localhost.", dns.TypeDS, dns.RcodeSuccess, ""},
		{"a.home.arpa.", dns.TypeDS, dns.RcodeNameError, ""},
		{"_dns.resolver.arpa.", dns.TypeSVCB, dns.RcodeSuccess, ""},
		{"resolver.arpa.", dns.TypeA, dns.RcodeSuccess, ""},
		{"0.0.127.in-addr.arpa.", dns.TypePTR, dns.RcodeSuccess, ""},
		{"2.0.0.127.in-addr.arpa.", dns.TypePTR, dns.RcodeNameError, ""},
		{"home.arpa.", dns.TypeDS, forwarded, ""},
		{"1.2.3.10.in-addr.arpa.", dns.TypePTR, dns.RcodeNameError, ""},
		{"1.0.31.172.in-addr.arpa.", dns.TypePTR, dns.RcodeNameError, ""},
		{"1.0.32.172.in-addr.arpa.", dns.TypePTR, forwarded, ""},
		{"1.0.127.100.in-addr.arpa.", dns.TypePTR, dns.RcodeNameError, ""},
		{"1.1.168.192.in-addr.arpa.", dns.TypePTR, dns.RcodeNameError, ""},
		{"8.8.8.8.in-addr.arpa.", dns.TypePTR, forwarded, ""},
		{"a.d.f.ip6.arpa.", dns.TypePTR, dns.RcodeNameError, ""},
		{"xinvalid.", dns.TypeA, forwarded, ""},
		{`x\007invalid.`, dns.TypeA, forwarded, ""},
		{"onion.example.", dns.TypeA, forwarded, ""},
		{"a.test.", dns.TypeA, dns.RcodeNameError, ""},
		{"invalid.arpa.", dns.TypeA, forwarded, ""},
		{"arpa.", dns.TypeNS, forwarded, ""},
		{`x\004arpa.`, dns.TypeNS, forwarded, ""},
		{".", dns.TypeA, forwarded, ""},
	} {
		before := up.n.Load()
		reply := ask(t, server, "udp", dnstest.Question(c.name, c.qtype).SetEdns0(1232, true))
		if c.rcode == forwarded {
			assert.Equal(t, before+1, up.n.Load(), c)
			continue
		}
		assert.Equal(t, before, up.n.Load(), c)
		assert.Equal(t, c.rcode, reply.Rcode, c)
		if c.addr == "" {
			assert.Empty(t, reply.Answer, c)
			if assert.Len(t, reply.Ns, 1, c) {
				assert.True(t, dns.IsSubDomain(reply.Ns[0].Header().Name, c.name), c)
				owner := strings.ToLower(reply.Ns[0].Header().Name)
				if c.rcode == dns.RcodeNameError {
					assert.NotEqual(t, c.name, owner, "what owns a record exists")
				}
				if owner != "." || strings.HasSuffix(c.name, "arpa.") {
					assert.Contains(t, dnsfilter.SpecialZones(), strings.TrimSuffix(owner, "."), c)
				}
			}
			continue
		}
		if assert.Len(t, reply.Answer, 1, c) {
			assert.Contains(t, reply.Answer[0].String(), c.addr, c)
		}
	}
}

// What is listed is decided on before.
func TestListedSpecialNames(t *testing.T) {
	t.Parallel()
	var p dnsfilter.Policy
	p.Rules = []dnsfilter.Rule{{List: "l", Action: dnsfilter.Refused}}
	s := dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, map[string]string{"l": "listed.test"}), Policy: p, SpecialUse: specialUse(t)})
	assert.Equal(t, dns.RcodeRefused, ask(t, s, "udp", dnstest.Question("a.listed.test.", dns.TypeA)).Rcode)
	assert.Equal(t, dns.RcodeNameError, ask(t, s, "udp", dnstest.Question("other.test.", dns.TypeA)).Rcode)
}

func TestLoopbackNames(t *testing.T) {
	t.Parallel()
	server := dnstest.NewServer(t, dnsfilter.Config{Upstream: &counting{}, SpecialUse: specialUse(t)})
	for _, addr := range []string{"127.0.0.1", "::1"} {
		name, err := dns.ReverseAddr(addr)
		require.NoError(t, err)
		reply := ask(t, server, "udp", dnstest.Question(name, dns.TypePTR))
		require.Len(t, reply.Answer, 1, addr)
		assert.Equal(t, "localhost.", reply.Answer[0].(*dns.PTR).Ptr)
		reply = ask(t, server, "udp", dnstest.Question(name, dns.TypeMX))
		assert.Equal(t, dns.RcodeSuccess, reply.Rcode)
		assert.Empty(t, reply.Answer)
	}
}
