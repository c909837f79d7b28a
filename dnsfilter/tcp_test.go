package dnsfilter_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/testdata/pipes"
)

// piped is a server that is reached through pipes.
type piped struct {
	*pipes.Listener

	server *dnsfilter.Server
}

// servePipes starts a server within a bubble; it ends with the test.
func servePipes(t *testing.T, c dnsfilter.Config) *piped {
	t.Helper()
	p := &piped{Listener: pipes.Listen(), server: dnstest.NewServer(t, c)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.server.Serve(ctx, &dnsfilter.Listeners{TCP: []net.Listener{p}}) }()
	t.Cleanup(func() { cancel(); assert.NoError(t, <-done) })
	return p
}

// placed is a connection from an address.
type placed struct {
	net.Conn

	from net.Addr
}

func (p placed) RemoteAddr() net.Addr { return p.from }

// dial connects from an address.
func (p *piped) dial(from string) *dns.Conn {
	client, server := net.Pipe()
	p.Conns <- placed{server, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 1024))}
	return &dns.Conn{Conn: client}
}

// isClosed reports whether the server has closed a connection.
func isClosed(t *testing.T, c *dns.Conn) bool {
	t.Helper()
	err := c.SetReadDeadline(time.Now().Add(time.Millisecond))
	if err == nil {
		_, err = c.Conn.Read(make([]byte, 1))
	}
	require.Error(t, err)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// use asks something on a connection and waits for the answer.
func use(t *testing.T, c *dns.Conn) {
	t.Helper()
	go func() { _ = c.WriteMsg(dnstest.Question("example.org.", dns.TypeA)) }()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	m, err := c.ReadMsg()
	require.NoError(t, err)
	require.Len(t, m.Answer, 1)
}

func TestTimesOfAConnection(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(t *testing.T, c *dns.Conn)
		wait time.Duration
	}{
		"nothing comes": {func(*testing.T, *dns.Conn) {}, 10 * time.Second},
		"idle":          {use, 30 * time.Second},
		"half a length": {func(t *testing.T, c *dns.Conn) { use(t, c); _, _ = c.Conn.Write([]byte{0}) }, 30 * time.Second},
		"half a query":  {func(t *testing.T, c *dns.Conn) { use(t, c); _, _ = c.Conn.Write([]byte{0, 30, 1}) }, 10 * time.Second},
		"a slow sender": {func(_ *testing.T, c *dns.Conn) {
			go func() {
				for err := error(nil); err == nil; _, err = c.Conn.Write([]byte{0}) {
					time.Sleep(time.Second)
				}
			}()
			_, _ = c.Conn.Write([]byte{0, 100})
		}, 10 * time.Second},
		"half a query too long": {func(_ *testing.T, c *dns.Conn) {
			_, _ = c.Conn.Write(append([]byte{0xff, 0xff}, make([]byte, 5000)...))
		}, 10 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := servePipes(t, dnsfilter.Config{})
			conn := p.dial("127.0.0.1")
			begin := time.Now()
			c.do(t, conn)
			time.Sleep(c.wait - time.Since(begin) - 10*time.Millisecond)
			assert.Equal(t, 1, p.server.Stats().Connections.Open, name)
			time.Sleep(20 * time.Millisecond)
			assert.Zero(t, p.server.Stats().Connections.Open, name)
			assert.NoError(t, conn.Close())
			time.Sleep(time.Second) // for anyone who still sends
		})
	}
}

// slowZone answers at once, but for names that begin with s only after a second.
func slowZone(t *testing.T) dnsfilter.Upstream {
	t.Helper()
	zone := dnstest.NewZone(t, dnstest.ZoneText)
	return upstreamFunc(func(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
		if strings.HasPrefix(q.Question[0].Name, "s") {
			time.Sleep(time.Second)
		}
		return zone.Exchange(ctx, q)
	})
}

func TestAnswersOverTakeOneAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn := servePipes(t, dnsfilter.Config{Upstream: slowZone(t)}).dial("127.0.0.1")
		defer conn.Close()
		begin := time.Now()
		go func() {
			for i, name := range []string{"s1.test.", "f1.test.", "s2.test.", "f2.test."} {
				m := dnstest.Question(name, dns.TypeA)
				m.Id = uint16(i)
				_ = conn.WriteMsg(m)
			}
		}()
		var fast, slow []uint16
		for range 4 {
			m, err := conn.ReadMsg()
			require.NoError(t, err)
			if len(m.Answer) == 1 && time.Since(begin) == 0 {
				fast = append(fast, m.Id)
			} else {
				slow = append(slow, m.Id)
			}
		}
		assert.ElementsMatch(t, []uint16{1, 3}, fast)
		assert.ElementsMatch(t, []uint16{0, 2}, slow)
		assert.Equal(t, time.Second, time.Since(begin), "both were asked for at once")
	})
}

// TestManyPipelined sends more than may wait at once: the rest is read when some are answered, and none is lost.
func TestManyPipelined(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn := servePipes(t, dnsfilter.Config{Upstream: slowZone(t)}).dial("127.0.0.1")
		defer conn.Close()
		begin := time.Now()
		go func() {
			for i := range 250 {
				m := dnstest.Question(fmt.Sprintf("s%d.test.", i), dns.TypeA)
				m.Id = uint16(i)
				_ = conn.WriteMsg(m)
			}
		}()
		got := map[uint16]bool{}
		for range 250 {
			m, err := conn.ReadMsg()
			require.NoError(t, err)
			got[m.Id] = true
		}
		assert.Len(t, got, 250)
		assert.Equal(t, 3*time.Second, time.Since(begin))
	})
}

func TestLongMessagesAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn := servePipes(t, dnsfilter.Config{}).dial("127.0.0.1")
		defer conn.Close()
		for _, size := range []int{4097, 65535} {
			m := make([]byte, size)
			m[0], m[1], m[5] = 0x12, 0x34, 1
			go func() { _, _ = conn.Write(m) }()
			reply, err := conn.ReadMsg()
			require.NoError(t, err)
			assert.Equal(t, dns.RcodeFormatError, reply.Rcode)
			assert.EqualValues(t, 0x1234, reply.Id)
		}
		use(t, conn)
	})
}

// fill opens all connections that there may be, 100 of the client 10.0.0.1, and 10 of each of the others.
func fill(p *piped) (most, others []*dns.Conn) {
	for range 100 {
		most = append(most, p.dial("10.0.0.1"))
	}
	for i := range 900 {
		others = append(others, p.dial(fmt.Sprintf("10.0.1.%d", i/10)))
	}
	synctest.Wait()
	return most, others
}

// closedOf returns how many of the connections the server has closed, and closes all.
func closedOf(t *testing.T, conns []*dns.Conn) (n int) {
	t.Helper()
	for _, c := range conns {
		if isClosed(t, c) {
			n++
		}
		_ = c.Close()
	}
	return n
}

func TestWhoHasMostConnectionsMakesRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := servePipes(t, dnsfilter.Config{Upstream: slowZone(t)})
		most, others := fill(p)
		assert.Equal(t, 1000, p.server.Stats().Connections.Open)
		time.Sleep(100 * time.Millisecond)
		use(t, most[0])
		use(t, p.dial("10.0.2.1"))
		assert.False(t, isClosed(t, most[0]), "it was used last")
		assert.Equal(t, 1, closedOf(t, most))
		assert.Zero(t, closedOf(t, others), "the others have fewer")
	})
}

// TestWhoWaitsMakesRoom has a client whose connections all wait for answers.
func TestWhoWaitsMakesRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := servePipes(t, dnsfilter.Config{Upstream: slowZone(t)})
		most, others := fill(p)
		for i, c := range most {
			require.NoError(t, c.WriteMsg(dnstest.Question(fmt.Sprintf("s%d.test.", i), dns.TypeA)))
		}
		synctest.Wait()
		use(t, p.dial("10.0.2.1"))
		assert.Equal(t, 1, closedOf(t, most))
		assert.Zero(t, closedOf(t, others))
	})
}

// TestSharesOfConnectionsShrink has clients that open as many connections as they can: there is room for others all the
// same.
func TestSharesOfConnectionsShrink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := servePipes(t, dnsfilter.Config{})
		var conns []*dns.Conn
		for i := range 1000 {
			conns = append(conns, p.dial(fmt.Sprintf("10.0.0.%d", i/100)))
		}
		synctest.Wait()
		open := 1000 - closedOf(t, conns[:500])
		assert.Equal(t, 1000, open, "half of all are there for anyone who comes")
		assert.Greater(t, closedOf(t, conns[500:]), 150)
	})
}

