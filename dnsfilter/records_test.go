package dnsfilter_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

const localText = `
printer.corp.example   A     192.0.2.10
printer.corp.example.  AAAA  2001:db8::10
www.corp.example       CNAME printer.corp.example
out.corp.example       CNAME www.example.org.
twice.corp.example     CNAME out.corp.example.
gone.corp.example      CNAME none.example.org.
loop.corp.example      CNAME loop.corp.example.
bad.corp.example       CNAME listed.test.
address.corp.example   A     203.0.113.66
listed.corp.example    A     192.0.2.11
allowed.corp.example   A     192.0.2.12
*.dev.corp.example     A     192.0.2.20
a.dev.corp.example     TXT   "here"
9.0.0.10.in-addr.arpa  PTR   printer.corp.example.
$ORIGIN lab.example.
@        600 SOA ns hostmaster 7 3600 600 86400 60
@        NS ns
ns       A 192.0.2.30
a.b.c    A 192.0.2.31
*.wild   A 192.0.2.32
x.wild   A 192.0.2.33
`

func records(t testing.TB, text string) *dnsfilter.Records {
	t.Helper()
	r, err := dnsfilter.ParseRecords(strings.NewReader(text))
	require.NoError(t, err)
	return r
}

func localServer(t *testing.T) *dnsfilter.Server {
	t.Helper()
	return dnstest.NewServer(t, dnsfilter.Config{
		Store: dnstest.NewStore(t, map[string]string{"l": "listed.test\nlisted.corp.example\nallowed.corp.example\n203.0.113.66", "ok": "allowed.corp.example"}),
		Policy: dnsfilter.Policy{
			Allow: []string{"ok"}, Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain}},
		},
		Upstream:   dnstest.NewZone(t, dnstest.ZoneText+"*.corp.example. A 192.0.2.99\nx.lab.example. A 192.0.2.99\nlab.example. DS 1 8 2 "+strings.Repeat("AB", 32)+"\n"),
		SpecialUse: specialUse(t), Records: records(t, localText),
	})
}

// sections returns an answer as text: rcode, and the data of the answer section; of the authority section the owners.
func sections(m *dns.Msg) string {
	out := []string{dns.RcodeToString[m.Rcode]}
	for _, rr := range m.Answer {
		fields := strings.Fields(rr.String())
		out = append(out, fields[0]+" "+fields[len(fields)-1])
	}
	for _, rr := range m.Ns {
		out = append(out, "/ "+rr.Header().Name)
	}
	return strings.Join(out, ", ")
}

