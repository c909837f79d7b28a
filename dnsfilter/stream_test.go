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
)

// piped is a server that is reached through pipes.
type piped struct {
	*pipes

	server *dnsfilter.Server
}

// servePipes starts a server within a bubble; it ends with the test.
func servePipes(t *testing.T, c dnsfilter.Config) *piped {
	t.Helper()
	p := &piped{pipes: &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}, server: newServer(t, c)}
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
	p.conns <- placed{server, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 1024))}
	return &dns.Conn{Conn: client}
}

// isClosed tells whether the server has closed a connection.
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
	go func() { _ = c.WriteMsg(question("example.org.", dns.TypeA)) }()
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
		"nothing comes": {func(*testing.T, *dns.Conn) {}, 2 * time.Second},
		"idle":          {use, 8 * time.Second},
		"half a length": {func(t *testing.T, c *dns.Conn) { use(t, c); _, _ = c.Conn.Write([]byte{0}) }, 8 * time.Second},
		"half a query":  {func(t *testing.T, c *dns.Conn) { use(t, c); _, _ = c.Conn.Write([]byte{0, 30, 1}) }, 2 * time.Second},
		"a slow sender": {func(_ *testing.T, c *dns.Conn) {
			go func() {
				for err := error(nil); err == nil; _, err = c.Conn.Write([]byte{0}) {
					time.Sleep(time.Second)
				}
			}()
			_, _ = c.Conn.Write([]byte{0, 100})
		}, 2 * time.Second},
		"half a query too long": {func(_ *testing.T, c *dns.Conn) {
			_, _ = c.Conn.Write(append([]byte{0xff, 0xff}, make([]byte, 5000)...))
		}, 2 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := servePipes(t, dnsfilter.Config{})
			conn := p.dial("127.0.0.1")
			begin := time.Now()
			c.do(t, conn)
			time.Sleep(c.wait - time.Since(begin) - 10*time.Millisecond)
			assert.Contains(t, metrics(t, p.server), "dnsfilter_tcp_connections 1\n", name)
			time.Sleep(20 * time.Millisecond)
			assert.Contains(t, metrics(t, p.server), "dnsfilter_tcp_connections 0\n", name)
			assert.NoError(t, conn.Close())
			time.Sleep(time.Second) // for whoever still sends
		})
	}
}

// slowZone answers at once, but for names that begin with s only after a second.
func slowZone(t *testing.T) dnsfilter.Upstream {
	t.Helper()
	zone := newZone(t, zoneText)
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
				m := question(name, dns.TypeA)
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
				m := question(fmt.Sprintf("s%d.test.", i), dns.TypeA)
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

func TestWhoHasMostConnectionsMakesRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := servePipes(t, dnsfilter.Config{Upstream: slowZone(t)})
		var conns [10][]*dns.Conn
		for client := range conns {
			n := 100
			if client > 0 { // the rest is shared evenly
				n = 99
			}
			for range n {
				conns[client] = append(conns[client], p.dial(fmt.Sprintf("10.0.0.%d", client)))
			}
		}
		for i := range 9 {
			conns[9] = append(conns[9], p.dial(fmt.Sprintf("10.0.1.%d", i)))
		}
		synctest.Wait()
		assert.Contains(t, metrics(t, p.server), "dnsfilter_tcp_connections 1000\n")
		time.Sleep(time.Second)
		use(t, conns[0][0])
		use(t, p.dial("10.0.2.1"))
		closed := 0
		for client := range conns {
			for _, c := range conns[client] {
				if isClosed(t, c) {
					closed++
					assert.Zero(t, client, "the client that has most")
				}
			}
		}
		assert.Equal(t, 1, closed)
		assert.False(t, isClosed(t, conns[0][0]), "it was used last")
		for client := range conns {
			for _, c := range conns[client] {
				_ = c.Close()
			}
		}
	})
}

func TestNobodyIsCutOffWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := servePipes(t, dnsfilter.Config{Upstream: slowZone(t)})
		var conns []*dns.Conn
		for i := range 100 {
			c := p.dial("fd00::1")
			require.NoError(t, c.WriteMsg(question(fmt.Sprintf("s%d.test.", i), dns.TypeA)))
			conns = append(conns, c)
		}
		synctest.Wait()
		assert.True(t, isClosed(t, p.dial("fd00::2")), "of the same client, all of whose connections wait")
		use(t, p.dial("fd00:0:0:1::1"))
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
		assert.Contains(t, metrics(t, p.server), "dnsfilter_tcp_closed_total 1\n")
		assert.Contains(t, metrics(t, p.server), "dnsfilter_tcp_refused_total 1\n")
	})
}

// TestSlowReader sends queries and takes no answer: it is cut off, and nobody else notices.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	s := newServer(t, dnsfilter.Config{})
	addr, _ := serve(t, s)
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	packed, err := question("example.org.", dns.TypeA).Pack()
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
		begin := time.Now()
		require.Len(t, exchange(t, "tcp", addr, question("example.org.", dns.TypeA)).Answer, 1)
		require.Less(t, time.Since(begin), time.Second)
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
	addr, _ := serve(t, newServer(t, dnsfilter.Config{}))
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	framed := dns.Conn{Conn: conn}
	for _, name := range []string{"a.test.", "b.test."} {
		require.NoError(t, framed.WriteMsg(question(name, dns.TypeA)))
	}
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	for range 2 {
		m, err := framed.ReadMsg()
		require.NoError(t, err)
		assert.Len(t, m.Answer, 1)
	}
	_, err = framed.ReadMsg()
	assert.ErrorIs(t, err, io.EOF)
}
