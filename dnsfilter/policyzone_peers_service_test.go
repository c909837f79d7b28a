package dnsfilter_test

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/peers"
)

// TestServiceTargetsAsBIND asks this server and BIND about records that name another host, with rules about that host.
// BIND lets them pass: a client that follows them asks for the host. Address hints differ: here, they are addresses in
// the answer, since a client connects to them without another question.
func TestServiceTargetsAsBIND(t *testing.T) {
	t.Parallel()
	peers.Need(t, "named")
	dir := t.TempDir()
	world := delegated + "svc.a.example. HTTPS 1 www.b.example.\nhint.a.example. HTTPS 1 . ipv4hint=192.0.2.2\nalias.a.example. HTTPS 0 www.b.example.\nmx.a.example. MX 10 www.b.example.\n"
	zone := "@ 60 SOA localhost. nobody.invalid. 7 3600 600 86400 60\n@ 60 NS localhost.\nwww.b.example 60 CNAME .\n32.2.2.0.192.rpz-ip 60 CNAME .\nready0.test 60 A 203.0.113.99\n"
	dnstest.WriteFile(t, dir, "z0.db", zone)
	up := recursor{dnstest.NewZone(t, world)}
	z := newPolicyZone(t)
	_, err := z.Read(strings.NewReader(zone))
	require.NoError(t, err)
	ours, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: zonePolicy(z), Upstream: up}))
	theirs := freeport.Addr(t)
	peers.Start(t, dir, "named", "-g", "-c", bindSettings(t, dir, peers.Port(theirs), serveUpstream(t, up), 1))
	peers.Await(t, theirs, "ready0.test", "NOERROR 203.0.113.99")
	for _, name := range []string{"svc", "hint", "alias", "mx"} {
		for _, qtype := range []uint16{dns.TypeHTTPS, dns.TypeMX} {
			q := dnstest.Question(name+".a.example.", qtype)
			want, got := outcome(dnstest.Exchange(t, "udp", theirs, q)), outcome(dnstest.Exchange(t, "udp", ours, q))
			if name == "hint" && qtype == dns.TypeHTTPS {
				assert.Equal(t, "NXDOMAIN", got)
				continue
			}
			assert.Equal(t, want, got, "%s %s", name, dns.TypeToString[qtype])
		}
	}
}
