package dnsfilter_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// seen is a tap that keeps what it sees, as text.
type seen struct {
	mu    sync.Mutex
	lines []string
	ports map[uint16]bool
}

func (s *seen) Client(m dnsfilter.ClientMessage) {
	line := "client query"
	if !m.Answered.IsZero() {
		line = "client answer"
		if m.Answered.Before(m.Asked) {
			line = "answer before the query"
		}
	}
	if m.Client.Addr() != netip.MustParseAddr("127.0.0.1") || time.Since(m.Asked) > time.Minute {
		line = fmt.Sprintf("wrong client or time: %v", m)
	}
	line += " " + m.Transport.String() + " " + described(m.Packet)
	if d := m.Decided; d.By != "" {
		line += fmt.Sprintf(" by %s %s %s %q", d.By, d.Action, d.Entry, d.Matched)
	}
	s.add(line, m.Client.Port())
}

func (s *seen) Upstream(m upstream.Message) {
	line := "upstream query "
	if !m.Answered.IsZero() {
		line = "upstream answer "
	}
	s.add(line+strings.ToLower(described(m.Packet)), m.Resolver.Port())
}

func (s *seen) add(line string, port uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line)
	if s.ports == nil {
		s.ports = map[uint16]bool{}
	}
	s.ports[port] = true
}

// take returns what was seen since the last call.
func (s *seen) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.lines = nil }()
	return s.lines
}

// described describes a packed message.
func described(packet []byte) string {
	m := new(dns.Msg)
	if len(packet) == 0 {
		return "nothing"
	}
	if err := m.Unpack(packet); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s %s %s", m.Question[0].Name, dns.TypeToString[m.Question[0].Qtype], dns.RcodeToString[m.Rcode])
}

func tappedServer(t *testing.T, taps ...dnsfilter.Tap) (s *dnsfilter.Server, c dnsfilter.Config) {
	t.Helper()
	resolver := dnstest.NewServer(t, dnsfilter.Config{Upstream: dnstest.NewZone(t, dnstest.ZoneText+"to.example. CNAME b.listed.test.\naddress.example. A 198.51.100.1\n")})
	behind, _ := dnstest.Serve(t, resolver)
	at, err := upstream.ParseEndpoint(behind)
	require.NoError(t, err)
	c = dnsfilter.Config{
		Store: dnstest.NewStore(t, map[string]string{"n": "listed.test\n198.51.100.0/24", "d": "dropped.test", "m": "=seen.test"}),
		Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{
			{List: "n", Action: dnsfilter.NXDomain}, {List: "d", Action: dnsfilter.Drop}, {List: "m", Action: dnsfilter.Monitor},
		}},
		Taps: taps,
	}
	c.Upstream, err = upstream.New(at)
	require.NoError(t, err)
	return dnstest.NewServer(t, c), c
}

