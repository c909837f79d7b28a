package dnsfilter_test

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

func TestDivert(t *testing.T) {
	t.Parallel()
	store := dnstest.NewStore(t, map[string]string{
		"urls": "https://site.example/a\nhttps://*.wide.example/b\nhttps://blocked.example/a\nblocked.example\nhttps://allowed.example/a\nhttps://old.example/a expires=2020-01-01\n" +
			"https://soft.example/a status=monitor\nhttps://other.example/a",
		"more": "https://site.example/x\nhttps://second.example/x\nother.example", "still": "https://still.example/a", "allow": "allowed.example",
	})
	proxy := []netip.Addr{netip.MustParseAddr("192.0.2.90"), netip.MustParseAddr("2001:db8::90")}
	rules := []dnsfilter.Rule{
		{List: "urls", Action: dnsfilter.NXDomain, Divert: proxy, Reason: dnsfilter.Censored},
		{List: "more", Action: dnsfilter.Refused, Divert: []netip.Addr{netip.MustParseAddr("192.0.2.91")}, Reason: dnsfilter.NoReason},
		{List: "still", Action: dnsfilter.NXDomain},
	}
	up := &counting{next: dnstest.NewZone(t, "$TTL 300\n*. A 192.0.2.3\n*. AAAA 2001:db8::3\n*. TXT \"x\"\n*. HTTPS 1 . ipv4hint=192.0.2.3\nalias.example. CNAME site.example.\n. SOA ns. h. 1 2 3 4 5\n")}
	s := dnstest.NewServer(t, dnsfilter.Config{Store: store, Policy: dnsfilter.Policy{Allow: []string{"allow"}, Rules: rules}, Upstream: up})
	for _, c := range []struct {
		name    string
		qtype   uint16
		rcode   int
		answer  string // what the first record ends with; empty: none
		errors  []uint16
		forward bool
	}{
		{"Site.example.", dns.TypeA, dns.RcodeSuccess, "192.0.2.90", []uint16{4}, false},
		{"site.example.", dns.TypeAAAA, dns.RcodeSuccess, "2001:db8::90", []uint16{4}, false},
		{"site.example.", dns.TypeHTTPS, dns.RcodeSuccess, "", []uint16{4}, false},
		{"site.example.", dns.TypeSVCB, dns.RcodeSuccess, "", []uint16{4}, false},
		{"site.example.", dns.TypeANY, dns.RcodeSuccess, "", []uint16{4}, false},
		{"site.example.", dns.TypeTXT, dns.RcodeSuccess, `"x"`, nil, true},
		{"www.site.example.", dns.TypeA, dns.RcodeSuccess, "192.0.2.3", nil, true},
		{"wide.example.", dns.TypeA, dns.RcodeSuccess, "192.0.2.90", []uint16{4}, false},
		{"a.b.wide.example.", dns.TypeA, dns.RcodeSuccess, "192.0.2.90", []uint16{4}, false},
		{"second.example.", dns.TypeA, dns.RcodeSuccess, "192.0.2.91", nil, false},
		{"second.example.", dns.TypeAAAA, dns.RcodeSuccess, "", nil, false}, // the proxy has no such address: nothing is to lead around it
		{"still.example.", dns.TypeA, dns.RcodeSuccess, "192.0.2.3", nil, true},
		{"old.example.", dns.TypeA, dns.RcodeSuccess, "192.0.2.3", nil, true},
		{"soft.example.", dns.TypeA, dns.RcodeSuccess, "192.0.2.3", nil, true},
		{"allowed.example.", dns.TypeA, dns.RcodeSuccess, "192.0.2.3", nil, true},
		{"blocked.example.", dns.TypeA, dns.RcodeNameError, "", []uint16{16}, false},
		{"other.example.", dns.TypeA, dns.RcodeRefused, "", nil, false}, // what blocks goes before, whichever list it is on
		{"alias.example.", dns.TypeA, dns.RcodeSuccess, "site.example.", nil, true},
	} {
		before := up.n.Load()
		reply := ask(t, s, "udp", dnstest.Question(c.name, c.qtype).SetEdns0(1232, false))
		assert.Equal(t, c.rcode, reply.Rcode, c)
		assert.Equal(t, c.errors, dnstest.EDEs(reply), c)
		assert.Equal(t, c.forward, up.n.Load() > before, c)
		if c.answer == "" {
			assert.Empty(t, reply.Answer, c)
			continue
		}
		require.NotEmpty(t, reply.Answer, c)
		assert.Regexp(t, c.answer+"$", reply.Answer[0].String(), c)
	}
	assert.EqualValues(t, 7, s.Stats().Lists["urls"][dnsfilter.Divert])
	blocktest.SetList(t, store, "urls", "nothing.example")
	assert.Contains(t, ask(t, s, "udp", dnstest.Question("wide.example.", dns.TypeA)).Answer[0].String(), "192.0.2.3")

	rr := recorder{network: "udp"}
	newFilter(t, store, dnsfilter.Policy{Rules: rules}).Handler(s).ServeDNS(&filterWriter{recorder: &rr}, dnstest.Question("second.example.", dns.TypeA))
	reply := new(dns.Msg)
	require.NoError(t, reply.Unpack(rr.got))
	assert.Contains(t, reply.Answer[0].String(), "192.0.2.91")
}

// filterWriter packs messages.
type filterWriter struct{ *recorder }

func (w *filterWriter) WriteMsg(m *dns.Msg) error {
	packed, err := m.Pack()
	w.got = packed
	return err
}
