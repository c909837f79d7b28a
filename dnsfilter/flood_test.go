package dnsfilter_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// victims is a server whose resolver never answers for names below victim.test.
func victims(t *testing.T) (s *dnsfilter.Server, addr string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has the whole of 127.0.0.0/8 on loopback")
	}
	return forwarding(t, func(w dns.ResponseWriter, q *dns.Msg) {
		if strings.HasSuffix(strings.ToLower(q.Question[0].Name), "victim.test.") {
			return
		}
		m := new(dns.Msg).SetReply(q)
		m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}, Txt: []string{"x"}}}
		_ = w.WriteMsg(m)
	})
}

// from opens a UDP socket at a client's address.
func from(t *testing.T, client, addr string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(client)}}
	conn, err := d.Dial("udp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func packed(t testing.TB, name string) []byte {
	t.Helper()
	m, err := dnstest.Question(name, dns.TypeTXT).Pack()
	require.NoError(t, err)
	return m
}

// TestFairness has more questions wait than there is room for: names of a dead zone, from one client and from many;
// then those of one client, each in a zone of its own. Others are still served.
func TestFairness(t *testing.T) {
	t.Parallel()
	for name, format := range map[string]string{"one zone": "%d.victim.test.", "one client": "a.z%d.b.victim.test."} {
		s, addr := victims(t)
		flooders := []net.Conn{from(t, "127.0.1.1", addr)}
		if name == "one zone" {
			for i := range 50 {
				flooders = append(flooders, from(t, fmt.Sprintf("127.0.%d.1", i+2), addr))
			}
		}
		for i := range 6000 {
			_, err := flooders[i%len(flooders)].Write(packed(t, fmt.Sprintf(format, i)))
			require.NoError(t, err)
			if i%100 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		require.Eventually(t, func() bool { return s.Stats().Dropped > 0 }, 4*time.Second, time.Millisecond, name)
		for i := range 50 {
			assert.Len(t, dnstest.Exchange(t, "udp", addr, dnstest.Question(fmt.Sprintf("n%d.other.test.", i), dns.TypeTXT)).Answer, 1, name)
		}
	}
}

// TestServeStaleForSlowAnswers has a resolver that takes 3 seconds.
func TestServeStaleForSlowAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		zone, slow := dnstest.NewZone(t, cacheZone), false
		s := dnstest.NewServer(t, dnsfilter.Config{Upstream: upstreamFunc(func(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
			if slow {
				time.Sleep(3 * time.Second)
			}
			return zone.Exchange(ctx, q)
		})})
		get := func() ([]uint16, time.Duration) {
			begin := time.Now()
			m := ask(t, s, "udp", dnstest.Question("a.test.", dns.TypeA).SetEdns0(1232, false))
			require.NotNil(t, m)
			assert.NotEmpty(t, m.Answer)
			return dnstest.EDEs(m), time.Since(begin)
		}
		get()
		slow = true
		time.Sleep(10 * time.Minute)
		stale := []uint16{dns.ExtendedErrorCodeStaleAnswer}
		why, took := get()
		assert.Equal(t, stale, why)
		assert.Equal(t, 1800*time.Millisecond, took)
		why, took = get()
		assert.Equal(t, stale, why)
		assert.Zero(t, took, "no one else waits")
		time.Sleep(1200 * time.Millisecond)
		synctest.Wait()
		why, took = get()
		assert.Empty(t, why, "the answer that came later is there")
		assert.Zero(t, took)
	})
}

// TestFloods measures how floods by others affect a client. ARGINE_FLOOD is the duration of each flood (such as 5s).
func TestFloods(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("ARGINE_FLOOD"))
	if err != nil {
		t.Skip("set ARGINE_FLOOD=5s to run it")
	}
	garbage := func(i int) []byte {
		m := make([]byte, 12+rand.IntN(300))
		for at := 0; at+8 <= len(m); at += 8 {
			binary.BigEndian.PutUint64(m[at:], rand.Uint64())
		}
		m[2] &^= 0x80
		return m
	}
	response := packed(t, "www.other.test.")
	response[2] |= 0x80
	for _, f := range []struct {
		name  string
		flood func(t *testing.T, addr string, end time.Time)
	}{
		{"nothing", func(_ *testing.T, _ string, end time.Time) { time.Sleep(time.Until(end)) }},
		{"random subdomains, 10,000 a second", datagrams(10_000, func(i int) []byte { return packed(t, fmt.Sprintf("%d.victim.test.", i)) })},
		{"malformed, 20,000 a second", datagrams(20_000, garbage)},
		{"responses, 20,000 a second", datagrams(20_000, func(int) []byte { return response })},
		{"from port 0, 20,000 a second", func(t *testing.T, addr string, end time.Time) {
			spray(withoutPort(t, addr), 20_000, func(i int) []byte { return portless(t, addr, packed(t, fmt.Sprintf("%d.other.test.", i))) }, end)
		}},
		{"connections, as fast as can be", connections},
		{"slow readers, 100", slowReaders},
	} {
		t.Run(f.name, func(t *testing.T) {
			_, addr := victims(t)
			end := time.Now().Add(length)
			done := make(chan struct{})
			go func() { defer close(done); f.flood(t, addr, end) }()
			for _, network := range []string{"udp", "tcp"} {
				asked, times := measure(network, addr, time.Now().Add(length/2))
				slices.Sort(times)
				if assert.NotEmpty(t, times) {
					t.Logf("%s: %d of %d answered, median %v, 99%% %v, longest %v", network, len(times), asked, times[len(times)/2], times[len(times)*99/100], times[len(times)-1])
				}
				assert.GreaterOrEqual(t, len(times)*100, asked*98)
			}
			<-done
		})
	}
}

