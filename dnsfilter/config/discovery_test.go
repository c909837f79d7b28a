package config_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/certtest"
)

// TestDiscovery asks a server for its encrypted transports (RFC 9462).
func TestDiscovery(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := certtest.New(t)
	writeFile(t, dir, "cert.pem", string(cert))
	writeFile(t, dir, "key.pem", string(key))
	writeFile(t, dir, "own.zone", "_dns.resolver.arpa 60 SVCB 1 other.example. alpn=dot\n")
	writeFile(t, dir, "other.zone", "$ORIGIN corp.example.\nwww A 192.0.2.9\n")
	const head = "upstream: [192.0.2.53]\ncertificate: {cert: cert.pem, key: key.pem}\n" +
		"listen: [udp://127.0.0.1:53, tls://192.0.2.1:853, \"tls://[2001:db8::1]:853\", https://0.0.0.0:443, quic://192.0.2.1:8853]\n"
	ours := []string{
		`_dns.resolver.arpa.	300	IN	SVCB	1 resolver.example. alpn="dot" port="853" ipv4hint="192.0.2.1" ipv6hint="2001:db8::1"`,
		`_dns.resolver.arpa.	300	IN	SVCB	2 resolver.example. alpn="h2,h3" port="443" dohpath="/dns-query{?dns}"`,
		`_dns.resolver.arpa.	300	IN	SVCB	3 resolver.example. alpn="doq" port="8853" ipv4hint="192.0.2.1"`,
	}
	for text, want := range map[string][]string{
		head:                           ours,
		head + "records: other.zone\n": ours,
		head + "records: own.zone\n":   {`_dns.resolver.arpa.	60	IN	SVCB	1 other.example. alpn="dot"`},
		"upstream: [192.0.2.53]\n":     nil,
	} {
		s, err := config.Read(writeFile(t, dir, "dnsfilter.yaml", text))
		require.NoError(t, err)
		c, err := s.LoadServer()
		require.NoError(t, err)
		server, err := dnsfilter.New(c)
		require.NoError(t, err)
		w := &discoverer{}
		server.ServeDNS(w, new(dns.Msg).SetQuestion("_dns.resolver.arpa.", dns.TypeSVCB))
		var texts []string
		for _, rr := range w.got.Answer {
			texts = append(texts, rr.String())
		}
		assert.ElementsMatch(t, want, texts, text)
	}
	s, err := config.Read(writeFile(t, dir, "dnsfilter.yaml", head+"local: [-resolver.arpa]\n"))
	require.NoError(t, err)
	c, err := s.LoadServer()
	require.NoError(t, err)
	zone, _ := c.OwnZone([]byte("\x04_dns\x08resolver\x04arpa\x00"))
	assert.Empty(t, zone, "the upstream is asked")
}

// discoverer is a client without a network.
type discoverer struct {
	dns.ResponseWriter

	got dns.Msg
}

func (d *discoverer) RemoteAddr() net.Addr {
	return net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:1024"))
}

func (d *discoverer) Write(b []byte) (int, error) { return len(b), d.got.Unpack(b) }
