package dnsfilter_test

import (
	"context"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// walledZone has the names to which blocked names lead, and names that lead to blocked ones.
const walledZone = dnstest.ZoneText + `
walled.example.org. A    192.0.2.80
walled.example.org. AAAA 2001:db8::80
to.listed.example.  CNAME b.listed.test.
to2.listed.example. CNAME b.listed2.test.
address.example.    A    198.51.100.1
example.            SOA  ns.example. hostmaster.example. 1 3600 600 86400 60
`

// plainUpstream is an upstream without sessions.
type plainUpstream struct{ dnsfilter.Upstream }

func (p plainUpstream) Exchange(ctx context.Context, m *dns.Msg) (*dns.Msg, error) {
	return p.Upstream.Exchange(ctx, m)
}

// broken is an upstream that answers nothing.
type broken struct{}

func (broken) Exchange(context.Context, *dns.Msg) (*dns.Msg, error) {
	return nil, context.DeadlineExceeded
}

// walledServer blocks listed.test by a name of the upstream, listed2.test by one of the local data, listed3.test by one
// that does not exist.
func walledServer(t *testing.T, u dnsfilter.Upstream) *dnsfilter.Server {
	t.Helper()
	rule := func(list, to string) dnsfilter.Rule {
		name, err := blocklist.ParseName(to)
		require.NoError(t, err)
		return dnsfilter.Rule{List: list, Action: dnsfilter.Sinkhole, SinkholeName: name, Reason: dnsfilter.Censored, TTL: 60}
	}
	return dnstest.NewServer(t, dnsfilter.Config{
		Store: dnstest.NewStore(t, map[string]string{"1": "listed.test\n198.51.100.0/24\nwalled.example.org", "2": "listed2.test", "3": "listed3.test"}),
		Policy: dnsfilter.Policy{
			StructuredErrors: 65001,
			Rules:            []dnsfilter.Rule{rule("1", "walled.example.org"), rule("2", "two.corp.example"), rule("3", "none.example.org")},
		},
		Upstream: u, SpecialUse: specialUse(t), Records: records(t, "two.corp.example CNAME walled.example.org.\n"),
	})
}

func TestSinkholeByName(t *testing.T) {
	t.Parallel()
	zone := dnstest.NewZone(t, walledZone)
	resolver := dnstest.NewServer(t, dnsfilter.Config{Upstream: zone})
	behind, _ := dnstest.Serve(t, resolver)
	at, err := upstream.ParseEndpoint(behind)
	require.NoError(t, err)
	forwarder, err := upstream.New(at)
	require.NoError(t, err)
	for kind, u := range map[string]dnsfilter.Upstream{"forwarder": forwarder, "no sessions": plainUpstream{zone}} {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(kind+" over "+network, func(t *testing.T) {
				t.Parallel()
				addr, _ := dnstest.Serve(t, walledServer(t, u))
				checkWalled(t, network, addr)
			})
		}
	}
}

func checkWalled(t *testing.T, network, addr string) {
	t.Helper()
	for _, c := range []struct {
		name  string
		qtype uint16
		want  string
	}{
		{"to.listed.example.", dns.TypeA, "NOERROR, to.listed.example. walled.example.org., walled.example.org. 192.0.2.80"},
		{"WWW.Listed.test.", dns.TypeA, "NOERROR, WWW.Listed.test. walled.example.org., walled.example.org. 192.0.2.80"},
		{"listed.test.", dns.TypeAAAA, "NOERROR, listed.test. walled.example.org., walled.example.org. 2001:db8::80"},
		{"listed.test.", dns.TypeMX, "NOERROR, listed.test. walled.example.org., / example.org."},
		{"listed.test.", dns.TypeCNAME, "NOERROR, listed.test. walled.example.org."},
		{"walled.example.org.", dns.TypeA, "NOERROR, walled.example.org. walled.example.org., walled.example.org. 192.0.2.80"},
		{"address.example.", dns.TypeA, "NOERROR, address.example. walled.example.org., walled.example.org. 192.0.2.80"},
		{"address.example.", dns.TypeMX, "NOERROR, / example."},
		{"to2.listed.example.", dns.TypeA, "NOERROR, to2.listed.example. two.corp.example., two.corp.example. walled.example.org., walled.example.org. 192.0.2.80"},
		{"listed2.test.", dns.TypeA, "NOERROR, listed2.test. two.corp.example., two.corp.example. walled.example.org., walled.example.org. 192.0.2.80"},
		{"listed3.test.", dns.TypeA, "NXDOMAIN, listed3.test. none.example.org., / example.org."},
		{"www.example.org.", dns.TypeA, "NOERROR, www.example.org. 192.0.2.2"},
	} {
		for range 2 { // the second time with a cached target
			m := dnstest.Exchange(t, network, addr, dnstest.Question(c.name, c.qtype).SetEdns0(1232, true))
			assert.Equal(t, c.want, sections(m), "%s %s", c.name, dns.TypeToString[c.qtype])
			assert.Equal(t, c.name, m.Question[0].Name)
			assert.False(t, m.AuthenticatedData)
			if len(m.Answer) > 0 && m.Answer[0].Header().Rrtype == dns.TypeCNAME {
				assert.EqualValues(t, 60, m.Answer[0].Header().Ttl)
				assert.Equal(t, []uint16{dns.ExtendedErrorCodeCensored, dns.ExtendedErrorCodeForgedAnswer}, dnstest.EDEs(m), c.name)
			}
		}
	}
	m := dnstest.Question("listed.test.", dns.TypeA).SetEdns0(1232, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: 65001}}
	assert.Equal(t, "NOERROR, / test.", sections(dnstest.Exchange(t, network, addr, m)), "a client that can read the reason")
}

func TestSinkholeByNameWithoutUpstream(t *testing.T) {
	t.Parallel()
	zone := dnstest.NewZone(t, walledZone)
	s := walledServer(t, broken{})
	m := ask(t, s, "udp", dnstest.Question("listed.test.", dns.TypeA).SetEdns0(1232, false))
	assert.Equal(t, "SERVFAIL, listed.test. walled.example.org.", sections(m))
	assert.Contains(t, dnstest.EDEs(m), dns.ExtendedErrorCodeCensored)
	p := s.Policy()
	f, err := dnsfilter.NewFilter(dnstest.NewStore(t, map[string]string{"1": "listed.test", "2": "", "3": ""}), p)
	require.NoError(t, err)
	next := dnstest.NewServer(t, dnsfilter.Config{Upstream: zone})
	assert.Equal(t, "NOERROR, listed.test. walled.example.org.", sections(ask(t, f.Handler(next), "udp", dnstest.Question("listed.test.", dns.TypeA))))
}

func TestSinkholeByNameForMany(t *testing.T) {
	t.Parallel()
	addr, _ := dnstest.Serve(t, walledServer(t, plainUpstream{dnstest.NewZone(t, walledZone)}))
	done := make(chan string)
	for range 50 {
		go func() {
			c := dns.Client{Timeout: time.Minute}
			m, _, err := c.Exchange(dnstest.Question("to.listed.example.", dns.TypeA), addr)
			if err != nil {
				done <- err.Error()
				return
			}
			done <- sections(m)
		}()
	}
	for range 50 {
		assert.Equal(t, "NOERROR, to.listed.example. walled.example.org., walled.example.org. 192.0.2.80", <-done)
	}
}