func TestLocalData(t *testing.T) {
	t.Parallel()
	addr, _ := dnstest.Serve(t, localServer(t))
	for _, c := range []struct {
		name  string
		qtype uint16
		want  string
	}{
		{"Printer.corp.example.", dns.TypeA, "NOERROR, Printer.corp.example. 192.0.2.10"},
		{"printer.corp.example.", dns.TypeAAAA, "NOERROR, printer.corp.example. 2001:db8::10"},
		{"printer.corp.example.", dns.TypeMX, "NOERROR, / corp.example."},
		{"printer.corp.example.", dns.TypeANY, "NOERROR, printer.corp.example. 192.0.2.10, printer.corp.example. 2001:db8::10"},
		{"www.corp.example.", dns.TypeA, "NOERROR, www.corp.example. printer.corp.example., printer.corp.example. 192.0.2.10"},
		{"www.corp.example.", dns.TypeMX, "NOERROR, www.corp.example. printer.corp.example."},
		{"www.corp.example.", dns.TypeCNAME, "NOERROR, www.corp.example. printer.corp.example."},
		{"OUT.corp.example.", dns.TypeA, "NOERROR, OUT.corp.example. www.example.org., www.example.org. 192.0.2.2"},
		{"twice.corp.example.", dns.TypeA, "NOERROR, twice.corp.example. out.corp.example., out.corp.example. www.example.org., www.example.org. 192.0.2.2"},
		{"gone.corp.example.", dns.TypeA, "NXDOMAIN, gone.corp.example. none.example.org., / example.org."},
		{"loop.corp.example.", dns.TypeA, "SERVFAIL"},
		{"other.corp.example.", dns.TypeA, "NOERROR, other.corp.example. 192.0.2.99"},
		{"a.printer.corp.example.", dns.TypeA, "NOERROR, a.printer.corp.example. 192.0.2.99"},
		{"b.c.dev.corp.example.", dns.TypeA, "NOERROR, b.c.dev.corp.example. 192.0.2.20"},
		{"dev.corp.example.", dns.TypeA, "NOERROR, dev.corp.example. 192.0.2.99"},
		{"a.dev.corp.example.", dns.TypeA, "NOERROR, / dev.corp.example."},
		{"9.0.0.10.in-addr.arpa.", dns.TypePTR, "NOERROR, 9.0.0.10.in-addr.arpa. printer.corp.example."},
		{"8.0.0.10.in-addr.arpa.", dns.TypePTR, "NXDOMAIN, / 10.in-addr.arpa."},
		// in a zone
		{"lab.example.", dns.TypeNS, "NOERROR, lab.example. ns.lab.example."},
		{"lab.example.", dns.TypeA, "NOERROR, / lab.example."},
		{"x.lab.example.", dns.TypeA, "NXDOMAIN, / lab.example."},
		{"b.c.lab.example.", dns.TypeA, "NOERROR, / lab.example."},
		{"y.b.c.lab.example.", dns.TypeA, "NXDOMAIN, / lab.example."},
		{"y.wild.lab.example.", dns.TypeA, "NOERROR, y.wild.lab.example. 192.0.2.32"},
		{"y.wild.lab.example.", dns.TypeTXT, "NOERROR, / lab.example."},
		{"y.x.wild.lab.example.", dns.TypeA, "NXDOMAIN, / lab.example."},
		// lists come first
		{"listed.corp.example.", dns.TypeA, "NXDOMAIN, / corp.example."},
		{"allowed.corp.example.", dns.TypeA, "NOERROR, allowed.corp.example. 192.0.2.12"},
		{"bad.corp.example.", dns.TypeA, "NXDOMAIN, bad.corp.example. listed.test., / test."},
		{"address.corp.example.", dns.TypeA, "NOERROR, / corp.example."},
	} {
		for _, network := range []string{"udp", "tcp", "udp"} { // the last one with a cached target
			m := dnstest.Exchange(t, network, addr, dnstest.Question(c.name, c.qtype).SetEdns0(1232, false))
			assert.Equal(t, c.want, sections(m), "%s %s over %s", c.name, dns.TypeToString[c.qtype], network)
			assert.Equal(t, c.name, m.Question[0].Name)
		}
	}
	m := dnstest.Exchange(t, "udp", addr, dnstest.Question("x.lab.example.", dns.TypeA))
	assert.EqualValues(t, 60, m.Ns[0].Header().Ttl, "the denial, not the record")
	assert.Len(t, dnstest.Exchange(t, "udp", addr, dnstest.Question("lab.example.", dns.TypeDS)).Answer, 1, "of the parent zone")
}

// What leads out of the local data into a forward zone is asked of that zone's resolvers.
func TestLocalDataAndForwardZones(t *testing.T) {
	t.Parallel()
	server := dnstest.NewServer(t, dnsfilter.Config{
		Forward: []dnsfilter.ForwardZone{{mustName(t, "corp.example"), dnstest.NewZone(t, "$TTL 300\n*. A 192.0.2.5\n")}},
		Records: records(t, "corp.example A 192.0.2.1\nwww.corp.example CNAME a.corp.example\n"),
	})
	for name, want := range map[string]string{
		"corp.example.": "NOERROR, corp.example. 192.0.2.1", "a.corp.example.": "NOERROR, a.corp.example. 192.0.2.5",
		"x.www.corp.example.": "NOERROR, x.www.corp.example. 192.0.2.5",
		"www.corp.example.":   "NOERROR, www.corp.example. a.corp.example., a.corp.example. 192.0.2.5",
	} {
		assert.Equal(t, want, sections(ask(t, server, "udp", dnstest.Question(name, dns.TypeA))), name)
	}
}