func TestTap(t *testing.T) {
	t.Parallel()
	tap := new(seen)
	s, c := tappedServer(t, tap)
	addr, _ := dnstest.Serve(t, s)
	udp := func(lines ...string) []string { return lines }
	for _, each := range []struct {
		name string
		want []string
	}{
		{"a.Listed.test.", udp("client query udp a.Listed.test. A NOERROR", `client answer udp a.Listed.test. A NXDOMAIN by n nxdomain listed.test "\x01a\x06listed\x04test\x00"`)},
		{"example.org.", udp("client query udp example.org. A NOERROR", "upstream query example.org. a noerror", "upstream answer example.org. a noerror", "client answer udp example.org. A NOERROR")},
		{"example.org.", udp("client query udp example.org. A NOERROR", "client answer udp example.org. A NOERROR")},
		{"seen.test.", udp("client query udp seen.test. A NOERROR", "upstream query seen.test. a noerror", "upstream answer seen.test. a noerror", `client answer udp seen.test. A NOERROR by m monitor =seen.test "\x04seen\x04test\x00"`)},
		{"to.example.", udp("client query udp to.example. A NOERROR", "upstream query to.example. a noerror", "upstream answer to.example. a noerror", `client answer udp to.example. A NXDOMAIN by n nxdomain listed.test "\x01b\x06listed\x04test\x00"`)},
		{"address.example.", udp("client query udp address.example. A NOERROR", "upstream query address.example. a noerror", "upstream answer address.example. a noerror", `client answer udp address.example. A NOERROR by n nodata 198.51.100.0/24 "\xc63d\x01"`)},
	} {
		dnstest.Exchange(t, "udp", addr, dnstest.Question(each.name, dns.TypeA))
		var got []string
		require.Eventually(t, func() bool { got = append(got, tap.take()...); return len(got) >= len(each.want) }, 5*time.Second, time.Millisecond)
		assert.Equal(t, each.want, got)
	}
	client := dns.Client{Timeout: 50 * time.Millisecond}
	_, _, err := client.Exchange(dnstest.Question("dropped.test.", dns.TypeA), addr)
	require.Error(t, err)
	assert.Equal(t, []string{"client query udp dropped.test. A NOERROR", `client answer udp nothing by d drop dropped.test "\adropped\x04test\x00"`}, tap.take())
	dnstest.Exchange(t, "tcp", addr, dnstest.Question("a.listed.test.", dns.TypeA))
	dnstest.Exchange(t, "tcp", addr, dnstest.Question("new.test.", dns.TypeA))
	unusual := dnstest.Question("a.listed.test.", dns.TypeA)
	unusual.Zero = true
	dnstest.Exchange(t, "udp", addr, unusual)
	unusual.Question[0].Name = "new2.test."
	dnstest.Exchange(t, "udp", addr, unusual)
	got := slices.DeleteFunc(tap.take(), func(line string) bool { return strings.HasPrefix(line, "upstream") })
	assert.Equal(t, []string{
		"client query tcp a.listed.test. A NOERROR", `client answer tcp a.listed.test. A NXDOMAIN by n nxdomain listed.test "\x01a\x06listed\x04test\x00"`,
		"client query tcp new.test. A NOERROR", "client answer tcp new.test. A NOERROR",
		"client query udp a.listed.test. A NOERROR", `client answer udp a.listed.test. A NXDOMAIN by n nxdomain listed.test "\x01a\x06listed\x04test\x00"`,
		"client query udp new2.test. A NOERROR", "client answer udp new2.test. A NOERROR",
	}, got)
	assert.NotContains(t, tap.ports, uint16(0), "the ports are known")

	c.Taps = nil
	require.NoError(t, s.Reconfigure(c))
	dnstest.Exchange(t, "udp", addr, dnstest.Question("other.test.", dns.TypeA))
	dnstest.Exchange(t, "tcp", addr, dnstest.Question("other2.test.", dns.TypeA))
	assert.Empty(t, tap.take())
}

// A server inside another program's DNS server is tapped, too.
func TestTapOfServeDNS(t *testing.T) {
	t.Parallel()
	tap := new(seen)
	s, _ := tappedServer(t, tap)
	addr, stop := serveExample(s)
	dnstest.Exchange(t, "udp", addr, dnstest.Question("a.listed.test.", dns.TypeA))
	dnstest.Exchange(t, "udp", addr, dnstest.Question("new.test.", dns.TypeA))
	require.NoError(t, stop())
	got := slices.DeleteFunc(tap.take(), func(line string) bool { return strings.HasPrefix(line, "upstream") })
	assert.Equal(t, []string{
		"client query udp a.listed.test. A NOERROR", `client answer udp a.listed.test. A NXDOMAIN by n nxdomain listed.test "\x01a\x06listed\x04test\x00"`,
		"client query udp new.test. A NOERROR", "client answer udp new.test. A NOERROR",
	}, got)
	assert.NotContains(t, tap.ports, uint16(0), "the ports are known")
}
