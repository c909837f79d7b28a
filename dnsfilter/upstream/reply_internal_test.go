package upstream

import (
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// FuzzAnswers compares any reply with a query of ours.
func FuzzReply(f *testing.F) {
	q := new(dns.Msg).SetQuestion("example.org.", dns.TypeHTTPS)
	query, err := q.Pack()
	require.NoError(f, err)
	reply, err := new(dns.Msg).SetReply(q).Pack()
	require.NoError(f, err)
	f.Add(reply)
	f.Add(query)
	badVersion, err := new(dns.Msg).SetRcode(q, dns.RcodeBadVers).SetEdns0(1232, false).Pack()
	require.NoError(f, err)
	f.Add(badVersion)
	f.Add([]byte("\x00\x00\x81\x01\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, reply []byte) {
		if len(reply) < dnswire.HeaderSize {
			return
		}
		assert.False(t, isHeaderOnlyFailure(reply, query) && isReplyTo(reply, query))
		if mayRefuseEDNS(reply) {
			assert.True(t, isFailure(reply))
		}
		if canDropEDNS(reply) {
			assert.False(t, canDropEDNS(dropEDNS(nil, reply)))
		}
		if !isReplyTo(reply, query) {
			return
		}
		var m dns.Msg
		if err := m.Unpack(reply); err == nil {
			assert.True(t, m.Response)
			assert.Equal(t, q.Question[0].Qtype, m.Question[0].Qtype)
			assert.Equal(t, q.Question[0].Name, dns.CanonicalName(m.Question[0].Name))
		}
	})
}
