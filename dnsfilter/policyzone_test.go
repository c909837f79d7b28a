package dnsfilter_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// policyZone reads a policy zone feed.example.
func policyZone(t testing.TB, lines ...string) *dnsfilter.PolicyZone {
	t.Helper()
	z := newPolicyZone(t)
	report, err := z.Read(strings.NewReader("@ 60 SOA localhost. nobody.invalid. 7 3600 600 86400 60\n" + strings.Join(lines, "\n")))
	require.NoError(t, err)
	require.Empty(t, report.Skipped)
	return z
}

func newPolicyZone(t testing.TB) *dnsfilter.PolicyZone {
	t.Helper()
	name, err := blocklist.ParseName("feed.example")
	require.NoError(t, err)
	return dnsfilter.NewPolicyZone(name)
}

// zonePolicy is a policy of zones, which are named z0, z1 and so on.
func zonePolicy(zones ...*dnsfilter.PolicyZone) (p dnsfilter.Policy) {
	for i, z := range zones {
		p.Rules = append(p.Rules, dnsfilter.Rule{List: fmt.Sprintf("z%d", i), Zone: z})
	}
	return p
}

// realWorld is the zone of the upstream in the tests of policy zones.
const realWorld = `
$TTL 300
@                  SOA ns.example. hostmaster.example. 1 3600 600 86400 60
example.           SOA ns.example. hostmaster.example. 1 3600 600 86400 60
plain.example.     A 192.0.2.1
plain.example.     AAAA 2001:db8::1
plain.example.     TXT "real"
a.b.example.       A 192.0.2.2
alias.example.     CNAME target.example.
target.example.    A 192.0.2.3
long.example.      CNAME alias.example.
two.example.       A 192.0.2.10
two.example.       A 192.0.2.20
garden.example.    A 192.0.2.80
*.garden.example.  A 192.0.2.81
out.example.       CNAME bad.example.
bad.example.       A 192.0.2.66
svc.example.       HTTPS 1 bad.example.
hint.example.      HTTPS 1 . ipv4hint=192.0.2.66
`

// recursor follows the CNAME records of a zone.
type recursor struct{ zone *upstream.Zone }

func (r recursor) Exchange(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
	reply, err := r.zone.Exchange(ctx, q)
	for last := reply; err == nil && len(last.Answer) == 1; {
		alias, ok := last.Answer[0].(*dns.CNAME)
		if !ok || q.Question[0].Qtype == dns.TypeCNAME {
			break
		}
		if last, err = r.zone.Exchange(ctx, dnstest.Question(alias.Target, q.Question[0].Qtype)); err == nil {
			reply.Answer, reply.Ns, reply.Rcode = append(reply.Answer, last.Answer...), last.Ns, last.Rcode
		}
	}
	return reply, err
}

// The old form of passthru is a CNAME record to the owner. A wildcard that leads to itself says something else: no
// data, or a walled garden.
func TestWildcardToItself(t *testing.T) {
	t.Parallel()
	zones := func(line string) *dnsfilter.Server {
		return dnstest.NewServer(t, dnsfilter.Config{
			Store: dnstest.NewStore(t, nil), Policy: zonePolicy(policyZone(t, line)), Upstream: recursor{dnstest.NewZone(t, realWorld)}, Clients: everyone,
		})
	}
	assert.Equal(t, "nodata", verdict(t, zones("* CNAME *."), "192.0.2.200", "udp", "plain.example.", dns.TypeA))
	assert.Equal(t, "192.0.2.1", verdict(t, zones("plain.example CNAME plain.example."), "192.0.2.200", "udp", "plain.example.", dns.TypeA))
	assert.Contains(t, verdict(t, zones("*.garden.example CNAME *.garden.example."), "192.0.2.200", "udp", "x.garden.example.", dns.TypeA),
		"x.garden.example.garden.example.")
}

// client is a client with an address, without a network.
type client struct {
	recorder

	addr net.Addr
}

func (c *client) RemoteAddr() net.Addr { return c.addr }

