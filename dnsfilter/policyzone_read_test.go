package dnsfilter_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

func TestPolicyZoneText(t *testing.T) {
	t.Parallel()
	z := newPolicyZone(t)
	report, err := z.Read(strings.NewReader(`$TTL 1h ; a comment
@ IN SOA localhost. (
	nobody.invalid. 42 ; the serial
	3600 600 86400 60 )
	IN NS localhost.
a.example	CNAME .
$ORIGIN more.feed.example.
b	60 IN CNAME rpz-drop.
	300 CNAME rpz-drop.
$ORIGIN .
c.feed.example IN 60 TXT "; no comment ( \" )" more
d.feed.example. CNAME .
*.E.feed.example. TYPE65400 \# 2 0102
$INCLUDE other
$GENERATE 1-3 x$ CNAME .
f.example. CNAME .
feed.example. CNAME .
g.feed.example. A 192.0.2
h.feed.example. A
i.feed.example. CH TXT "x"
j.feed.example. NS ns.example.
k.feed.example. CNAME rpz-other.
1.rpz-nothing.feed.example. CNAME .
d.feed.example. A 192.0.2.1
l.feed.example. A 192.0.2.1
l.feed.example. CNAME x.example.
33.1.2.0.192.rpz-ip.feed.example. CNAME .
8.1.2.0.192.rpz-ip.feed.example. CNAME .
` + strings.Repeat("x", 64) + `.feed.example. CNAME .
m.feed.example. TXT "open
n.feed.example. ) CNAME .
` + strings.Repeat("y", 70_000) + `
o.feed.example. CNAME ( .
`))
	require.NoError(t, err)
	assert.Equal(t, uint32(42), report.Serial)
	assert.Equal(t, 6, report.Rules) // a, b, c, d, *.e, l
	assert.Equal(t, map[dnsfilter.Trigger]int{dnsfilter.QName: 6}, report.Triggers)
	skipped := map[string][]int{}
	for _, s := range report.Skipped {
		assert.Len(t, s.Lines, s.Count)
		skipped[s.Reason] = s.Lines
	}
	assert.Equal(t, map[string][]int{
		"directive, unsupported": {14, 15}, "owner outside the zone": {16}, "rule for the zone itself, not for a name": {17}, "not a record": {18, 19},
		"class other than IN": {20}, "record type without a meaning in a policy zone": {21}, "unknown action": {22}, "unknown trigger": {23},
		"second action for one owner": {24, 26}, "not an address": {27, 28}, "not a domain name": {29}, "quotation mark out of place": {30},
		"parenthesis out of place": {31}, "record longer than 64 KiB": {32}, "parenthesis that is not closed": {33},
	}, skipped)
	s := dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: zonePolicy(z), Clients: everyone})
	for name, want := range map[string]string{"a.example.": "NXDOMAIN", "b.more.": "dropped", "d.": "NXDOMAIN", "x.e.": "nodata"} {
		assert.Equal(t, want, verdict(t, s, "192.0.2.200", "udp", name, dns.TypeMX), name)
	}
	assert.Equal(t, `"; no comment ( \" )" "more"`, verdict(t, s, "192.0.2.200", "udp", "c.", dns.TypeTXT))

	for _, bad := range []string{"", "<html>\n<body>x</body>\n", "other.example. SOA localhost. nobody.invalid. 1 2 3 4 5\n", "x CNAME\n"} {
		_, err := z.Read(strings.NewReader(bad))
		assert.ErrorIs(t, err, blocklist.ErrMalformed, bad)
	}
	assert.Equal(t, "NXDOMAIN", verdict(t, s, "192.0.2.200", "udp", "a.example.", dns.TypeA), "the rules before stay")
}

// FuzzPolicyZone reads any text and asks about names in it.
func FuzzPolicyZone(f *testing.F) {
	f.Add("@ SOA . . 1 2 3 4 5\na.example CNAME .\n*.b A 192.0.2.1\n24.0.2.0.192.rpz-ip CNAME *.\n", "x.b.")
	f.Add("$ORIGIN example.\n* CNAME *.garden.example.\n\tTXT (\"a\" ; c\n\"b\")\n48.zz.1.rpz-client-ip.feed CNAME rpz-drop.\n", "feed.example.")
	f.Add("a\\.b CNAME a\\.b.\n\\*.c TYPE1 \\# 4 c0000201\n*.rpz-nsdname CNAME rpz-tcp-only.\n", "a\\.b.")
	store := dnstest.NewStore(f, nil)
	f.Fuzz(func(t *testing.T, text, name string) {
		z := newPolicyZone(t)
		report, err := z.Read(strings.NewReader(text))
		if err != nil {
			return
		}
		sum := 0
		for _, n := range report.Triggers {
			sum += n
		}
		assert.Equal(t, report.Rules, sum)
		if _, ok := dns.IsDomainName(name); !ok {
			return
		}
		s := dnstest.NewServer(t, dnsfilter.Config{Store: store, Policy: zonePolicy(z), Upstream: scripted{}, Clients: everyone, Cache: 1 << 16})
		for _, qtype := range []uint16{dns.TypeA, dns.TypeTXT, dns.TypeCNAME} {
			if wire, err := dnstest.Question(name, qtype).Pack(); err == nil && len(wire) > 0 {
				verdict(t, s, "192.0.2.200", "tcp", dns.Fqdn(name), qtype)
			}
		}
	})
}

// BenchmarkPolicyZone reads a zone of a million names, each with its wildcard.
func BenchmarkPolicyZone(b *testing.B) {
	var text strings.Builder
	text.WriteString("@ SOA localhost. nobody.invalid. 7 3600 600 86400 60\n")
	for i := range 1_000_000 {
		fmt.Fprintf(&text, "name%d.some%d.example CNAME .\n*.name%d.some%d.example CNAME .\n", i, i%1000, i, i%1000)
	}
	z := newPolicyZone(b)
	for b.Loop() {
		_, err := z.Read(strings.NewReader(text.String()))
		require.NoError(b, err)
	}
}

// TestPolicyZoneReview compares two states of a zone.
func TestPolicyZoneReview(t *testing.T) {
	t.Parallel()
	before := policyZone(t, "a.example CNAME .", "b.example CNAME rpz-passthru.", "32.1.2.0.192.rpz-ip CNAME .", "d.example CNAME rpz-tcp-only.")
	now := policyZone(t, "a.example CNAME *.", "b.example CNAME .", "*.b.example CNAME .", "* CNAME .", "c.example CNAME rpz-passthru.", "d.example A 192.0.2.1",
		"32.1.2.0.192.rpz-ip CNAME .", "24.0.2.0.192.rpz-ip CNAME .", "48.zz.7.db8.2001.rpz-nsip A 192.0.2.1", "0.0.0.0.0.rpz-ip CNAME .", "1.zz.rpz-ip CNAME .", "ns.example.rpz-nsdname CNAME .", "24.0.113.0.203.rpz-client-ip CNAME .")
	var entries []string
	added := now.Review(before, func(e blocklist.Entry) { entries = append(entries, e.Target()) })
	assert.Equal(t, 9, added)
	assert.ElementsMatch(t, []string{"=b.example", "b.example", "", "=d.example", "192.0.2.0/24", "2001:db8:7::/48", "0.0.0.0/0", "::/1", "=ns.example"}, entries)
	added = now.Review(now, func(e blocklist.Entry) { t.Error(e) })
	assert.Zero(t, added)
}
