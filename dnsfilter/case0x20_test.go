package dnsfilter_test

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// TestRandomCaseStaysUpstream uses a resolver that writes every owner name uncompressed, in the letter case of the
// query.
func TestRandomCaseStaysUpstream(t *testing.T) {
	t.Parallel()
	var asked atomic.Value
	_, addr := forwarding(t, func(w dns.ResponseWriter, q *dns.Msg) {
		name := q.Question[0].Name
		asked.Store(name)
		m := new(dns.Msg).SetReply(q)
		_, above, _ := strings.Cut(name, ".")
		if q.Question[0].Qtype == dns.TypeA {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(192, 0, 2, 1)}}
		} else {
			m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: above, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60}, Ns: "Ns.Example.", Mbox: ".", Minttl: 60}}
		}
		assert.NoError(t, w.WriteMsg(m))
	})
	const long = "A-Name-with.Letters-enough-to-tell.example.com."
	for _, name := range []string{long, strings.ToLower(long), strings.ToUpper(long)} { // the last ones from the cache
		reply := dnstest.Exchange(t, "udp", addr, dnstest.Question(name, dns.TypeA))
		require.Len(t, reply.Answer, 1)
		assert.Equal(t, name, reply.Question[0].Name)
		assert.Equal(t, name, reply.Answer[0].Header().Name)
		reply = dnstest.Exchange(t, "udp", addr, dnstest.Question(name, dns.TypeTXT))
		require.Len(t, reply.Ns, 1)
		assert.Equal(t, "letters-enough-to-tell.example.com.", strings.ToLower(reply.Ns[0].Header().Name))
		assert.Equal(t, "Ns.Example.", reply.Ns[0].(*dns.SOA).Ns, "as it is written in the zone")
	}
	assert.NotEqual(t, strings.ToLower(long), asked.Load())
}
