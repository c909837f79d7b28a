package upstream_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// fake is a resolver on loopback, over UDP and over TCP at the same port.
type fake struct {
	addr     netip.AddrPort
	udp, tcp atomic.Int64 // queries
}

// listenBoth takes a port for UDP that is free for TCP, too.
func listenBoth(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		u, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		if l, err := net.Listen("tcp", u.LocalAddr().String()); err == nil {
			return u, l
		}
		u.Close()
	}
	t.Fatal("no port is free for both")
	return nil, nil
}

// newFake starts a resolver that answers with handle; network is udp or tcp.
func newFake(t *testing.T, handle func(network string, w dns.ResponseWriter, q *dns.Msg)) *fake {
	t.Helper()
	f := &fake{}
	u, l := listenBoth(t)
	f.addr = netip.MustParseAddrPort(u.LocalAddr().String())
	handler := func(network string, n *atomic.Int64) dns.HandlerFunc {
		return func(w dns.ResponseWriter, q *dns.Msg) { n.Add(1); handle(network, w, q) }
	}
	for _, s := range []*dns.Server{
		{PacketConn: u, Handler: handler("udp", &f.udp)}, {Listener: l, Handler: handler("tcp", &f.tcp)},
	} {
		var ready sync.WaitGroup
		ready.Add(1)
		s.NotifyStartedFunc = ready.Done
		go func() { assert.NoError(t, s.ActivateAndServe()) }()
		ready.Wait()
		t.Cleanup(func() { assert.NoError(t, s.Shutdown()) })
	}
	return f
}

func reply(q *dns.Msg, rcode int, addr string) *dns.Msg {
	m := new(dns.Msg).SetRcode(q, rcode)
	if addr != "" {
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.ParseIP(addr)}}
	}
	return m
}

// answering answers every query with an address.
func answering(addr string) func(string, dns.ResponseWriter, *dns.Msg) {
	return func(_ string, w dns.ResponseWriter, q *dns.Msg) { _ = w.WriteMsg(reply(q, dns.RcodeSuccess, addr)) }
}

func failing(rcode int) func(string, dns.ResponseWriter, *dns.Msg) {
	return func(_ string, w dns.ResponseWriter, q *dns.Msg) { _ = w.WriteMsg(reply(q, rcode, "")) }
}

func silent(string, dns.ResponseWriter, *dns.Msg) {}

func newForwarder(t *testing.T, fakes ...*fake) *upstream.Forwarder {
	t.Helper()
	var addrs []upstream.Endpoint
	for _, f := range fakes {
		addrs = append(addrs, upstream.Endpoint{Addr: f.addr})
	}
	f, err := upstream.New(addrs...)
	require.NoError(t, err)
	return f
}

func ask(t *testing.T, f *upstream.Forwarder) (*dns.Msg, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return f.Exchange(ctx, new(dns.Msg).SetQuestion("example.org.", dns.TypeA))
}

// requireAnswer checks that the answer holds the address.
func requireAnswer(t *testing.T, f *upstream.Forwarder, addr string) {
	t.Helper()
	m, err := ask(t, f)
	require.NoError(t, err)
	require.Len(t, m.Answer, 1)
	require.Equal(t, addr, m.Answer[0].(*dns.A).A.String())
}

func TestExchange(t *testing.T) {
	t.Parallel()
	f := newFake(t, answering("192.0.2.1"))
	requireAnswer(t, newForwarder(t, f), "192.0.2.1")
	assert.EqualValues(t, 1, f.udp.Load())
	assert.Zero(t, f.tcp.Load())
}

func TestCutAnswersAreFetchedOverTCP(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(network string, w dns.ResponseWriter, q *dns.Msg) {
		m := reply(q, dns.RcodeSuccess, "192.0.2.1")
		if network == "udp" {
			m.Answer, m.Truncated = nil, true
		}
		_ = w.WriteMsg(m)
	})
	requireAnswer(t, newForwarder(t, f), "192.0.2.1")
	assert.EqualValues(t, 1, f.tcp.Load())
}

func TestSilentResolverIsLeft(t *testing.T) {
	t.Parallel()
	dead, live := newFake(t, silent), newFake(t, answering("192.0.2.1"))
	f := newForwarder(t, dead, live)
	begin := time.Now()
	requireAnswer(t, f, "192.0.2.1")
	assert.Greater(t, time.Since(begin), time.Second, "it was given time")
	requireAnswer(t, f, "192.0.2.1")
	assert.EqualValues(t, 2, dead.udp.Load(), "a question and a probe; the one that answered is asked first from then on")
	assert.EqualValues(t, 2, live.udp.Load())
}

