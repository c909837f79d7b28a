package dnsfilter

import (
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/cache"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// FuzzNormalizeReply makes bodies of any replies. Those that it takes have all the records that they say, and none for
// us alone.
func FuzzNormalizeReply(f *testing.F) {
	m := new(dns.Msg).SetQuestion("a.test.", dns.TypeA)
	var q query
	require.True(f, q.parseMessage(m, false))
	for _, text := range []string{"a.test. 60 CNAME b.test.", "b.test. 60 A 192.0.2.1", "test. 60 MX 1 m.test.", "x.test. 60 SRV 1 2 3 s.test.", "test. 60 SOA a. b. 1 2 3 4 5"} {
		rr, err := dns.NewRR(text)
		require.NoError(f, err)
		m.Answer = append(m.Answer, rr)
	}
	m.Compress = true
	m.SetEdns0(1232, true)
	packed, err := m.Pack()
	require.NoError(f, err)
	f.Add(packed)
	f.Fuzz(func(t *testing.T, reply []byte) {
		body, err := normalizeReply(reply, q.asked())
		if err != nil {
			return
		}
		n := 0
		for r := range dnswire.Records(body) {
			assert.NotEqual(t, dns.TypeOPT, r.Type)
			n++
		}
		assert.Equal(t, dnswire.Count(body, dnswire.Answer)+dnswire.Count(body, dnswire.Authority)+dnswire.Count(body, dnswire.Additional), n)
		defer cache.TTL(body)
		var sent, got dns.Msg
		if sent.Unpack(reply) != nil || got.Unpack(body) != nil {
			return
		}
		answer, authority := scrub(m.Question[0], &sent)
		assert.Equal(t, texts(answer), texts(got.Answer), "both ways keep the same")
		assert.Equal(t, texts(authority), texts(got.Ns))
	})
}

// texts returns each record once, in one case.
func texts(records []dns.RR) (out []string) {
	for _, rr := range records {
		out = append(out, strings.ToLower(rr.String()))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// An answer that is cut where nothing should cut it is none: over TCP, where the session has asked again.
func TestTruncatedRepliesAreRefused(t *testing.T) {
	t.Parallel()
	m := new(dns.Msg).SetQuestion("a.test.", dns.TypeA)
	var q query
	require.True(t, q.parseMessage(m, false))
	for _, cut := range []bool{false, true} {
		m.Truncated = cut
		packed, err := m.Pack()
		require.NoError(t, err)
		_, err = normalizeReply(packed, q.asked())
		assert.Equal(t, cut, err != nil)
		_, err = packReply(m.Question, m)
		assert.Equal(t, cut, err != nil)
	}
}

// TestForwardIsPackedAsItsMessage compares the query for a session with the message for other upstreams.
func TestForwardIsPackedAsItsMessage(t *testing.T) {
	t.Parallel()
	for _, packet := range pathsQueries(t) {
		var q query
		if !q.parsePacket(packet) {
			continue
		}
		m, err := q.forwardMessage()
		require.NoError(t, err)
		m.Id = 0
		want, err := m.Pack()
		require.NoError(t, err)
		require.Equal(t, want, q.appendForward(nil))
	}
}