// TestKeepalive tells clients how long a connection may be idle (RFC 7828), and holds to it, with few connections and
// with many.
func TestKeepalive(t *testing.T) {
	t.Parallel()
	for others, want := range map[int]struct {
		says uint16
		idle time.Duration
	}{0: {300, 30 * time.Second}, 510: {0, 8 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			p := servePipes(t, dnsfilter.Config{})
			var crowd []*dns.Conn
			for i := range others {
				crowd = append(crowd, p.dial(fmt.Sprintf("10.0.1.%d", i/10)))
			}
			conn := p.dial("127.0.0.1")
			asking := dnstest.Question("example.org.", dns.TypeA).SetEdns0(1232, false)
			require.NoError(t, conn.WriteMsg(asking))
			m, err := conn.ReadMsg()
			require.NoError(t, err)
			require.Empty(t, m.IsEdns0().Option, "who does not ask is not told")
			asking.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_TCP_KEEPALIVE{Code: dns.EDNS0TCPKEEPALIVE}}
			require.NoError(t, conn.WriteMsg(asking))
			m, err = conn.ReadMsg()
			require.NoError(t, err)
			require.Len(t, m.IsEdns0().Option, 1)
			option, ok := m.IsEdns0().Option[0].(*dns.EDNS0_TCP_KEEPALIVE)
			require.True(t, ok)
			assert.Equal(t, want.says, option.Timeout)
			time.Sleep(want.idle - 10*time.Millisecond)
			assert.False(t, isClosed(t, conn))
			time.Sleep(20 * time.Millisecond)
			assert.True(t, isClosed(t, conn))
			closedOf(t, crowd)
		})
	}
}

func TestNobodyIsCutOffWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := servePipes(t, dnsfilter.Config{Upstream: slowZone(t)})
		var conns []*dns.Conn
		for i := range 100 {
			c := p.dial("fd00::1")
			require.NoError(t, c.WriteMsg(dnstest.Question(fmt.Sprintf("s%d.test.", i), dns.TypeA)))
			conns = append(conns, c)
		}
		synctest.Wait()
		assert.True(t, isClosed(t, p.dial("fd00::2")), "of the same client, all of whose connections wait")
		use(t, p.dial("fd00:0:0:100::1"))
		for _, c := range conns {
			_ = c.SetReadDeadline(time.Now().Add(time.Minute))
			_, err := c.ReadMsg()
			require.NoError(t, err)
		}
		next := p.dial("fd00::2")
		use(t, next)
		open := 0
		for _, c := range append(conns, next) {
			if !isClosed(t, c) {
				open++
			}
			_ = c.Close()
		}
		assert.Equal(t, 100, open)
		assert.EqualValues(t, 1, p.server.Stats().Connections.Closed)
		assert.EqualValues(t, 1, p.server.Stats().Connections.Refused)
	})
}

// TestSlowReader sends queries and takes no answer: it is cut off, and no one else notices.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	s := dnstest.NewServer(t, dnsfilter.Config{})
	addr, _ := dnstest.Serve(t, s)
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	packed, err := dnstest.Question("example.org.", dns.TypeA).Pack()
	require.NoError(t, err)
	packed = append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)
	many := bytes.Repeat(packed, 1000)
	cut := make(chan error)
	go func() {
		var err error
		for err == nil {
			_, err = conn.Write(many)
		}
		cut <- err
	}()
	for {
		require.Len(t, dnstest.Exchange(t, "tcp", addr, dnstest.Question("example.org.", dns.TypeA)).Answer, 1)
		select {
		case <-cut:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestHalfClosedConnections sends a query and says at once that no more will come.
func TestHalfClosedConnections(t *testing.T) {
	t.Parallel()
	addr, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{}))
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	framed := dns.Conn{Conn: conn}
	for _, name := range []string{"a.test.", "b.test."} {
		require.NoError(t, framed.WriteMsg(dnstest.Question(name, dns.TypeA)))
	}
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	for range 2 {
		m, err := framed.ReadMsg()
		require.NoError(t, err)
		assert.Len(t, m.Answer, 1)
	}
	_, err = framed.ReadMsg()
	assert.ErrorIs(t, err, io.EOF)
}