// The prefetch of an alias's target asks for the target.
func TestLocalDataIsUnknownToTheUpstream(t *testing.T) {
	t.Parallel()
	up := &counting{next: dnstest.NewZone(t, "$TTL 300\nwww.example. A 192.0.2.1\n")}
	server := dnstest.NewServer(t, dnsfilter.Config{Upstream: up, Records: records(t, "a.corp.example CNAME www.example\n")})
	for range 3 {
		assert.Len(t, ask(t, server, "udp", dnstest.Question("a.corp.example.", dns.TypeA)).Answer, 2)
	}
	assert.EqualValues(t, 1, up.n.Load())
	assert.EqualValues(t, 2, server.Stats().Hits)
	expected, answer, err := server.Expect(dnstest.Question("a.corp.example.", dns.TypeCNAME), netip.Addr{}, false)
	require.NoError(t, err)
	assert.False(t, expected.Blocks())
	assert.Len(t, answer.Answer, 1)
}

func TestRecordsThatAreNone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                              "there are none",
		"; nothing\n":                   "there are none",
		"a.example A x\n":               `"x" at line: 1:`,
		"a.example A 192.0.2.1\nb.ex\n": "at line: 2:",
		"a.example CH TXT x\n":          "the class is not IN",
		"a.example DNAME b.example\n":   "DNAME is not supported",
		"a.example A\n":                 "the A record has no data",
		"a.example MX\n":                "the MX record has no data",
		"a.example TXT ;\n":             "the TXT record has no data",
		"a.example SRV\n":               "the SRV record has no data",
		"a.example SOA\n":               "the SOA record has no data",
		". A 192.0.2.1\n":               "the root",
		"$INCLUDE /etc/passwd\n":        "$INCLUDE directive not allowed",
		"a.example CNAME b\na.example A 192.0.2.1\n":                                                    "a name with a CNAME record has no others",
		"a.example A 192.0.2.1\na.example CNAME b\n":                                                    "a name with a CNAME record has no others",
		"a.example SOA n. h. 1 2 3 4 5\nb.a.example NS n.\n":                                            "delegations are not followed",
		"a.example DS 1 8 2 " + strings.Repeat("AB", 32) + "\n":                                         "signatures are not supported",
		strings.Repeat("a.example A 192.0.2.1\n", 40_001) + "$GENERATE 1-60000 $.example A 192.0.2.1\n": "more than 100000",
	} {
		_, err := dnsfilter.ParseRecords(strings.NewReader(text))
		require.Error(t, err, text)
		assert.Contains(t, err.Error(), want, text)
		assert.True(t, strings.Contains(want, "more than") || assert.ErrorIs(t, err, blocklist.ErrMalformed))
	}
}

func FuzzRecords(f *testing.F) {
	f.Add(localText, "www.corp.example.", dns.TypeA)
	f.Fuzz(func(t *testing.T, text, name string, qtype uint16) {
		r, err := dnsfilter.ParseRecords(strings.NewReader(text))
		if err != nil || len(text) > 1<<16 {
			return
		}
		server := dnstest.NewServer(t, dnsfilter.Config{Upstream: dnstest.NewZone(t, "$TTL 300\n*. A 192.0.2.1\n"), Records: r, Cache: -1})
		m := dnstest.Question(dns.Fqdn(name), qtype)
		if _, err := m.Pack(); err == nil {
			ask(t, server, "udp", m)
		}
	})
}
