package dnsfilter_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

var everyType = []uint16{
	dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeSVCB, dns.TypeMX, dns.TypeNS, dns.TypeSOA, dns.TypeTXT, dns.TypeCNAME,
	dns.TypeDS, dns.TypeDNSKEY, dns.TypeRRSIG, dns.TypePTR, dns.TypeSRV, dns.TypeANY, 65280,
}

// blockingServer has one list for each action, and one name in each.
func blockingServer(t testing.TB) *dnsfilter.Server {
	sinkhole := []netip.Addr{netip.MustParseAddr("192.0.2.80"), netip.MustParseAddr("2001:db8::80")}
	lists, rules := map[string]string{}, []dnsfilter.Rule(nil)
	for _, a := range []dnsfilter.Action{
		dnsfilter.NXDomain, dnsfilter.NoData, dnsfilter.Refused, dnsfilter.Drop, dnsfilter.Sinkhole, dnsfilter.Monitor,
	} {
		r := dnsfilter.Rule{List: a.String(), Action: a, Reason: dnsfilter.Censored}
		if a == dnsfilter.Sinkhole {
			r.Sinkhole = sinkhole
		}
		lists[a.String()] = a.String() + ".test\n=host." + a.String() + ".example\n"
		rules = append(rules, r)
	}
	return dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, lists), Policy: dnsfilter.Policy{Rules: rules}})
}

func TestEveryActionForEveryTypeUnderEveryBit(t *testing.T) {
	t.Parallel()
	s := blockingServer(t)
	wantRcode := map[string]int{"nxdomain": dns.RcodeNameError, "refused": dns.RcodeRefused}
	for _, action := range []string{"nxdomain", "nodata", "refused", "drop", "sinkhole"} {
		for _, qtype := range everyType {
			for bits := range 16 {
				m := dnstest.Question("a.b."+action+".TEST.", qtype)
				m.CheckingDisabled, m.AuthenticatedData, m.RecursionDesired = bits&1 != 0, bits&2 != 0, bits&4 != 0
				if bits&8 != 0 {
					m.SetEdns0(4096, true)
				}
				label := fmt.Sprint(action, " ", dns.TypeToString[qtype], " ", bits)
				reply := ask(t, s, "udp", m)
				if action == "drop" {
					assert.Nil(t, reply, label)
					continue
				}
				require.NotNil(t, reply, label)
				assert.Equal(t, wantRcode[action], reply.Rcode, label)
				assert.Equal(t, "a.b."+action+".TEST.", reply.Question[0].Name, label)
				assert.Equal(t, []bool{m.CheckingDisabled, m.RecursionDesired, true, false, false},
					[]bool{reply.CheckingDisabled, reply.RecursionDesired, reply.RecursionAvailable, reply.AuthenticatedData, reply.Authoritative}, label)
				assert.Equal(t, bits&8 != 0, reply.IsEdns0() != nil, label)
				checkRecords(t, action, qtype, reply, label)
			}
		}
	}
}

// checkRecords checks the sections of a blocked answer, and its extended errors.
func checkRecords(t *testing.T, action string, qtype uint16, reply *dns.Msg, label string) {
	t.Helper()
	forged := action == "sinkhole" && (qtype == dns.TypeA || qtype == dns.TypeAAAA)
	switch {
	case forged:
		require.Len(t, reply.Answer, 1, label)
		assert.Empty(t, reply.Ns, label)
		assert.Equal(t, qtype, reply.Answer[0].Header().Rrtype, label)
		assert.Equal(t, "a.b.sinkhole.TEST.", reply.Answer[0].Header().Name, label)
		assert.EqualValues(t, 30, reply.Answer[0].Header().Ttl, label)
	case action == "refused":
		assert.Empty(t, append(reply.Answer, reply.Ns...), label)
	default:
		assert.Empty(t, reply.Answer, label)
		require.Len(t, reply.Ns, 1, label)
		soa, ok := reply.Ns[0].(*dns.SOA)
		require.True(t, ok, label)
		assert.Equal(t, []uint32{30, 30}, []uint32{soa.Hdr.Ttl, soa.Minttl}, label)
	}
	switch {
	case reply.IsEdns0() == nil:
	case forged:
		assert.Equal(t, []uint16{dns.ExtendedErrorCodeCensored, dns.ExtendedErrorCodeForgedAnswer}, dnstest.EDEs(reply), label)
	default:
		assert.Equal(t, []uint16{dns.ExtendedErrorCodeCensored}, dnstest.EDEs(reply), label)
	}
}

