// Package dnstest has helpers for tests of the resolver: an upstream with a zone, stores of lists, servers on loopback,
// and queries to them.
package dnstest

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/upstream"
	"github.com/argine-dns/argine/testdata/freeport"
)

// ZoneText is the zone of the upstream in tests, in master file format.
const ZoneText = `
$TTL 300
example.org.      SOA ns.example.org. hostmaster.example.org. 1 3600 600 86400 60
example.org.      A   192.0.2.1
www.example.org.  A   192.0.2.2
*.test.           A   192.0.2.3
test.             SOA ns.test. hostmaster.test. 1 3600 600 86400 60
`

// NewZone returns an upstream that answers from a zone in master file format.
func NewZone(t testing.TB, text string) *upstream.Zone {
	t.Helper()
	z, err := upstream.NewZone(text)
	require.NoError(t, err)
	return z
}

// NewStore creates a store of lists. The map has the text of each list, one entry per line, by list name.
func NewStore(t testing.TB, lists map[string]string) *blocklist.Store {
	t.Helper()
	store := blocktest.NewStore(t)
	for name, lines := range lists {
		blocktest.SetList(t, store, name, lines)
	}
	return store
}

// NewServer creates a server. If the configuration has no upstream, the upstream answers from [ZoneText].
func NewServer(t testing.TB, c dnsfilter.Config) *dnsfilter.Server {
	t.Helper()
	if c.Upstream == nil {
		c.Upstream = NewZone(t, ZoneText)
	}
	s, err := dnsfilter.New(c)
	require.NoError(t, err)
	return s
}

// Serve runs a server on loopback, over UDP and TCP at the same port. It runs until the test ends or stop is called.
// The function stop returns the error of [dnsfilter.Server.Serve].
func Serve(t testing.TB, s *dnsfilter.Server) (addr string, stop func() error) {
	t.Helper()
	l, addr := Listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	stopped := false
	stop = func() error {
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() {
		if !stopped {
			require.NoError(t, stop())
		}
	})
	return addr, stop
}

// Listen opens a UDP and a TCP socket on loopback, at the same free port.
func Listen(t testing.TB) (l *dnsfilter.Listeners, addr string) {
	t.Helper()
	addr = freeport.Addr(t)
	l, err := dnsfilter.Listen(t.Context(), "udp://"+addr, "tcp://"+addr)
	require.NoError(t, err)
	return l, addr
}

// Question returns a query with the RD bit.
func Question(name string, qtype uint16) *dns.Msg {
	return new(dns.Msg).SetQuestion(name, qtype)
}

// Exchange sends a query over a network ("udp" or "tcp") and returns the answer.
func Exchange(t testing.TB, network, addr string, m *dns.Msg) *dns.Msg {
	t.Helper()
	c := dns.Client{Net: network, Timeout: time.Minute}
	reply, _, err := c.Exchange(m, addr)
	require.NoError(t, err)
	return reply
}

// EDEs returns the info codes of the extended errors (RFC 8914) of a message.
func EDEs(m *dns.Msg) (codes []uint16) {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if e, ok := o.(*dns.EDNS0_EDE); ok {
				codes = append(codes, e.InfoCode)
			}
		}
	}
	return codes
}

// WriteFile writes a file in a folder atomically, so that a reader never sees half of it. It returns the path of the
// file.
func WriteFile(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
	return path
}
