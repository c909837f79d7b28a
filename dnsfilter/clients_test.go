package dnsfilter_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// distant is a client at a given address.
type distant struct {
	recorder

	addr net.Addr
}

func (d *distant) RemoteAddr() net.Addr { return d.addr }

func TestClients(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		client  string
		clients string // empty: the default
		want    bool
	}{
		{"127.0.0.1", "", true},
		{"::1", "", true},
		{"10.1.2.3", "", true},
		{"172.31.0.1", "", true},
		{"172.32.0.1", "", false},
		{"192.168.0.1", "", true},
		{"100.100.0.1", "", true},
		{"fd00::1", "", true},
		{"fe80::1%eth0", "", true},
		{"::ffff:10.0.0.1", "", true},
		{"192.0.2.1", "", false},
		{"2001:db8::1", "", false},
		{"::ffff:192.0.2.1", "", false},
		{"192.0.2.1", "192.0.2.0/24", true},
		{"::ffff:192.0.2.1", "192.0.2.0/24", true},
		{"192.0.3.1", "192.0.2.0/24", false},
		{"127.0.0.1", "192.0.2.0/24", false},
	} {
		var p dnsfilter.Config
		if c.clients != "" {
			p.Clients = []netip.Prefix{netip.MustParsePrefix(c.clients)}
		}
		s := dnstest.NewServer(t, p)
		at := netip.AddrPortFrom(netip.MustParseAddr(c.client), 1024)
		for _, addr := range []net.Addr{net.UDPAddrFromAddrPort(at), net.TCPAddrFromAddrPort(at)} {
			d := distant{addr: addr}
			s.ServeDNS(&d, dnstest.Question("example.org.", dns.TypeA).SetEdns0(1232, false))
			var reply dns.Msg
			require.NoError(t, reply.Unpack(d.got))
			if c.want {
				assert.Len(t, reply.Answer, 1, c)
				continue
			}
			assert.Equal(t, dns.RcodeRefused, reply.Rcode, c)
			assert.Equal(t, []uint16{18}, dnstest.EDEs(&reply), c)
		}
	}
}

func TestOtherNetworksAreRefused(t *testing.T) {
	t.Parallel()
	up := &counting{next: dnstest.NewZone(t, dnstest.ZoneText)}
	s := dnstest.NewServer(t, dnsfilter.Config{Upstream: up, Clients: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	addr, _ := dnstest.Serve(t, s)
	withCookie := dnstest.Question("example.org.", dns.TypeA).SetEdns0(1232, false)
	withCookie.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0123456789abcdef"}}
	for _, m := range []*dns.Msg{dnstest.Question("example.org.", dns.TypeA).SetEdns0(1232, false), withCookie} { // on both paths
		reply := dnstest.Exchange(t, "udp", addr, m)
		assert.Equal(t, dns.RcodeRefused, reply.Rcode)
		assert.Equal(t, []uint16{18}, dnstest.EDEs(reply))
	}
	c := dns.Client{Net: "tcp", Timeout: time.Minute}
	_, _, err := c.Exchange(dnstest.Question("example.org.", dns.TypeA), addr)
	assert.True(t, errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE), "%v", err)
	assert.Zero(t, up.n.Load())
	require.NoError(t, s.Reconfigure(dnsfilter.Config{Upstream: up}))
	for _, network := range []string{"udp", "tcp"} {
		assert.Len(t, dnstest.Exchange(t, network, addr, dnstest.Question("example.org.", dns.TypeA)).Answer, 1, network)
	}
}

func TestOneClientCannotTakeAllConnections(t *testing.T) {
	t.Parallel()
	addr, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{}))
	tryOne := func() (net.Conn, error) {
		conn, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		framed := dns.Conn{Conn: conn}
		_ = framed.WriteMsg(dnstest.Question("example.org.", dns.TypeA))
		_, err = framed.ReadMsg()
		return conn, err
	}
	var conns []net.Conn
	for range 101 {
		conn, err := tryOne()
		require.NoError(t, err)
		conns = append(conns, conn)
	}
	_, err := conns[0].Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "the first makes room for the hundred and first")
	framed := dns.Conn{Conn: conns[1]}
	require.NoError(t, framed.WriteMsg(dnstest.Question("example.org.", dns.TypeA)))
	_, err = framed.ReadMsg()
	require.NoError(t, err, "the others stay")
}

func TestAnyIsAnsweredMinimally(t *testing.T) {
	t.Parallel()
	up := &counting{next: dnstest.NewZone(t, dnstest.ZoneText)}
	s := dnstest.NewServer(t, dnsfilter.Config{
		Upstream: up, Store: dnstest.NewStore(t, map[string]string{"l": "listed.test"}),
		Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain}}},
	})
	for _, network := range []string{"udp", "tcp"} {
		m := dnstest.Question("Example.org.", dns.TypeANY)
		reply := ask(t, s, network, m)
		require.Len(t, reply.Answer, 1)
		assert.Equal(t, "Example.org.\t30\tIN\tHINFO\t\"RFC8482\" \"\"", reply.Answer[0].String())
		assert.Equal(t, dns.RcodeNameError, ask(t, s, network, dnstest.Question("listed.test.", dns.TypeANY)).Rcode)
	}
	assert.Zero(t, up.n.Load())
	// What a validator asks for must be signed: over TCP the upstream's answer is, and over UDP it would be too much.
	reply := ask(t, s, "udp", dnstest.Question("example.org.", dns.TypeANY).SetEdns0(1232, true))
	assert.True(t, reply.Truncated)
	assert.Empty(t, reply.Answer)
	assert.Zero(t, up.n.Load())
	ask(t, s, "tcp", dnstest.Question("example.org.", dns.TypeANY).SetEdns0(1232, true))
	assert.EqualValues(t, 1, up.n.Load())
	assert.True(t, ask(t, s, "udp", dnstest.Question("example.org.", dns.TypeANY).SetEdns0(1232, true)).Truncated, "whatever is in the cache")
}
