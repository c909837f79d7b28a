package dnsfilter_test

import (
	"context"
	"net"
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

// zoneText is the zone of the tests' upstream.
const zoneText = `
$TTL 300
example.org.      SOA ns.example.org. hostmaster.example.org. 1 3600 600 86400 60
example.org.      A   192.0.2.1
www.example.org.  A   192.0.2.2
*.test.           A   192.0.2.3
test.             SOA ns.test. hostmaster.test. 1 3600 600 86400 60
`

func newZone(t testing.TB, text string) *upstream.Zone {
	t.Helper()
	z, err := upstream.NewZone(text)
	require.NoError(t, err)
	return z
}

// newStore makes a store of lists, each given as lines of entries.
func newStore(t testing.TB, lists map[string]string) *blocklist.Store {
	t.Helper()
	store := blocktest.NewStore(t)
	for name, lines := range lists {
		blocktest.SetList(t, store, name, lines)
	}
	return store
}

func newServer(t testing.TB, c dnsfilter.Config) *dnsfilter.Server {
	t.Helper()
	if c.Upstream == nil {
		c.Upstream = newZone(t, zoneText)
	}
	s, err := dnsfilter.New(c)
	require.NoError(t, err)
	return s
}

// recorder is a client without a network.
type recorder struct {
	dns.ResponseWriter

	network string
	got     []byte
}

func (r *recorder) RemoteAddr() net.Addr {
	if r.network == "tcp" {
		return &net.TCPAddr{}
	}
	return &net.UDPAddr{}
}

func (r *recorder) WriteMsg(m *dns.Msg) (err error) {
	r.got, err = m.Pack()
	return err
}

func (r *recorder) Write(b []byte) (int, error) {
	r.got = b
	return len(b), nil
}

// ask passes a message to the server and returns its answer, or nil.
func ask(t testing.TB, h dns.Handler, network string, m *dns.Msg) *dns.Msg {
	t.Helper()
	r := recorder{network: network}
	h.ServeDNS(&r, m)
	if r.got == nil {
		return nil
	}
	reply := new(dns.Msg)
	require.NoError(t, reply.Unpack(r.got))
	require.Equal(t, m.Id, reply.Id)
	require.True(t, reply.Response)
	return reply
}

func question(name string, qtype uint16) *dns.Msg {
	return new(dns.Msg).SetQuestion(name, qtype)
}

// serve runs a server on loopback, over UDP and TCP at one port, until the test ends or stop is called, which returns
// what Serve returned.
func serve(t testing.TB, s *dnsfilter.Server) (addr string, stop func() error) {
	t.Helper()
	l, addr := listen(t)
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

func listen(t testing.TB) (*dnsfilter.Listeners, string) {
	t.Helper()
	addr := freeport.Addr(t)
	l, err := dnsfilter.Listen(t.Context(), "udp://"+addr, "tcp://"+addr)
	require.NoError(t, err)
	return l, addr
}

func exchange(t testing.TB, network, addr string, m *dns.Msg) *dns.Msg {
	t.Helper()
	c := dns.Client{Net: network, Timeout: 5 * time.Second}
	reply, _, err := c.Exchange(m, addr)
	require.NoError(t, err)
	return reply
}

// edes returns the extended errors of a message.
func edes(m *dns.Msg) (codes []uint16) {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if e, ok := o.(*dns.EDNS0_EDE); ok {
				codes = append(codes, e.InfoCode)
			}
		}
	}
	return codes
}

// writeFile puts a file in place at once, so that no one reads half of it.
func writeFile(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
	return path
}
