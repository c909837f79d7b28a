package internal_test

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/proxyheader"
)

// header makes a header of version 2.
func header(t testing.TB, command proxyproto.ProtocolVersionAndCommand, from net.Addr, fields int) []byte {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(2, from, from)
	h.Command = command
	if fields > 0 {
		require.NoError(t, h.SetTLVs([]proxyproto.TLV{{Type: proxyproto.PP2_TYPE_MIN_CUSTOM, Value: make([]byte, fields)}}))
	}
	b, err := h.Format()
	require.NoError(t, err)
	return b
}

func udp(at string) net.Addr { return net.UDPAddrFromAddrPort(netip.MustParseAddrPort(at)) }
func tcp(at string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(at)) }

// read reads a header from a connection that sends one byte at a time, and what is behind it.
func read(t testing.TB, sent []byte) (client netip.Addr, rest byte, err error) {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		defer theirs.Close()
		for i := range append(sent, 'x') {
			_, _ = theirs.Write(append(sent, 'x')[i : i+1])
		}
	}()
	client, err = proxyheader.Read(ours, time.Second)
	if err != nil {
		return client, 0, err
	}
	b := make([]byte, 1)
	_, err = ours.Read(b)
	return client, b[0], err
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	unix := &net.UnixAddr{Net: "unix", Name: "/x"}
	for name, test := range map[string]struct {
		sent   []byte
		client netip.Addr
		ok     bool
	}{
		"IPv4 over TCP":      {header(t, proxyproto.PROXY, tcp("192.0.2.1:1"), 0), netip.MustParseAddr("192.0.2.1"), true},
		"IPv4 over UDP":      {header(t, proxyproto.PROXY, udp("192.0.2.1:1"), 0), netip.MustParseAddr("192.0.2.1"), true},
		"IPv6":               {header(t, proxyproto.PROXY, udp("[2001:db8::1]:1"), 0), netip.MustParseAddr("2001:db8::1"), true},
		"further fields":     {header(t, proxyproto.PROXY, tcp("192.0.2.1:1"), 1000), netip.MustParseAddr("192.0.2.1"), true},
		"the proxy itself":   {header(t, proxyproto.LOCAL, tcp("192.0.2.1:1"), 0), netip.Addr{}, true},
		"too many fields":    {header(t, proxyproto.PROXY, tcp("192.0.2.1:1"), 3000), netip.Addr{}, false},
		"no IP address":      {header(t, proxyproto.PROXY, unix, 0), netip.Addr{}, false},
		"nothing":            {nil, netip.Addr{}, false},
		"half":               {header(t, proxyproto.PROXY, tcp("192.0.2.1:1"), 0)[:20], netip.Addr{}, false},
		"version 1":          {[]byte("PROXY TCP4 192.0.2.1 192.0.2.1 1 1\r\n"), netip.Addr{}, false},
		"another thing":      {make([]byte, 100), netip.Addr{}, false},
		"an unknown command": {bytes.Replace(header(t, proxyproto.PROXY, tcp("192.0.2.1:1"), 0), []byte{0x21, 0x11}, []byte{0x22, 0x11}, 1), netip.Addr{}, false},
	} {
		client, rest, err := proxyheader.Parse(append(bytes.Clone(test.sent), 'x'))
		if !test.ok {
			assert.ErrorIs(t, err, proxyheader.ErrHeader, name)
			_, _, err = read(t, test.sent)
			assert.Error(t, err, name)
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, test.client, client, name)
		assert.Equal(t, []byte{'x'}, rest, name)
		client, after, err := read(t, test.sent)
		require.NoError(t, err, name)
		assert.Equal(t, test.client, client, name)
		assert.Equal(t, byte('x'), after, name)
	}
}

func TestSlowHeader(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	defer theirs.Close()
	_, err := proxyheader.Read(ours, 10*time.Millisecond)
	assert.ErrorIs(t, err, proxyheader.ErrHeader)
}

// FuzzParse takes what the library takes, with the same client, and nothing else. It is stricter in what it says: the
// length has a lower limit, and a proxy that speaks for itself is not asked for an address.
func FuzzParse(f *testing.F) {
	f.Add(header(f, proxyproto.PROXY, tcp("192.0.2.1:1"), 0))
	f.Add(header(f, proxyproto.PROXY, udp("[2001:db8::1]:1"), 10))
	f.Add(header(f, proxyproto.LOCAL, udp("[2001:db8::1]:1"), 0))
	f.Fuzz(func(t *testing.T, datagram []byte) {
		client, rest, err := proxyheader.Parse(datagram)
		if err != nil {
			assert.Nil(t, rest)
			return
		}
		want, wantRest, errTheirs := proxyproto.ParseUDPDatagram(datagram)
		if !client.IsValid() {
			assert.Equal(t, byte(proxyproto.LOCAL), datagram[12])
			return
		}
		require.NoError(t, errTheirs)
		require.Equal(t, string(wantRest), string(rest))
		ip, _, ok := want.IPs()
		require.True(t, ok)
		assert.Equal(t, ip.String(), client.String())
	})
}
