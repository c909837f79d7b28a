package dnsfilter

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// TestScrub: what does not answer the question is neither passed on nor kept, and the rest is complete. A reply that is
// cut at its end is not unpacked.
func TestScrub(t *testing.T) {
	t.Parallel()
	const (
		sig = " RRSIG %s 13 2 300 20300101000000 20260101000000 1 test. AAAA"
		soa = "test. SOA ns.test. h.test. 1 2 3 4 5"
		ns  = "test. NS ns.test."
	)
	signed := func(owner, rrtype string) string { return owner + strings.Replace(sig, "%s", rrtype, 1) }
	for _, c := range []struct {
		label                     string
		qtype                     uint16
		answer, authority, extra  []string
		wantAnswer, wantAuthority []string // nil: the same
		packed                    bool     // it had to be unpacked
	}{
		{label: "an address", qtype: dns.TypeA, answer: []string{"a.test. A 192.0.2.1", "a.test. A 192.0.2.2"}, authority: []string{ns}, extra: []string{"ns.test. A 192.0.2.53"}, wantAuthority: []string{}},
		{label: "a mail host", qtype: dns.TypeMX, answer: []string{"a.test. MX 1 m.test."}, extra: []string{"m.test. A 192.0.2.66"}},
		{label: "a service", qtype: dns.TypeSRV, answer: []string{"a.test. SRV 1 2 3 m.test."}, extra: []string{"m.test. A 192.0.2.66", "m.test. AAAA 2001:db8::1"}},
		{label: "servers", qtype: dns.TypeNS, answer: []string{"a.test. NS ns.test."}, extra: []string{"ns.test. A 192.0.2.53"}},
		{label: "a chain", qtype: dns.TypeA, answer: []string{"a.test. CNAME b.test.", "b.test. CNAME c.a.test.", "c.a.test. A 192.0.2.1"}},
		{label: "a signed chain", qtype: dns.TypeA, answer: []string{"a.test. CNAME b.test.", signed("a.test.", "CNAME"), "b.test. A 192.0.2.1", signed("b.test.", "A")}, authority: []string{ns, signed("test.", "NS")}, wantAuthority: []string{}},
		{
			label: "signatures behind", qtype: dns.TypeA, answer: []string{"a.test. CNAME b.test.", "b.test. A 192.0.2.1", signed("a.test.", "CNAME"), signed("b.test.", "A")}, packed: true,
			wantAnswer: []string{"a.test. CNAME b.test.", signed("a.test.", "CNAME"), "b.test. A 192.0.2.1", signed("b.test.", "A")},
		},
		{label: "a chain out of order", qtype: dns.TypeA, answer: []string{"b.test. A 192.0.2.1", "a.test. CNAME b.test."}, packed: true, wantAnswer: []string{"a.test. CNAME b.test.", "b.test. A 192.0.2.1"}},
		{label: "a DNAME", qtype: dns.TypeA, answer: []string{"test. DNAME to.", signed("test.", "DNAME"), "a.test. CNAME a.to.", "a.to. A 192.0.2.1"}},
		{label: "a DNAME alone", qtype: dns.TypeA, answer: []string{"test. DNAME to."}, packed: true, wantAnswer: []string{"test. DNAME to.", "a.test. CNAME a.to."}},
		{label: "a DNAME that leads to itself", qtype: dns.TypeA, answer: []string{"test. DNAME x.test."}, packed: true, wantAnswer: []string{"test. DNAME x.test.", "a.test. CNAME a.x.test."}},
		{label: "other names", qtype: dns.TypeA, answer: []string{"a.test. A 192.0.2.1", "bank.test. A 192.0.2.66"}, packed: true, wantAnswer: []string{"a.test. A 192.0.2.1"}},
		{label: "nothing but other names", qtype: dns.TypeA, answer: []string{"bank.test. A 192.0.2.66"}, packed: true, wantAnswer: []string{}},
		{label: "another class", qtype: dns.TypeANY, answer: []string{"a.test. CH TXT x", "a.test. A 192.0.2.1"}, packed: true, wantAnswer: []string{"a.test. A 192.0.2.1"}},
		{label: "other types", qtype: dns.TypeA, answer: []string{"a.test. A 192.0.2.1", "a.test. TXT x"}, packed: true, wantAnswer: []string{"a.test. A 192.0.2.1"}},
		{label: "all types", qtype: dns.TypeANY, answer: []string{"a.test. A 192.0.2.1", signed("a.test.", "A"), "a.test. TXT x"}},
		{label: "two aliases", qtype: dns.TypeA, answer: []string{"a.test. CNAME b.test.", "a.test. CNAME c.test."}, packed: true, wantAnswer: []string{"a.test. CNAME b.test."}},
		{label: "a circle", qtype: dns.TypeA, answer: []string{"b.test. CNAME a.test.", "a.test. CNAME b.test."}, packed: true, wantAnswer: []string{"a.test. CNAME b.test.", "b.test. CNAME a.test."}},
		{label: "an alias asked for", qtype: dns.TypeCNAME, answer: []string{"a.test. CNAME b.test.", "b.test. A 192.0.2.66"}, packed: true, wantAnswer: []string{"a.test. CNAME b.test."}},
		{label: "a signature asked for", qtype: dns.TypeRRSIG, answer: []string{signed("a.test.", "A"), signed("a.test.", "MX")}},
		{label: "a denial", qtype: dns.TypeA, authority: []string{soa, signed("test.", "SOA"), "0.test. NSEC b.test. A", signed("0.test.", "NSEC")}},
		{label: "a denial behind a chain", qtype: dns.TypeA, answer: []string{"a.test. CNAME b.test."}, authority: []string{soa}},
		{label: "a denial that names another zone", qtype: dns.TypeA, authority: []string{"b.a.test. SOA ns.test. h.test. 1 2 3 4 5"}},
		{label: "a proof in front of which something is dropped", qtype: dns.TypeA, answer: []string{"a.test. A 192.0.2.1"}, authority: []string{ns, "*.test. NSEC b.test. A"}, packed: true, wantAuthority: []string{"*.test. NSEC b.test. A"}},
		{label: "a wildcard's proof", qtype: dns.TypeA, answer: []string{"a.test. A 192.0.2.1"}, authority: []string{"*.test. NSEC b.test. A", signed("*.test.", "NSEC"), ns}, wantAuthority: []string{"*.test. NSEC b.test. A", signed("*.test.", "NSEC")}},
		{label: "a referral", qtype: dns.TypeA, authority: []string{ns, "test. DS 1 13 2 AAAA"}, extra: []string{"ns.test. A 192.0.2.53"}},
		{label: "a referral to elsewhere", qtype: dns.TypeA, authority: []string{"other. NS ns.test."}, wantAuthority: []string{}},
	} {
		parse := func(lines []string) (out []dns.RR) {
			for _, line := range lines {
				rr, err := dns.NewRR(strings.Replace(line, " ", " 300 ", 1))
				require.NoError(t, err, line)
				out = append(out, rr)
			}
			return out
		}
		reply := &dns.Msg{Answer: parse(c.answer), Ns: parse(c.authority), Extra: parse(c.extra), Compress: true}
		reply.SetQuestion("a.test.", c.qtype)
		reply.Response = true
		reply.SetEdns0(1232, true)
		sent, err := reply.Pack()
		require.NoError(t, err)
		if c.wantAnswer == nil {
			c.wantAnswer = c.answer
		}
		if c.wantAuthority == nil {
			c.wantAuthority = c.authority
		}
		var q query
		require.True(t, q.parseMessage(new(dns.Msg).SetQuestion("a.test.", c.qtype), false))
		normalized, err := normalizeReply(append([]byte(nil), sent...), q.asked())
		require.NoError(t, err, c.label)
		packed, err := packReply(reply.Question, reply)
		require.NoError(t, err, c.label)
		for _, body := range [][]byte{normalized, packed} {
			var got dns.Msg
			require.NoError(t, got.Unpack(body), c.label)
			assert.Equal(t, lines(parse(c.wantAnswer)), lines(got.Answer), c.label)
			assert.Equal(t, lines(parse(c.wantAuthority)), lines(got.Ns), c.label)
			assert.Empty(t, got.Extra, c.label)
		}
		if !c.packed {
			assert.True(t, strings.HasPrefix(string(sent[dnswire.HeaderSize:]), string(normalized[dnswire.HeaderSize:])), c.label)
		}
	}
}

func lines(records []dns.RR) string {
	var out strings.Builder
	for _, rr := range records {
		out.WriteString(rr.String() + "\n")
	}
	return out.String()
}