// verdict asks a server and returns the answer in short: the rcode if it is not NOERROR, TC, and the data of the
// records.
func verdict(t testing.TB, s *dnsfilter.Server, from, network, name string, qtype uint16) string {
	t.Helper()
	at := netip.MustParseAddr(from)
	c := client{addr: &net.UDPAddr{IP: at.AsSlice(), Port: 1}}
	if network == "tcp" {
		c.addr = &net.TCPAddr{IP: at.AsSlice(), Port: 1}
	}
	s.ServeDNS(&c, dnstest.Question(name, qtype))
	if c.got == nil {
		return "dropped"
	}
	m := new(dns.Msg)
	require.NoError(t, m.Unpack(c.got))
	return short(m)
}

// short returns an answer in short.
func short(m *dns.Msg) string {
	var out []string
	if m.Rcode != dns.RcodeSuccess {
		out = append(out, dns.RcodeToString[m.Rcode])
	}
	if m.Truncated {
		out = append(out, "TC")
	}
	for _, rr := range m.Answer {
		out = append(out, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	if len(out) == 0 {
		return "nodata"
	}
	return strings.Join(out, " ")
}

func TestPolicyZones(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		label string
		zones [][]string
		want  map[string]string // by question: a name, a type if it is not A, and options
	}{
		{"actions", [][]string{{
			"nx.example CNAME .", "*.nx.example CNAME .", "empty.example CNAME *.", "pass.example CNAME rpz-passthru.", "*.example CNAME .",
			"plain.example CNAME PLAIN.example.", "drop.example CNAME rpz-drop.", "a.b.example CNAME rpz-tcp-only.",
		}}, map[string]string{
			"nx.example": "NXDOMAIN", "x.y.nx.example": "NXDOMAIN", "empty.example": "nodata", "other.example": "NXDOMAIN",
			"plain.example": "192.0.2.1", "plain.example AAAA": "2001:db8::1", "drop.example": "dropped",
			"a.b.example": "TC", "a.b.example tcp": "192.0.2.2", "nx.example TXT": "NXDOMAIN", "empty.example ANY": "nodata",
		}},
		{"wildcards by RFC 4592", [][]string{{
			"*.example CNAME .", "deep.b.example CNAME *.", "*.c.example CNAME *.", "x.*.d.example CNAME *.",
		}}, map[string]string{
			"a.b.example": "192.0.2.2", "b.example": "NXDOMAIN", "deep.b.example": "nodata", "x.c.example": "nodata", "c.example": "NXDOMAIN",
			"x.y.example": "NXDOMAIN", "example": "nodata", "d.example": "NXDOMAIN", "z.d.example": "NXDOMAIN",
		}},
		{"a wildcard for everything", [][]string{{"* CNAME .", "plain.example CNAME rpz-passthru."}}, map[string]string{
			"plain.example": "192.0.2.1", "x.test": "NXDOMAIN", "target.example": "192.0.2.3", // the name example exists in the zone
		}},
		{"local data", [][]string{{
			"a.b.example A 203.0.113.1", "a.b.example 7 A 203.0.113.2", `a.b.example TXT "why" "not"`, "plain.example CNAME garden.example.",
			"*.bad.example CNAME *.garden.example.", "two.example CNAME alias.example.", "*.w.example AAAA 2001:db8::5", "mx.example MX 10 mail",
		}}, map[string]string{
			"a.b.example": "203.0.113.1 203.0.113.2", "a.b.example TXT": `"why" "not"`, "a.b.example AAAA": "nodata",
			"plain.example": "garden.example. 192.0.2.80", "plain.example CNAME": "garden.example.", "plain.example TXT": "garden.example.",
			"x.bad.example": "x.bad.example.garden.example. 192.0.2.81", "two.example": "alias.example. target.example. 192.0.2.3",
			"X.w.example AAAA": "2001:db8::5", "x.w.example": "nodata", "mx.example MX": "10 mail.feed.example.",
		}},
		{"names that an answer leads to", [][]string{{"target.example CNAME .", "bad.example CNAME garden.example."}}, map[string]string{
			"alias.example": "NXDOMAIN target.example.", "long.example": "NXDOMAIN alias.example. target.example.",
			"out.example": "garden.example. 192.0.2.80", "alias.example CNAME": "target.example.",
		}},
		{"the first name of a chain counts", [][]string{{"target.example CNAME ."}, {"alias.example CNAME rpz-passthru."}}, map[string]string{
			"alias.example": "target.example. 192.0.2.3", "long.example": "alias.example. target.example. 192.0.2.3", "target.example": "NXDOMAIN",
		}},
		{"addresses of answers", [][]string{{
			"24.0.2.0.192.rpz-ip CNAME .", "32.1.2.0.192.rpz-ip CNAME rpz-passthru.", "28.16.2.0.192.rpz-ip CNAME *.", "128.1.zz.db8.2001.rpz-ip A 203.0.113.9",
			"32.66.2.0.192.rpz-ip CNAME *.garden.example.", "32.2.2.0.192.rpz-ip CNAME rpz-tcp-only.",
		}}, map[string]string{
			"plain.example": "192.0.2.1", "plain.example AAAA": "nodata", "plain.example TXT": `"real"`, "target.example": "NXDOMAIN",
			"two.example": "nodata", "bad.example": "bad.example.garden.example. 192.0.2.81", "a.b.example": "TC", "a.b.example tcp": "192.0.2.2",
			"alias.example": "NXDOMAIN target.example.", "out.example": "bad.example.garden.example. 192.0.2.81",
		}},
		{"clients", [][]string{{
			"24.0.113.0.203.rpz-client-ip CNAME rpz-passthru.", "32.7.113.0.203.rpz-client-ip CNAME rpz-drop.", "48.zz.7.db8.2001.rpz-client-ip CNAME .",
			"plain.example CNAME *.",
		}}, map[string]string{
			"plain.example": "nodata", "plain.example @203.0.113.1": "192.0.2.1", "plain.example @203.0.113.7": "dropped",
			"plain.example @2001:db8:7::1": "NXDOMAIN", "plain.example @2001:db8:8::1": "nodata", "long.example @2001:db8:7::1": "NXDOMAIN",
		}},
		{"the first zone counts", [][]string{
			{"plain.example CNAME rpz-passthru."}, {"plain.example CNAME .", "target.example CNAME *."}, {"target.example CNAME ."},
		}, map[string]string{"plain.example": "192.0.2.1", "target.example": "nodata", "alias.example": "nodata"}},
		{"a zone with answer triggers before one with names", [][]string{
			{"32.1.2.0.192.rpz-ip CNAME *.", "32.66.2.0.192.rpz-ip CNAME rpz-passthru."}, {"plain.example CNAME .", "bad.example CNAME .", "none.example A 203.0.113.1", "x.test CNAME garden.example."},
		}, map[string]string{
			"plain.example": "nodata", "bad.example": "192.0.2.66", "none.example": "203.0.113.1", "plain.example AAAA": "NXDOMAIN",
			"plain.example ANY": "NXDOMAIN", "out.example": "bad.example. 192.0.2.66", "x.test": "garden.example. 192.0.2.80",
		}},
		{"services: the target is asked for by itself, and hints are addresses", [][]string{{"bad.example CNAME .", "32.66.2.0.192.rpz-ip CNAME *."}}, map[string]string{
			"svc.example HTTPS": "1 bad.example.", "hint.example HTTPS": "nodata", "bad.example": "NXDOMAIN",
		}},
		{"names precede addresses in one zone", [][]string{{"plain.example CNAME *.", "32.1.2.0.192.rpz-ip CNAME ."}}, map[string]string{"plain.example": "nodata"}},
	} {
		var zones []*dnsfilter.PolicyZone
		for _, lines := range c.zones {
			zones = append(zones, policyZone(t, lines...))
		}
		s := dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: zonePolicy(zones...), Upstream: recursor{dnstest.NewZone(t, realWorld)}, Clients: everyone})
		for range 2 { // the second time from the cache
			for asked, want := range c.want {
				name, qtype, from, network := parseAsked(t, asked)
				assert.Equal(t, want, verdict(t, s, from, network, name, qtype), "%s: %s", c.label, asked)
			}
		}
	}
}

// everyone is all clients.
var everyone = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// parseAsked parses a question: a name, a type, a client behind @, and tcp.
func parseAsked(t testing.TB, text string) (name string, qtype uint16, from, network string) {
	t.Helper()
	words := strings.Fields(text)
	name, qtype, from, network = dns.Fqdn(words[0]), dns.TypeA, "192.0.2.200", "udp"
	for _, word := range words[1:] {
		if addr, ok := strings.CutPrefix(word, "@"); ok {
			from = addr
		} else if word == "tcp" {
			network = word
		} else {
			qtype = dns.StringToType[word]
			require.NotZero(t, qtype, text)
		}
	}
	return name, qtype, from, network
}
