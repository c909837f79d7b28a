package dnsfilter_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// The tests of policyzone_bind_*test.go and policyzone_unbound_*test.go state the facts of the tests that BIND and
// Unbound have of their policy zones, one by one, about other names and addresses. Where this server answers otherwise
// on purpose, the row says why.
//
// What is left out: a wildcard as the name of an override (a sinkhole is one name), DNS64, pending answers of a
// validator (there is none here), the SOA record of the zone in the answer, the log of a zone (decisions are counted
// and tapped), waiting for name servers as a choice, answers while zones are read (a start reads them first), and
// includes in a zone file. A zone that expires stays in force here, which the tests of the service say.

// ported is a question of such a test, as parseAsked reads it, and the answer in the form of short. The note is why the
// other program answers otherwise.
type ported struct{ id, asked, want, note string }

// portedGroup is a group of such questions, with policy zones in their order.
type portedGroup struct {
	test  string
	zones []portedZone
	asks  []ported
}

// portedZone is a policy zone, as the lines of its zone file, with what the settings say about it.
type portedZone struct {
	lines string
	rule  dnsfilter.Rule
}

// given are zones whose records decide.
func given(zones ...string) (all []portedZone) {
	for _, lines := range zones {
		all = append(all, portedZone{lines: lines})
	}
	return all
}

// policy reads the zones. Records that are no rules are skipped, as in the programs that the tests come from.
func (g *portedGroup) policy(t testing.TB) (p dnsfilter.Policy) {
	t.Helper()
	for i, z := range g.zones {
		r := z.rule
		r.List, r.Zone = "z"+string(rune('a'+i)), newPolicyZone(t)
		_, err := r.Zone.Read(strings.NewReader("@ 300 SOA localhost. nobody.invalid. 7 3600 600 86400 60\n@ 300 NS localhost.\n" + z.lines))
		require.NoError(t, err)
		p.Rules = append(p.Rules, r)
	}
	return p
}

// check asks a server with the zones all questions.
func (g *portedGroup) check(t *testing.T, c dnsfilter.Config) {
	t.Helper()
	c.Store, c.Policy, c.Clients = dnstest.NewStore(t, nil), g.policy(t), everyone
	g.ask(t, dnstest.NewServer(t, c))
}

// ask asks all questions twice, the second time from the cache.
func (g *portedGroup) ask(t *testing.T, s *dnsfilter.Server) {
	t.Helper()
	for _, again := range []string{"", ", again"} {
		for _, a := range g.asks {
			assert.Equal(t, a.want, answerTo(t, s, a.asked), "%s %s: %s%s %s", g.test, a.id, a.asked, again, a.note)
		}
	}
}

// answerTo returns the answer to a question in short. Besides the words of parseAsked, do and norec set DO, and leave
// RD out.
func answerTo(t testing.TB, s *dnsfilter.Server, asked string) string {
	t.Helper()
	m := replyTo(t, s, asked)
	if m == nil {
		return "dropped"
	}
	return short(m)
}

// replyTo returns the answer to a question, or nil.
func replyTo(t testing.TB, s *dnsfilter.Server, asked string) *dns.Msg {
	t.Helper()
	plain := strings.NewReplacer(" do", "", " norec", "").Replace(asked)
	name, qtype, from, network := parseAsked(t, plain)
	q := dnstest.Question(name, qtype)
	q.RecursionDesired = !strings.Contains(asked, " norec")
	if strings.Contains(asked, " do") {
		q.SetEdns0(1232, true)
	}
	c := client{addr: &net.UDPAddr{IP: netip.MustParseAddr(from).AsSlice(), Port: 1}}
	if network == "tcp" {
		c.addr = &net.TCPAddr{IP: netip.MustParseAddr(from).AsSlice(), Port: 1}
	}
	s.ServeDNS(&c, q)
	if c.got == nil {
		return nil
	}
	m := new(dns.Msg)
	require.NoError(t, m.Unpack(c.got))
	return m
}

// world is an upstream with zones, which fails for names below servfail.test.
func world(t testing.TB, zone string) dnsfilter.Upstream {
	t.Helper()
	r := recursor{dnstest.NewZone(t, zone)}
	return upstreamFunc(func(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
		if dns.IsSubDomain("servfail.test.", strings.ToLower(q.Question[0].Name)) {
			return nil, errors.New("no server of servfail.test answers")
		}
		return r.Exchange(ctx, q)
	})
}