// measure sends about 200 queries a second and returns the response times. Every second query is for a new name.
func measure(network, addr string, end time.Time) (asked int, times []time.Duration) {
	c := dns.Client{Net: network, Timeout: 3 * time.Second} // a SYN that is lost is sent again after a second
	for ; time.Now().Before(end); asked++ {
		begin := time.Now()
		m, _, err := c.Exchange(dnstest.Question(fmt.Sprintf("n%d.other.test.", asked/2), dns.TypeTXT), addr)
		if err == nil && len(m.Answer) == 1 {
			times = append(times, time.Since(begin))
		}
		time.Sleep(5*time.Millisecond - time.Since(begin))
	}
	return asked, times
}

// datagrams sends the packets that next returns, from many clients.
func datagrams(perSecond int, next func(i int) []byte) func(*testing.T, string, time.Time) {
	return func(t *testing.T, addr string, end time.Time) {
		var conns []net.Conn
		for i := range 50 {
			conns = append(conns, from(t, fmt.Sprintf("127.0.%d.1", i+1), addr))
		}
		spray(conns, perSecond, next, end)
	}
}

// spray sends the packets that next returns, from each connection in turn.
func spray(conns []net.Conn, perSecond int, next func(i int) []byte, end time.Time) {
	begin := time.Now()
	for i := 0; time.Now().Before(end); i++ {
		_, _ = conns[i%len(conns)].Write(next(i))
		if i%100 == 0 {
			time.Sleep(time.Duration(i)*time.Second/time.Duration(perSecond) - time.Since(begin))
		}
	}
}

// withoutPort opens a raw socket for UDP datagrams with custom headers.
func withoutPort(t *testing.T, addr string) []net.Conn {
	t.Helper()
	conn, err := net.DialIP("ip4:udp", nil, &net.IPAddr{IP: net.IP(netip.MustParseAddrPort(addr).Addr().AsSlice())})
	if errors.Is(err, os.ErrPermission) {
		t.Skip("only the superuser can send datagrams with headers of their own")
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return []net.Conn{conn}
}

// portless returns a datagram from port 0 to the port of addr.
func portless(t *testing.T, addr string, payload []byte) []byte {
	t.Helper()
	header := binary.BigEndian.AppendUint16([]byte{0, 0}, netip.MustParseAddrPort(addr).Port())
	header = binary.BigEndian.AppendUint16(header, uint16(8+len(payload)))
	return append(append(header, 0, 0), payload...) // without a checksum, which UDP over IPv4 allows
}

// TestNobodyIsAtPort0 sends a query from port 0, where no answer can be sent.
func TestNobodyIsAtPort0(t *testing.T) {
	t.Parallel()
	s, addr := victims(t)
	_, err := withoutPort(t, addr)[0].Write(portless(t, addr, packed(t, "www.other.test.")))
	require.NoError(t, err)
	require.Len(t, dnstest.Exchange(t, "udp", addr, dnstest.Question("n.other.test.", dns.TypeTXT)).Answer, 1)
	require.Eventually(t, func() bool { return s.Stats().Queries == 2 }, 4*time.Second, time.Millisecond)
	require.Len(t, dnstest.Exchange(t, "udp", addr, dnstest.Question("www.other.test.", dns.TypeTXT)).Answer, 1)
	assert.Zero(t, s.Stats().Hits, "no one had asked for it")
}

// connections opens connections from four addresses and leaves them idle.
func connections(_ *testing.T, addr string, end time.Time) {
	var open []net.Conn
	for i := 0; time.Now().Before(end); i++ {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(i%12))}, Deadline: end}
		if conn, err := d.Dial("tcp", addr); err == nil {
			open = append(open, conn)
		}
		if len(open) > 2000 {
			_ = open[0].Close()
			open = open[1:]
		}
	}
	for _, c := range open {
		_ = c.Close()
	}
}

// slowReaders sends queries on many connections and reads no answers.
func slowReaders(_ *testing.T, addr string, end time.Time) {
	m, err := dnstest.Question("www.other.test.", dns.TypeTXT).Pack()
	if err != nil {
		return
	}
	many := slices.Repeat(append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...), 500)
	done := make(chan struct{})
	for range 100 {
		go func() {
			defer func() { done <- struct{}{} }()
			for time.Now().Before(end) {
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, 1)}, Deadline: end}
				conn, err := d.Dial("tcp", addr)
				if err != nil {
					return
				}
				_ = conn.SetDeadline(end)
				for err == nil {
					_, err = conn.Write(many)
					time.Sleep(10 * time.Millisecond)
				}
				_ = conn.Close()
			}
		}()
	}
	for range 100 {
		<-done
	}
}
