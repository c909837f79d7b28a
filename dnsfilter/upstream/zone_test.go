package upstream_test

import (
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/upstream"
)

func TestZone(t *testing.T) {
	t.Parallel()
	z, err := upstream.NewZone(`
$TTL 60
.                  SOA ns. h. 1 2 3 4 5
example.org.       SOA ns.example.org. h.example.org. 1 2 3 4 5
example.org.       A 192.0.2.1
example.org.       A 192.0.2.2
example.org.       TXT "text"
alias.example.org. CNAME example.org.
*.example.org.     AAAA 2001:db8::1
*.                 A 192.0.2.9
`)
	require.NoError(t, err)
	for _, c := range []struct {
		name    string
		qtype   uint16
		rcode   int
		answers int
		soa     string
	}{
		{"example.org.", dns.TypeA, dns.RcodeSuccess, 2, ""},
		{"EXAMPLE.org.", dns.TypeANY, dns.RcodeSuccess, 4, ""},
		{"example.org.", dns.TypeMX, dns.RcodeSuccess, 0, "example.org."},
		{"alias.example.org.", dns.TypeA, dns.RcodeSuccess, 1, ""},
		{"x.y.example.org.", dns.TypeAAAA, dns.RcodeSuccess, 1, ""},
		{"x.example.org.", dns.TypeA, dns.RcodeSuccess, 0, "example.org."},
		{"x.alias.example.org.", dns.TypeAAAA, dns.RcodeNameError, 0, "example.org."},
		{"example.com.", dns.TypeA, dns.RcodeSuccess, 1, ""},
		{".", dns.TypeA, dns.RcodeSuccess, 0, "."},
	} {
		m, err := z.Exchange(t.Context(), new(dns.Msg).SetQuestion(c.name, c.qtype))
		require.NoError(t, err)
		assert.Equal(t, c.rcode, m.Rcode, c.name)
		assert.Len(t, m.Answer, c.answers, c.name)
		for _, rr := range m.Answer {
			assert.Equal(t, c.name, rr.Header().Name)
		}
		if c.soa != "" {
			require.Len(t, m.Ns, 1, c.name)
			assert.Equal(t, c.soa, m.Ns[0].Header().Name)
		}
	}
	_, err = upstream.NewZone("example.org. A 192.0.2.999")
	assert.ErrorContains(t, err, "reading the zone")
}
