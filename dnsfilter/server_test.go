package dnsfilter_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// upstreamFunc makes a function an upstream.
type upstreamFunc func(ctx context.Context, query *dns.Msg) (*dns.Msg, error)

func (f upstreamFunc) Exchange(ctx context.Context, query *dns.Msg) (*dns.Msg, error) {
	return f(ctx, query)
}

func TestServeOverUDPAndTCP(t *testing.T) {
	t.Parallel()
	s := blockingServer(t)
	addr, stop := dnstest.Serve(t, s)
	for _, network := range []string{"udp", "tcp"} {
		reply := dnstest.Exchange(t, network, addr, dnstest.Question("WWW.example.org.", dns.TypeA))
		require.Len(t, reply.Answer, 1, network)
		assert.Equal(t, "WWW.example.org.\t300\tIN\tA\t192.0.2.2", reply.Answer[0].String(), network)
		assert.Equal(t, dns.RcodeNameError, dnstest.Exchange(t, network, addr, dnstest.Question("x.nxdomain.test.", dns.TypeA)).Rcode, network)
	}
	assert.NoError(t, stop())
	_, err := net.DialTimeout("tcp", addr, time.Second)
	assert.Error(t, err, "the listener is closed")
}

func TestManyQueriesOnOneConnection(t *testing.T) {
	t.Parallel()
	addr, _ := dnstest.Serve(t, blockingServer(t))
	conn, err := dns.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	for range 300 {
		m := dnstest.Question("www.example.org.", dns.TypeA)
		require.NoError(t, conn.WriteMsg(m))
		reply, err := conn.ReadMsg()
		require.NoError(t, err)
		assert.Equal(t, m.Id, reply.Id)
	}
}

// TestWhatIsNoQuery sends headers that are no ordinary query; want is the rcode, -1 for no answer.
func TestWhatIsNoQuery(t *testing.T) {
	t.Parallel()
	addr, _ := dnstest.Serve(t, blockingServer(t))
	one := []byte("\x07example\x03org\x00\x00\x01\x00\x01")
	opt := []byte("\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00")
	for _, c := range []struct {
		name   string
		flags  uint16
		counts [4]uint16
		body   []byte
		want   int
	}{
		{"a query", 0x0100, [4]uint16{1}, one, dns.RcodeSuccess},
		{"a response", 0x8100, [4]uint16{1}, one, -1},
		{"a response without anything", 0x8000, [4]uint16{}, nil, -1},
		{"status", 0x1000, [4]uint16{1}, one, dns.RcodeNotImplemented},
		{"status with EDNS", 0x1000, [4]uint16{1, 0, 0, 1}, append(slices.Clip(one), opt...), dns.RcodeNotImplemented},
		{"two questions with EDNS", 0x0100, [4]uint16{2, 0, 0, 1}, append(append(slices.Clip(one), one...), opt...), dns.RcodeFormatError},
		{"notify", 0x2000, [4]uint16{1}, one, dns.RcodeNotImplemented},
		{"update", 0x2800, [4]uint16{1}, one, dns.RcodeNotImplemented},
		{"opcode 15", 0x7800, [4]uint16{1}, one, dns.RcodeNotImplemented},
		{"no question", 0x0100, [4]uint16{}, nil, dns.RcodeFormatError},
		{"two questions", 0x0100, [4]uint16{2}, append(slices.Clip(one), one...), dns.RcodeFormatError},
		{"a question cut short", 0x0100, [4]uint16{1}, one[:9], dns.RcodeFormatError},
		{"a pointer to itself", 0x0100, [4]uint16{1}, []byte("\xc0\x0c\x00\x01\x00\x01"), dns.RcodeFormatError},
		{"a label of 64", 0x0100, [4]uint16{1}, append([]byte{64}, make([]byte, 80)...), dns.RcodeFormatError},
		{"two OPT records", 0x0100, [4]uint16{1, 0, 0, 2}, append(append(slices.Clip(one), opt...), opt...), dns.RcodeFormatError},
		{"OPT not at the root", 0x0100, [4]uint16{1, 0, 0, 1}, append(slices.Clip(one), "\x01a\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"...), dns.RcodeFormatError},
		{"OPT cut short", 0x0100, [4]uint16{1, 0, 0, 1}, append(slices.Clip(one), opt[:6]...), dns.RcodeFormatError},
	} {
		packet := binary.BigEndian.AppendUint16([]byte{0x12, 0x34}, c.flags)
		for _, n := range c.counts {
			packet = binary.BigEndian.AppendUint16(packet, n)
		}
		checkRaw(t, addr, c.name, append(packet, c.body...), c.want)
	}
	checkRaw(t, addr, "eleven bytes", make([]byte, 11), -1)
}

