package dnsfilter_test

import (
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// sdeOption is what the clients of these tests ask for structured errors by.
const sdeOption = 65023

// noticeServer has a list whose entries have references, and whose addresses clients are led to.
func noticeServer(t *testing.T, n dnsfilter.Notice, reason dnsfilter.Reason) *dnsfilter.Server {
	t.Helper()
	store := dnstest.NewStore(t, map[string]string{"l": "listed.test ref=\"order 2026/17\"\nlong.test ref=\"" + strings.Repeat("ü", 300) + "\"\nplain.test"})
	return dnstest.NewServer(t, dnsfilter.Config{Store: store, Policy: dnsfilter.Policy{StructuredErrors: sdeOption, Rules: []dnsfilter.Rule{
		{List: "l", Action: dnsfilter.Sinkhole, Sinkhole: []netip.Addr{netip.MustParseAddr("192.0.2.80")}, Notice: n, Reason: reason},
	}}})
}

func texts(m *dns.Msg) (out []string) {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if e, ok := o.(*dns.EDNS0_EDE); ok {
				out = append(out, e.ExtraText)
			}
		}
	}
	return out
}

func TestNotice(t *testing.T) {
	t.Parallel()
	authority := dnsfilter.Notice{Authority: "Autorità per le prove", Contact: []string{"mailto:abuse@example.org"}}
	s := noticeServer(t, authority, dnsfilter.Censored)
	for name, want := range map[string]string{
		"listed.test.": "Autorità per le prove: order 2026/17", "plain.test.": "Autorità per le prove", "long.test.": "Autorità per le prove: " + strings.Repeat("ü", 50),
	} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeTXT} {
			reply := ask(t, s, "udp", dnstest.Question(name, qtype).SetEdns0(1232, false))
			require.NotEmpty(t, texts(reply), name)
			assert.Equal(t, want, texts(reply)[0], name)
			assert.True(t, utf8.ValidString(texts(reply)[0]))
			assert.Equal(t, uint16(16), dnstest.EDEs(reply)[0])
		}
		assert.Nil(t, ask(t, s, "udp", dnstest.Question(name, dns.TypeA)).IsEdns0(), "who speaks no EDNS is told nothing")
	}
	assert.Equal(t, []string{"Autorità per le prove: order 2026/17", ""}, texts(ask(t, s, "udp", dnstest.Question("listed.test.", dns.TypeA).SetEdns0(1232, false))), "beside Forged Answer there is none")
	for label, s := range map[string]*dnsfilter.Server{
		"no authority": noticeServer(t, dnsfilter.Notice{}, dnsfilter.Censored), "no reason": noticeServer(t, authority, dnsfilter.NoReason),
	} {
		assert.Empty(t, strings.Join(texts(ask(t, s, "udp", dnstest.Question("listed.test.", dns.TypeTXT).SetEdns0(1232, false))), ""), label)
	}
}

// A text never makes an answer too large: it is left out before anything else is.
func TestNoticeThatDoesNotFit(t *testing.T) {
	t.Parallel()
	s := noticeServer(t, dnsfilter.Notice{Authority: strings.Repeat("a", 100)}, dnsfilter.Censored)
	long := strings.Repeat("a.", 115) + "long.test."
	reply := ask(t, s, "udp", dnstest.Question(long, dns.TypeTXT).SetEdns0(512, false))
	assert.False(t, reply.Truncated)
	assert.Len(t, reply.Ns, 1)
	assert.Equal(t, []string{""}, texts(reply))
	assert.Equal(t, []uint16{16}, dnstest.EDEs(reply))
	assert.Len(t, texts(ask(t, s, "udp", dnstest.Question(long, dns.TypeTXT).SetEdns0(1232, false)))[0], 202)
}

func structuredQuestion(name string, size uint16) *dns.Msg {
	m := dnstest.Question(name, dns.TypeA).SetEdns0(size, false)
	opt := m.IsEdns0()
	opt.Option = append(opt.Option, &dns.EDNS0_LOCAL{Code: sdeOption})
	return m
}

func TestStructuredErrors(t *testing.T) {
	t.Parallel()
	n := dnsfilter.Notice{Authority: "Autorità \"X\"", Contact: []string{"mailto:abuse@example.org", "tel:+390000000"}, Language: "it"}
	s := noticeServer(t, n, dnsfilter.Censored)
	for range 2 {
		reply := ask(t, s, "udp", structuredQuestion("listed.test.", 1232))
		assert.Equal(t, dns.RcodeSuccess, reply.Rcode)
		assert.Empty(t, reply.Answer, "no forged answer for who can read why")
		assert.Len(t, reply.Ns, 1)
		assert.Equal(t, []uint16{16}, dnstest.EDEs(reply))
		assert.JSONEq(t, `{"c": ["mailto:abuse@example.org", "tel:+390000000"], "j": "order 2026/17", "o": "Autorità \"X\"", "l": "it"}`, texts(reply)[0])
		other := ask(t, s, "udp", dnstest.Question("listed.test.", dns.TypeA).SetEdns0(1232, false))
		assert.Len(t, other.Answer, 1, "other clients get the addresses")
	}
	small := ask(t, s, "udp", structuredQuestion(strings.Repeat("a.", 100)+"long.test.", 512))
	assert.JSONEq(t, `{"c": ["mailto:abuse@example.org", "tel:+390000000"]}`, texts(small)[0], "the free text goes first")
	assert.False(t, small.Truncated)
	passed := ask(t, s, "udp", structuredQuestion("www.example.org.", 1232))
	assert.Len(t, passed.Answer, 1)
	assert.Empty(t, texts(passed))

	n.Language, n.Contact = "", nil
	reply := ask(t, noticeServer(t, n, dnsfilter.Blocked), "tcp", structuredQuestion("plain.test.", 1232))
	assert.JSONEq(t, `{"o": "Autorità \"X\"", "l": "und"}`, texts(reply)[0])
}
