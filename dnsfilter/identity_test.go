package dnsfilter_test

import (
	"encoding/hex"
	"os/exec"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// nsid returns the NSID of a message, and whether it has one.
func nsid(m *dns.Msg) (id string, ok bool) {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if n, is := o.(*dns.EDNS0_NSID); is {
				text, _ := hex.DecodeString(n.Nsid)
				return string(text), true
			}
		}
	}
	return "", false
}

func TestNSID(t *testing.T) {
	t.Parallel()
	c := dnsfilter.Config{
		ServerID: dnsfilter.ServerID{NSID: "ns1"}, Store: dnstest.NewStore(t, map[string]string{"l": "listed.test"}),
		Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain}}},
	}
	named, _ := dnstest.Serve(t, dnstest.NewServer(t, c))
	silent, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{}))
	for _, network := range []string{"udp", "tcp"} {
		for _, name := range []string{"www.example.org.", "www.example.org.", "listed.test.", "none.example.org."} {
			m := dnstest.Question(name, dns.TypeA).SetEdns0(1232, false)
			_, ok := nsid(dnstest.Exchange(t, network, named, m))
			assert.False(t, ok, "no one asked for it")
			m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
			id, _ := nsid(dnstest.Exchange(t, network, named, m))
			assert.Equal(t, "ns1", id, "%s over %s", name, network)
			m.Question[0].Qtype = dns.TypeAXFR // on the slow path
			id, _ = nsid(dnstest.Exchange(t, "udp", named, m))
			assert.Equal(t, "ns1", id, "%s over %s", name, network)
			_, ok = nsid(dnstest.Exchange(t, network, silent, m))
			assert.False(t, ok)
		}
	}
	m := dnstest.Question("www.example.org.", dns.TypeA).SetEdns0(1232, false)
	m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
	id, _ := nsid(ask(t, dnstest.NewServer(t, c), "udp", m))
	assert.Equal(t, "ns1", id, "as a handler")
}

func TestNamesOfTheClassCH(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id   dnsfilter.ServerID
		want map[string]string
	}{
		{dnsfilter.ServerID{NSID: "ns1"}, map[string]string{"id.server.": "ns1", "HOSTNAME.bind.": "ns1", "version.bind.": ""}},
		{dnsfilter.ServerID{Version: "dnsfilter 1"}, map[string]string{"id.server.": "", "version.server.": "dnsfilter 1", "Version.Bind.": "dnsfilter 1"}},
		{dnsfilter.ServerID{}, map[string]string{"id.server.": "", "version.bind.": "", "authors.bind.": ""}},
	} {
		addr, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{ServerID: c.id}))
		for name, want := range c.want {
			m := dnstest.Question(name, dns.TypeTXT)
			m.Question[0].Qclass = dns.ClassCHAOS
			reply := dnstest.Exchange(t, "udp", addr, m)
			if want == "" {
				assert.Equal(t, dns.RcodeRefused, reply.Rcode, name)
				continue
			}
			require.Len(t, reply.Answer, 1, name)
			assert.Equal(t, []string{want}, reply.Answer[0].(*dns.TXT).Txt)
			assert.Equal(t, dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassCHAOS, Rdlength: uint16(len(want) + 1)}, *reply.Answer[0].Header())
			m.Question[0].Qtype = dns.TypeA
			assert.Equal(t, dns.RcodeRefused, dnstest.Exchange(t, "udp", addr, m).Rcode)
			assert.Equal(t, dns.RcodeNameError, ask(t, dnstest.NewServer(t, dnsfilter.Config{ServerID: c.id}), "udp", dnstest.Question(name, dns.TypeTXT)).Rcode, "of the class IN, it is a name as any other")
		}
	}
	for _, text := range []string{"ns\n1", "nsé", strings.Repeat("x", 65)} {
		_, err := dnsfilter.New(dnsfilter.Config{Upstream: dnstest.NewZone(t, ""), ServerID: dnsfilter.ServerID{NSID: text}})
		assert.ErrorIs(t, err, blocklist.ErrMalformed)
	}
}

func TestDigReadsTheServerID(t *testing.T) {
	t.Parallel()
	dig, err := exec.LookPath("dig")
	if err != nil {
		t.Skip("dig is not installed (bind9-dnsutils)")
	}
	addr, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{ServerID: dnsfilter.ServerID{NSID: "ns1", Version: "dnsfilter"}}))
	host, port, _ := strings.Cut(addr, ":")
	for _, c := range [][]string{
		{`NSID: 6e 73 31 ("ns1")`, "+nsid", "www.example.org"},
		{"\"ns1\"", "+short", "CH", "TXT", "id.server"},
		{"\"dnsfilter\"", "+short", "CH", "TXT", "version.bind"},
	} {
		out, err := exec.CommandContext(t.Context(), dig, append([]string{"@" + host, "-p", port}, c[1:]...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Contains(t, string(out), c[0])
	}
}