func TestMonitorAnswersAsIfThereWereNoList(t *testing.T) {
	t.Parallel()
	s := blockingServer(t)
	reply := ask(t, s, "udp", dnstest.Question("monitor.test.", dns.TypeA).SetEdns0(1232, false))
	require.Len(t, reply.Answer, 1)
	assert.Equal(t, "monitor.test.\t300\tIN\tA\t192.0.2.3", reply.Answer[0].String())
	assert.Empty(t, dnstest.EDEs(reply))
	assert.Equal(t, map[string]map[dnsfilter.Action]uint64{"monitor": {dnsfilter.Monitor: 1}}, s.Stats().Lists)
}

func TestHostEntriesDoNotHideWhatIsBelow(t *testing.T) {
	t.Parallel()
	s := blockingServer(t)
	reply := ask(t, s, "udp", dnstest.Question("host.nxdomain.example.", dns.TypeA))
	assert.Equal(t, dns.RcodeSuccess, reply.Rcode)
	assert.Empty(t, reply.Answer)
	assert.Len(t, reply.Ns, 1)
	reply = ask(t, s, "udp", dnstest.Question("below.host.nxdomain.example.", dns.TypeA))
	assert.Equal(t, dns.RcodeNameError, reply.Rcode, "the upstream's own answer")
	assert.Empty(t, reply.Ns, "the upstream has no SOA there")
}

// TestNothingDeniedOwnsARecord: the owner of the SOA record in a denial is above the denied name (RFC 2308, section
// 2.1). For a domain entry, it is the parent of the entry.
func TestNothingDeniedOwnsARecord(t *testing.T) {
	t.Parallel()
	s := dnstest.NewServer(t, dnsfilter.Config{
		Store: dnstest.NewStore(t, map[string]string{"l": "listed.example\n=host.test\nzip\nhttps://urls.example/a"}),
		Policy: dnsfilter.Policy{
			Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain, Divert: []netip.Addr{netip.MustParseAddr("192.0.2.90")}}},
		},
		SpecialUse: []blocklist.Name{"\x04test\x00", "\x04home\x04arpa\x00"},
		Upstream:   scripted{answer: []string{"www.example.org. CNAME a.b.listed.example.", "web.example.org. HTTPS 1 a.listed.example."}},
	})
	for _, c := range []struct {
		name  string
		qtype uint16
		rcode int
		owner string
	}{
		{"listed.example.", dns.TypeA, dns.RcodeNameError, "example."},
		{"Listed.Example.", dns.TypeTXT, dns.RcodeNameError, "Example."},
		{"a.b.listed.example.", dns.TypeAAAA, dns.RcodeNameError, "example."},
		{"zip.", dns.TypeA, dns.RcodeNameError, "."},
		{"a.b.zip.", dns.TypeA, dns.RcodeNameError, "."},
		{"host.test.", dns.TypeA, dns.RcodeSuccess, "test."},
		{"urls.example.", dns.TypeAAAA, dns.RcodeSuccess, "example."},
		{"www.example.org.", dns.TypeA, dns.RcodeNameError, "example."},
		{"web.example.org.", dns.TypeHTTPS, dns.RcodeSuccess, "example.org."},
		{"test.", dns.TypeA, dns.RcodeNameError, "."},
		{"a.test.", dns.TypeA, dns.RcodeNameError, "."},
		{"a.home.arpa.", dns.TypeA, dns.RcodeNameError, "home.arpa."},
		{"home.arpa.", dns.TypeA, dns.RcodeSuccess, "home.arpa."},
	} {
		for _, network := range []string{"udp", "tcp"} {
			reply := ask(t, s, network, dnstest.Question(c.name, c.qtype))
			assert.Equal(t, c.rcode, reply.Rcode, c)
			require.Len(t, reply.Ns, 1, c)
			assert.Equal(t, c.owner, reply.Ns[0].Header().Name, c)
			assert.Equal(t, dns.TypeSOA, reply.Ns[0].Header().Rrtype, c)
		}
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	for reason, want := range map[dnsfilter.Reason][]uint16{
		dnsfilter.Blocked: {15}, dnsfilter.Censored: {16}, dnsfilter.Filtered: {17}, dnsfilter.NoReason: nil,
	} {
		store := dnstest.NewStore(t, map[string]string{"l": "example.com"})
		for _, action := range []dnsfilter.Action{dnsfilter.NXDomain, dnsfilter.Sinkhole} {
			s := dnstest.NewServer(t, dnsfilter.Config{Store: store, Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{{
				List: "l", Action: action, Reason: reason, Sinkhole: []netip.Addr{netip.MustParseAddr("192.0.2.80")},
			}}}})
			want := want
			if action == dnsfilter.Sinkhole && want != nil {
				want = append(want, 4)
			}
			assert.Equal(t, want, dnstest.EDEs(ask(t, s, "udp", dnstest.Question("example.com.", dns.TypeA).SetEdns0(1232, false))), reason)
			assert.Nil(t, ask(t, s, "udp", dnstest.Question("example.com.", dns.TypeA)).IsEdns0(), "no OPT where the query had none")
		}
	}
}

