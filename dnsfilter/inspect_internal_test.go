package dnsfilter

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// FuzzInspect inspects random bytes as an answer. It must not panic, and has to read names as miekg/dns does.
func FuzzInspect(f *testing.F) {
	for _, text := range []string{
		"asked.test. CNAME a.nxdomain.test.", "asked.test. CNAME other.test.", "test. DNAME a.monitor.test.", "asked.test. HTTPS 1 x.test. ipv4hint=192.0.2.1 ech=AAAA", "asked.test. A 198.51.100.1",
	} {
		rr, err := dns.NewRR(text)
		require.NoError(f, err)
		m := new(dns.Msg).SetQuestion("asked.test.", dns.TypeA)
		m.Answer, m.Compress = append(m.Answer, rr, rr), true
		packed, err := m.Pack()
		require.NoError(f, err)
		f.Add(packed)
		f.Add(packed[:len(packed)-3])
	}
	s := pathsServer(f)
	f.Fuzz(func(t *testing.T, m []byte) {
		if len(m) < dnswire.HeaderSize+5 || len(m) > dns.MaxMsgSize {
			return
		}
		q := &query{counters: &s.shared}
		q.key = append(append(q.buf[:0], "\x05asked\x04test\x00"...), 0, 1, 0, 1, 0)
		q.question, q.size = []byte("\x05asked\x04test\x00\x00\x01\x00\x01"), dns.MaxMsgSize
		d := q.inspect(s.store, &s.current.Load().views.general, m)
		if d.Blocks() && bytes.HasPrefix(m[dnswire.HeaderSize:], q.question) && hasGoodOwners(m) && new(dns.Msg).Unpack(m) == nil {
			answer, sent := d.appendAnswer(nil, q)
			var reply dns.Msg
			require.False(t, sent && reply.Unpack(answer) != nil, "what takes the place of an answer is one")
			require.True(t, !sent || len(reply.Ns) > 0 || reply.Rcode == dns.RcodeRefused || len(reply.Answer) > 0)
		}
		got, end := dnswire.AppendName(nil, m, dnswire.HeaderSize)
		text, _, err := dns.UnpackDomainName(m, dnswire.HeaderSize)
		if end != 0 && err == nil {
			want, err := blocklist.AppendName(nil, text)
			require.NoError(t, err)
			assert.Equal(t, want, got)
		}
		assert.False(t, err != nil && end != 0, "a name is one to both: %v", err)
	})
}

// hasGoodOwners reports whether the owners of all records are well-formed, as they are in a reply that was normalized.
func hasGoodOwners(m []byte) bool {
	for r := range dnswire.Records(m) {
		if dnswire.CheckName(m, r.Owner) == 0 {
			return false
		}
	}
	return true
}

// BenchmarkCached is a cached answer on the fast path: what it costs to look at what it leads to.
func BenchmarkCached(b *testing.B) {
	store, err := blocklist.Open(b.TempDir(), blocklist.Options{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	require.NoError(b, store.SetLocal("l", "test", lineEntries("listed.test\n")))
	zone, err := upstream.NewZone("a.test. 300 A 192.0.2.1\nc.test. 300 CNAME a.test.\n")
	require.NoError(b, err)
	s, err := New(Config{Store: store, Policy: Policy{Rules: []Rule{{List: "l", Action: NXDomain}}}, Upstream: zone})
	require.NoError(b, err)
	for _, name := range []string{"a.test.", "c.test."} {
		packet, err := new(dns.Msg).SetQuestion(name, dns.TypeA).Pack()
		require.NoError(b, err)
		s.slow(packet)
		q, dst := &query{counters: &s.shared}, make([]byte, 0, 2048)
		require.True(b, q.parsePacket(packet))
		body, ask := s.answerNow(s.current.Load(), dst, q, s.cache.Now())
		require.False(b, ask)
		require.NotZero(b, binary.BigEndian.Uint16(body[6:]))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.answerNow(s.current.Load(), dst, q, s.cache.Now())
			}
		})
		b.Run(name+"/inspect", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				q.inspect(s.store, &s.current.Load().views.general, body)
			}
		})
	}
}