func checkRaw(t *testing.T, addr, name string, packet []byte, want int) {
	t.Helper()
	conn, err := net.Dial("udp", addr)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write(packet)
	require.NoError(t, err)
	wait := 5 * time.Second
	if want < 0 {
		wait = 100 * time.Millisecond
	}
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(wait)))
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	if want < 0 {
		assert.Error(t, err, name)
		return
	}
	require.NoError(t, err, name)
	assert.Equal(t, packet[:2], buf[:2], name)
	assert.Equal(t, packet[2]&0x79|0x80, buf[2], "%s: QR is set, opcode and RD are as they were", name)
	assert.Equal(t, want, int(buf[3]&15), name)
	assert.GreaterOrEqual(t, n, 12, name)
	if bytes.HasSuffix(packet, []byte("\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00")) {
		assert.EqualValues(t, 1, buf[11], "%s: a query with EDNS has an answer with EDNS (RFC 6891, section 6.1.1)", name)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	s := blockingServer(t)
	for _, qtype := range []uint16{dns.TypeAXFR, dns.TypeIXFR, dns.TypeMAILA, dns.TypeMAILB, dns.TypeOPT, dns.TypeTSIG, dns.TypeTKEY} {
		assert.Equal(t, dns.RcodeRefused, ask(t, s, "tcp", dnstest.Question("example.org.", qtype)).Rcode, dns.TypeToString[qtype])
	}
	for _, class := range []uint16{dns.ClassCHAOS, dns.ClassHESIOD, dns.ClassANY, dns.ClassNONE, 0} {
		m := dnstest.Question("version.bind.", dns.TypeTXT)
		m.Question[0].Qclass = class
		assert.Equal(t, dns.RcodeRefused, ask(t, s, "udp", m).Rcode, class)
	}
}

func TestEDNS(t *testing.T) {
	t.Parallel()
	s := blockingServer(t)
	m := dnstest.Question("example.org.", dns.TypeA).SetEdns0(4096, false)
	opt := m.IsEdns0()
	opt.Option = append(opt.Option, &dns.EDNS0_LOCAL{Code: 65001, Data: []byte("x")}, &dns.EDNS0_PADDING{Padding: []byte("x")})
	opt.SetZ(0x1234)
	reply := ask(t, s, "udp", m)
	require.Len(t, reply.Answer, 1)
	require.NotNil(t, reply.IsEdns0())
	assert.EqualValues(t, 1232, reply.IsEdns0().UDPSize())
	assert.Empty(t, reply.IsEdns0().Option)
	assert.Zero(t, reply.IsEdns0().Z())
	assert.False(t, reply.IsEdns0().Do())

	opt.SetVersion(1)
	opt.SetDo()
	for _, name := range []string{"example.org.", "nxdomain.test."} {
		m.Question[0].Name = name
		reply = ask(t, s, "udp", m)
		assert.Equal(t, dns.RcodeBadVers, reply.Rcode, name)
		assert.Zero(t, reply.IsEdns0().Version(), name)
		assert.True(t, reply.IsEdns0().Do(), name)
		assert.Empty(t, append(reply.Answer, reply.Ns...), name)
	}
}

func TestAnswersThatDoNotFit(t *testing.T) {
	t.Parallel()
	zone := "big.test. 60 SOA ns.test. h.test. 1 2 3 4 5\n"
	for i := range 60 {
		zone += fmt.Sprintf("big.test. 60 TXT \"%040d\"\n", i)
	}
	addr, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{Upstream: dnstest.NewZone(t, zone)}))
	for _, size := range []uint16{0, 100, 512, 1232, 4096, 65535} {
		m := dnstest.Question("big.test.", dns.TypeTXT)
		if size > 0 {
			m.SetEdns0(size, true)
		}
		for range 2 { // from the upstream, and from the cache
			reply := dnstest.Exchange(t, "udp", addr, m)
			assert.True(t, reply.Truncated, size)
			assert.Empty(t, reply.Answer, size)
			assert.Equal(t, size > 0, reply.IsEdns0() != nil, size)
			reply = dnstest.Exchange(t, "tcp", addr, m)
			assert.False(t, reply.Truncated, size)
			assert.Len(t, reply.Answer, 60, size)
		}
	}
}

func TestUpstreamThatFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want uint16
	}{
		{context.DeadlineExceeded, dns.ExtendedErrorCodeNoReachableAuthority},
		{errors.New("connection refused"), dns.ExtendedErrorCodeNetworkError},
	} {
		s := dnstest.NewServer(t, dnsfilter.Config{Upstream: upstreamFunc(func(context.Context, *dns.Msg) (*dns.Msg, error) { return nil, c.err })})
		reply := ask(t, s, "udp", dnstest.Question("example.org.", dns.TypeA).SetEdns0(1232, false))
		assert.Equal(t, dns.RcodeServerFailure, reply.Rcode)
		assert.Equal(t, []uint16{c.want}, dnstest.EDEs(reply))
		assert.EqualValues(t, 1, s.Stats().Failures)
	}
}