func TestRefusedPortIsLeftAtOnce(t *testing.T) {
	t.Parallel()
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := &fake{addr: netip.MustParseAddrPort(u.LocalAddr().String())}
	require.NoError(t, u.Close())
	requireAnswer(t, newForwarder(t, closed, newFake(t, answering("192.0.2.1"))), "192.0.2.1")
}

func TestFailuresAreNotTheLastWord(t *testing.T) {
	t.Parallel()
	bad, worse, good := newFake(t, failing(dns.RcodeServerFailure)), newFake(t, failing(dns.RcodeRefused)), newFake(t, answering("192.0.2.1"))
	f := newForwarder(t, bad, worse, good)
	requireAnswer(t, f, "192.0.2.1")
	f = newForwarder(t, bad, worse)
	m, err := ask(t, f)
	require.NoError(t, err)
	assert.Equal(t, dns.RcodeRefused, m.Rcode, "the last one's answer")
	assert.EqualValues(t, 4, bad.udp.Load(), "each was asked once a query, and without a mask, as it may be the case that it refused")
	assert.EqualValues(t, 4, worse.udp.Load())
	for _, rcode := range []int{dns.RcodeFormatError, dns.RcodeNotImplemented} {
		requireAnswer(t, newForwarder(t, newFake(t, failing(rcode)), good), "192.0.2.1")
	}
	nx := newForwarder(t, newFake(t, failing(dns.RcodeNameError)), good)
	m, err = ask(t, nx)
	require.NoError(t, err)
	assert.Equal(t, dns.RcodeNameError, m.Rcode, "an answer")
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	f := newForwarder(t, newFake(t, silent))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := f.Exchange(ctx, new(dns.Msg).SetQuestion("example.org.", dns.TypeA))
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestForeignRepliesAreIgnored(t *testing.T) {
	t.Parallel()
	wrong := map[string]func(m *dns.Msg){
		"id":       func(m *dns.Msg) { m.Id++ },
		"query":    func(m *dns.Msg) { m.Response = false },
		"opcode":   func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify },
		"name":     func(m *dns.Msg) { m.Question[0].Name = "example.net." },
		"type":     func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA },
		"class":    func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS },
		"question": func(m *dns.Msg) { m.Question = nil },
	}
	f := newFake(t, func(_ string, w dns.ResponseWriter, q *dns.Msg) {
		for _, spoil := range wrong {
			m := reply(q, dns.RcodeSuccess, "192.0.2.66")
			spoil(m)
			_ = w.WriteMsg(m)
		}
		_, _ = w.Write([]byte("short"))
		_, _ = w.Write(make([]byte, 300))
		m := reply(q, dns.RcodeSuccess, "192.0.2.1")
		m.Question[0].Name = "EXAMPLE.org."
		_ = w.WriteMsg(m)
	})
	requireAnswer(t, newForwarder(t, f), "192.0.2.1")
	assert.EqualValues(t, 2, f.udp.Load(), "in another case, which is then not asked for")
}

func TestIdsAndPortsVary(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	ids, ports := map[uint16]bool{}, map[string]bool{}
	f := newFake(t, func(_ string, w dns.ResponseWriter, q *dns.Msg) {
		mu.Lock()
		ids[q.Id], ports[w.RemoteAddr().String()] = true, true
		mu.Unlock()
		_ = w.WriteMsg(reply(q, dns.RcodeSuccess, "192.0.2.1"))
	})
	forwarder := newForwarder(t, f)
	for range 40 {
		requireAnswer(t, forwarder, "192.0.2.1")
	}
	mu.Lock()
	defer mu.Unlock()
	assert.Greater(t, len(ids), 35)
	assert.Greater(t, len(ports), 3)
}

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"192.0.2.53": "192.0.2.53:53", "192.0.2.53:5353": "192.0.2.53:5353",
		"2001:db8::1": "[2001:db8::1]:53", "[2001:db8::1]": "[2001:db8::1]:53", "[2001:db8::1]:5353": "[2001:db8::1]:5353",
		"tls://192.0.2.53#dns.example": "tls://192.0.2.53:853#dns.example", "tls://[2001:db8::1]:53#a.example": "tls://[2001:db8::1]:53#a.example",
	} {
		got, err := upstream.ParseEndpoint(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got.String())
		again, err := upstream.ParseEndpoint(want)
		require.NoError(t, err)
		assert.Equal(t, got, again)
	}
	for _, text := range []string{
		"", "dns.example", "dns.example:53", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:70000", "udp://192.0.2.1", "tls://192.0.2.1",
		"tls://192.0.2.1#", "tls://dns.example#dns.example", "tls://192.0.2.1:0#a.example", "tls://192.0.2.1#a..b", "tls://192.0.2.1#a.",
	} {
		_, err := upstream.ParseEndpoint(text)
		assert.ErrorContains(t, err, fmt.Sprintf("%q", text))
	}
	_, err := upstream.New()
	assert.Error(t, err)
}
