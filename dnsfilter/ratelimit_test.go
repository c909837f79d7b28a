package dnsfilter_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/testdata/longtest"
)

// limitedServer serves all clients, with a rate limit.
func limitedServer(t *testing.T, limit dnsfilter.RateLimit) *dnsfilter.Server {
	t.Helper()
	everybody := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	return dnstest.NewServer(t, dnsfilter.Config{Clients: everybody, RateLimit: limit})
}

// askFrom returns the answer that a client gets, nil if there is none.
func askFrom(t *testing.T, s *dnsfilter.Server, client string, tcp bool) *dns.Msg {
	t.Helper()
	at := netip.AddrPortFrom(netip.MustParseAddr(client), 1024)
	var d distant
	if d.addr = net.UDPAddrFromAddrPort(at); tcp {
		d.addr = net.TCPAddrFromAddrPort(at)
	}
	s.ServeDNS(&d, dnstest.Question("example.org.", dns.TypeA))
	if d.got == nil {
		return nil
	}
	m := new(dns.Msg)
	require.NoError(t, m.Unpack(d.got))
	return m
}

// answered counts the answers and the requests to come over TCP that a client gets for n queries.
func answered(t *testing.T, s *dnsfilter.Server, client string, n int) (answers, slips int) {
	t.Helper()
	for range n {
		switch m := askFrom(t, s, client, false); {
		case m == nil:
		case m.Truncated:
			assert.Empty(t, m.Answer)
			assert.Len(t, m.Question, 1)
			slips++
		default:
			assert.Len(t, m.Answer, 1)
			answers++
		}
	}
	return answers, slips
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ flooder, neighbour, stranger string }{
		{"192.0.2.1", "192.0.2.200", "198.51.100.1"},
		{"2001:db8::1", "2001:db8:0:00ff::1", "2001:db8:0:0100::1"},
		{"::ffff:192.0.2.1", "192.0.2.2", "2001:db8::c000:201"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := limitedServer(t, dnsfilter.RateLimit{PerSecond: 20, Slip: 4})
			answers, slips := answered(t, s, c.flooder, 100)
			assert.Equal(t, 20, answers)
			assert.Equal(t, 20, slips, "every fourth of those held back")
			assert.Equal(t, 80, int(s.Stats().Limited))
			assert.Equal(t, 20, int(s.Stats().Slipped))

			answers, _ = answered(t, s, c.neighbour, 10)
			assert.Zero(t, answers, "of the same network")
			answers, _ = answered(t, s, c.stranger, 10)
			assert.Equal(t, 10, answers)
			assert.NotNil(t, askFrom(t, s, c.flooder, true), "not over TCP")

			time.Sleep(250 * time.Millisecond)
			answers, _ = answered(t, s, c.flooder, 100)
			assert.Equal(t, 5, answers)
			time.Sleep(time.Hour)
			answers, _ = answered(t, s, c.flooder, 100)
			assert.Equal(t, 20, answers, "a pause does not add up")
			time.Sleep(13 * 24 * time.Hour) // the time that is kept wraps
			answers, _ = answered(t, s, c.flooder, 100)
			assert.Equal(t, 20, answers)
		})
	}
}

func TestNoSlip(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answers, slips := answered(t, limitedServer(t, dnsfilter.RateLimit{PerSecond: 1}), "192.0.2.1", 50)
		assert.Equal(t, 1, answers)
		assert.Zero(t, slips)
		answers, _ = answered(t, limitedServer(t, dnsfilter.RateLimit{}), "192.0.2.1", 5000)
		assert.Equal(t, 5000, answers, "no limit")
	})
}

// TestManyNetworks forges far more networks than there is room for: the one that goes on asking stays held back, and
// another is still served.
func TestManyNetworks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := limitedServer(t, dnsfilter.RateLimit{PerSecond: 50})
		answers := 0
		for i := range longtest.Rounds(100_000, 200_000) {
			var a [4]byte
			binary.BigEndian.PutUint32(a[:], uint32(i)<<8)
			require.NotNil(t, askFrom(t, s, netip.AddrFrom4(a).String(), false))
			if i%100 == 0 {
				n, _ := answered(t, s, "203.0.113.1", 1)
				answers += n
			}
		}
		assert.Equal(t, 50, answers)
		answers, _ = answered(t, s, "2001:db8::1", 50)
		assert.Equal(t, 50, answers)
	})
}

// TestRateLimitOfASocket floods a real socket with ordinary queries, unusual ones, and what is no query.
func TestRateLimitOfASocket(t *testing.T) {
	t.Parallel()
	s := dnstest.NewServer(t, dnsfilter.Config{RateLimit: dnsfilter.RateLimit{PerSecond: 10, Slip: 10}})
	addr, _ := dnstest.Serve(t, s)
	conn, err := net.Dial("udp", addr)
	require.NoError(t, err)
	defer conn.Close()
	plain, err := dnstest.Question("example.org.", dns.TypeA).Pack()
	require.NoError(t, err)
	for i := range 300 {
		packet := plain
		switch i % 3 {
		case 1:
			packet = append(plain[:len(plain)-4:len(plain)-4], 0, 252, 0, 1) // AXFR
		case 2:
			packet = plain[:len(plain)-1]
		}
		_, err := conn.Write(packet)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return s.Stats().Queries == 300 && s.Stats().Limited >= 200 }, time.Minute, 10*time.Millisecond)
	assert.Positive(t, s.Stats().Slipped)
	assert.Positive(t, s.Stats().Slipped)
	assert.Len(t, dnstest.Exchange(t, "tcp", addr, dnstest.Question("example.org.", dns.TypeA)).Answer, 1)
}
