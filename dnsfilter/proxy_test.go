package dnsfilter_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// proxyHeader returns a PROXY header of version 2.
func proxyHeader(client string) []byte {
	h := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x21, 0x12, 0, 12)
	return append(append(h, netip.MustParseAddr(client).AsSlice()...), 127, 0, 0, 1, 4, 0, 0, 53)
}

// prefixedStream has something before its first message.
type prefixedStream struct {
	net.Conn

	prefix []byte
}

func (p *prefixedStream) Write(b []byte) (int, error) {
	_, err := p.Conn.Write(append(p.prefix, b...))
	p.prefix = nil
	return len(b), err
}

// prefixedDatagrams has something before each datagram.
type prefixedDatagrams struct {
	*net.UDPConn

	prefix []byte
}

func (p *prefixedDatagrams) Write(b []byte) (int, error) {
	_, err := p.UDPConn.Write(append(p.prefix, b...))
	return len(b), err
}

// TestProxies has a proxy whose word on the client is taken: access list, view and rate limit are those of the client
// behind it. Without a header, or from elsewhere, nothing is taken.
func TestProxies(t *testing.T) {
	t.Parallel()
	c := dnsfilter.Config{
		Store: dnstest.NewStore(t, map[string]string{"l": "listed.test"}), Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")},
		RateLimit: dnsfilter.RateLimit{PerSecond: 1},
		Policy: dnsfilter.Policy{
			Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain}},
			Views: []dnsfilter.View{{Clients: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}},
		},
	}
	s := dnstest.NewServer(t, c)
	addr, _ := dnstest.Serve(t, s)
	const silent = -1
	for _, test := range []struct {
		from, client string
		udp, tcp     int
	}{
		{"127.0.0.2", "10.0.0.1", dns.RcodeNameError, dns.RcodeNameError},
		{"127.0.0.2", "10.1.0.1", dns.RcodeSuccess, dns.RcodeSuccess},
		{"127.0.0.2", "203.0.113.1", dns.RcodeRefused, silent},
		{"127.0.0.2", "", silent, silent},
		{"127.0.0.3", "", dns.RcodeNameError, dns.RcodeNameError},
		{"127.0.9.3", "10.1.0.1", dns.RcodeNotImplemented, silent},
	} {
		for network, want := range map[string]int{"udp": test.udp, "tcp": test.tcp} {
			d := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(test.from)}}
			if network == "tcp" {
				d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(test.from)}
			}
			conn, err := d.Dial(network, addr)
			require.NoError(t, err)
			var prefix []byte
			if test.client != "" {
				prefix = proxyHeader(test.client)
			}
			client := &dns.Conn{Conn: &prefixedStream{conn, prefix}}
			if datagrams, ok := conn.(*net.UDPConn); ok {
				client.Conn = &prefixedDatagrams{datagrams, prefix}
			}
			wait := 5 * time.Second
			if want == silent {
				wait = 100 * time.Millisecond
			}
			require.NoError(t, client.SetDeadline(time.Now().Add(wait)))
			_ = client.WriteMsg(dnstest.Question("listed.test.", dns.TypeA)) // it may be closed already
			m, err := client.ReadMsg()
			if want == silent {
				assert.Error(t, err, "%+v %s", test, network)
			} else if assert.NoError(t, err, "%+v %s", test, network) {
				assert.Equal(t, want, m.Rcode, "%+v %s", test, network)
			}
			assert.NoError(t, client.Close())
		}
	}
	assert.Zero(t, s.Stats().Limited, "each client has a limit of its own")
	assert.EqualValues(t, 2, s.Stats().BadHeaders)
}
