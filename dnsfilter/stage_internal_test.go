package dnsfilter

import (
	"net"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/cache"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// BenchmarkStages measures the stages of the fast path, without client sockets. "match" and "keep" are the processing
// of an upstream reply. "forward" is the round trip of one query to a resolver on loopback, with sockets and the
// resolver's own work.
func BenchmarkStages(b *testing.B) {
	s := pathsServer(b)
	packet := func(name string) []byte {
		m, err := new(dns.Msg).SetQuestion(name, dns.TypeA).Pack()
		require.NoError(b, err)
		return m
	}
	www, blocked := packet("www.example.org."), packet("a.b.nxdomain.test.")
	s.slow(www) // into the cache
	q, dst, c := &query{counters: &s.shared}, make([]byte, 0, 2*dnswire.UDPSize), s.current.Load()
	require.True(b, q.parsePacket(blocked))
	block := c.policy.Decide(s.store, q.name())
	require.True(b, q.parsePacket(www))
	reply, _ := s.answerNow(c, nil, q, 1)
	stages := []struct {
		name   string
		packet []byte
		run    func(packet []byte)
	}{
		{"parse", www, func(p []byte) { q.parsePacket(p) }},
		{"decide", www, func([]byte) { c.policy.Decide(s.store, q.name()) }},
		{"decide blocked", blocked, func([]byte) { c.policy.Decide(s.store, q.name()) }},
		{"render", blocked, func([]byte) { block.appendAnswer(dst, q) }},
		{"cache", www, func([]byte) { s.cache.Get(dst, q.key, q.question, 1) }},
		{"match", www, func([]byte) { _, _ = normalizeReply(reply, q.asked()) }},
		{"keep", www, func([]byte) { s.cache.Put(q.key, reply, cache.TTL(reply), 1) }},
		{"cached answer", www, func([]byte) { s.answerNow(c, dst, q, 1) }},
		{"blocked answer", blocked, func([]byte) { s.answerNow(c, dst, q, 1) }},
	}
	for _, stage := range stages {
		require.True(b, q.parsePacket(stage.packet))
		b.Run(stage.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				stage.run(stage.packet)
			}
		})
	}
	b.Run("forward", benchmarkForward)
}

func benchmarkForward(b *testing.B) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(b, err)
	b.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, dnswire.UDPSize)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			buf[2] |= dnswire.FlagQR >> 8
			_, _ = conn.WriteToUDPAddrPort(buf[:n], from)
		}
	}()
	f, err := upstream.New(upstream.Endpoint{Addr: netip.MustParseAddrPort(conn.LocalAddr().String())})
	require.NoError(b, err)
	s, err := New(Config{Upstream: f, Cache: -1})
	require.NoError(b, err)
	q := &query{counters: &s.shared}
	packet, err := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA).Pack()
	require.NoError(b, err)
	require.True(b, q.parsePacket(packet))
	b.ReportAllocs()
	for b.Loop() {
		if s.forward(s.current.Load(), q) == nil {
			b.Fatal("no answer")
		}
	}
}