func TestSinkholeWithoutAnAddressOfTheFamily(t *testing.T) {
	t.Parallel()
	s := dnstest.NewServer(t, dnsfilter.Config{
		Store: dnstest.NewStore(t, map[string]string{"l": "example.com"}),
		Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{{
			List: "l", Action: dnsfilter.Sinkhole, Sinkhole: []netip.Addr{netip.MustParseAddr("192.0.2.80"), netip.MustParseAddr("192.0.2.81")},
		}}},
	})
	assert.Len(t, ask(t, s, "udp", dnstest.Question("example.com.", dns.TypeA)).Answer, 2)
	reply := ask(t, s, "udp", dnstest.Question("example.com.", dns.TypeAAAA).SetEdns0(1232, false))
	assert.Equal(t, dns.RcodeSuccess, reply.Rcode)
	assert.Empty(t, reply.Answer)
	assert.Len(t, reply.Ns, 1)
	assert.Equal(t, []uint16{15}, dnstest.EDEs(reply))
}

func TestOddNames(t *testing.T) {
	t.Parallel()
	long := "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
	longest := long + long + long + "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.example.com."
	s := dnstest.NewServer(t, dnsfilter.Config{
		Store:  dnstest.NewStore(t, map[string]string{"l": "example.com\n" + `a\.b\000\"x.example.net` + "\n=_dmarc.example.net\n"}),
		Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.NoData}}},
	})
	for _, name := range []string{longest, `\000\255.eXaMple.com.`, `A\.b\000\"X.example.net.`, "_dMARC.example.net.", `a\ b\@.example.com.`} {
		reply := ask(t, s, "udp", dnstest.Question(name, dns.TypeTXT).SetEdns0(1232, false))
		assert.Equal(t, []uint16{15}, dnstest.EDEs(reply), name)
		assert.Equal(t, dnstest.Question(name, dns.TypeTXT).Question[0].Name, reply.Question[0].Name)
	}
	for _, name := range []string{".", "com.", "xexample.com.", `a\.b.example.net.`, "example.com.example."} {
		assert.Empty(t, dnstest.EDEs(ask(t, s, "udp", dnstest.Question(name, dns.TypeTXT).SetEdns0(1232, false))), name)
	}
}