func TestUpstreamThatPanicsHurtsOneQueryOnly(t *testing.T) {
	t.Parallel()
	zone := dnstest.NewZone(t, dnstest.ZoneText)
	s := dnstest.NewServer(t, dnsfilter.Config{Upstream: upstreamFunc(func(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
		if q.Question[0].Name == "bad.test." {
			panic("a fault")
		}
		return zone.Exchange(ctx, q)
	})})
	assert.Equal(t, dns.RcodeServerFailure, ask(t, s, "udp", dnstest.Question("bad.test.", dns.TypeA)).Rcode)
	assert.Len(t, ask(t, s, "udp", dnstest.Question("good.test.", dns.TypeA)).Answer, 1)
}

func TestQueriesInFlightAreFinished(t *testing.T) {
	t.Parallel()
	zone := dnstest.NewZone(t, dnstest.ZoneText)
	asked, release := make(chan struct{}, 8), make(chan struct{})
	s := dnstest.NewServer(t, dnsfilter.Config{Upstream: upstreamFunc(func(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
		asked <- struct{}{}
		<-release
		return zone.Exchange(ctx, q)
	})})
	addr, stop := dnstest.Serve(t, s)
	var wg sync.WaitGroup
	for _, network := range []string{"udp", "tcp"} {
		wg.Go(func() {
			c := dns.Client{Net: network, Timeout: time.Minute}
			reply, _, err := c.Exchange(dnstest.Question(network+".test.", dns.TypeA), addr)
			if assert.NoError(t, err, network) {
				assert.Len(t, reply.Answer, 1, network)
			}
		})
	}
	<-asked
	<-asked
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	time.Sleep(50 * time.Millisecond) // for the end to begin; either order is right
	close(release)
	wg.Wait()
	assert.NoError(t, <-stopped)
}

func TestNewAndListenRefuse(t *testing.T) {
	t.Parallel()
	_, err := dnsfilter.New(dnsfilter.Config{})
	assert.ErrorContains(t, err, "an upstream is needed")
	for _, address := range []string{"127.0.0.1:53", "http://127.0.0.1:80", "udp://localhost:53", "udp://127.0.0.1", "tcp://:53"} {
		_, err := dnsfilter.Listen(t.Context(), address)
		assert.ErrorContains(t, err, address)
	}
	assert.Error(t, blockingServer(t).Serve(t.Context(), new(dnsfilter.Listeners)))
	taken, addr := dnstest.Listen(t)
	_, err = dnsfilter.Listen(t.Context(), "udp://203.0.113.1:0")
	require.ErrorContains(t, err, "no interface of this host has the address")
	_, err = dnsfilter.Listen(t.Context(), "udp://"+addr)
	assert.Error(t, err, "sharing is for one server's own sockets")
	defer func() { assert.NoError(t, taken.Close()) }()
	_, err = dnsfilter.Listen(t.Context(), "udp://127.0.0.1:0", "tcp://"+addr)
	assert.Error(t, err)
}

// TestSeveralAddresses has the sockets of several addresses, which share goroutines, answer and wait for the upstream
// at once.
func TestSeveralAddresses(t *testing.T) {
	t.Parallel()
	l, err := dnsfilter.Listen(t.Context(), "udp://127.0.0.1:0", "udp://127.0.0.1:0", "udp://[::1]:0")
	require.NoError(t, err)
	addrs := make(map[string]bool)
	for _, conn := range l.UDP {
		addrs[conn.LocalAddr().String()] = true
	}
	require.Len(t, addrs, 3)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- blockingServer(t).Serve(ctx, l) }()
	var all sync.WaitGroup
	for addr := range addrs {
		all.Go(func() {
			for i := range 50 {
				assert.True(t, dnstest.Exchange(t, "udp", addr, dnstest.Question(fmt.Sprintf("n%d.example.org.", i), dns.TypeA)).Response)
				assert.Equal(t, dns.RcodeNameError, dnstest.Exchange(t, "udp", addr, dnstest.Question("nxdomain.test.", dns.TypeA)).Rcode)
			}
		})
	}
	all.Wait()
	cancel()
	assert.NoError(t, <-done)
	for addr := range addrs {
		again, err := dnsfilter.Listen(t.Context(), "udp://"+addr)
		require.NoError(t, err, "the address is free again")
		require.NoError(t, again.Close())
	}
}

// TestAnswersLeaveFromTheAddressAsked listens on all addresses: a connected socket takes answers from the one it asked
// only.
func TestAnswersLeaveFromTheAddressAsked(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has the whole of 127.0.0.0/8 on loopback")
	}
	l, err := dnsfilter.Listen(t.Context(), "udp://0.0.0.0:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.UDP[0].LocalAddr().String())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- blockingServer(t).Serve(ctx, l) }()
	for _, name := range []string{"nxdomain.test.", "www.example.org.", "www.example.org."} {
		for range 8 { // several sockets share the address
			assert.True(t, dnstest.Exchange(t, "udp", net.JoinHostPort("127.0.0.2", port), dnstest.Question(name, dns.TypeA)).Response, name)
		}
	}
	cancel()
	assert.NoError(t, <-done)
}
