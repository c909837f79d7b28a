package dnsfilter_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/upstream"
	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/peers"
)

// startNamed runs BIND as a validating resolver that forwards all queries to the server at the address. The last
// argument is its setting minimal-responses: "no" adds name servers and their addresses to every answer.
func (s *signed) startNamed(t *testing.T, server netip.AddrPort, minimal string) netip.AddrPort {
	t.Helper()
	at := netip.MustParseAddrPort(freeport.Addr(t))
	dir := t.TempDir()
	conf := fmt.Sprintf("options { directory %q; listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; session-keyfile none; lock-file none;\n"+
		" forward only; forwarders port %d { 127.0.0.1; }; dnssec-validation yes; minimal-responses %s; empty-zones-enable no; };\ncontrols { };\n%s",
		dir, at.Port(), server.Port(), minimal, s.anchors())
	s.start(t, at.String(), "named", "-g", "-c", dnstest.WriteFile(t, dir, "named.conf", conf))
	return at
}

// TestBINDInFront uses a validating BIND without minimal responses as the upstream. Clients get the same answers, byte
// for byte, as from a BIND with minimal responses, uncached and cached.
func TestBINDInFront(t *testing.T) {
	t.Parallel()
	peers.Need(t, "named", "nsd", "dnssec-keygen", "dnssec-signzone")
	s := signZones(t)
	nsd := s.startNSD(t)
	minimal, bind := s.startNamed(t, nsd, "yes"), s.startNamed(t, nsd, "no")
	up, err := upstream.New(upstream.Endpoint{Addr: bind})
	require.NoError(t, err)
	var policy dnsfilter.Policy
	policy.Rules = []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain}}
	addr, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, map[string]string{"l": "listed.signed.example"}), Policy: policy, Upstream: up, SpecialUse: specialUse(t)}))
	for _, name := range []string{
		"www", "none", "alias", "x.y.wild", "svc", "www.child", "child", "www.plain", "plain", "www.old", "a.b.old", "old", "ns",
	} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeTXT, dns.TypeDS, dns.TypeDNSKEY, dns.TypeDNAME, dns.TypeNS, dns.TypeSOA, 65280} {
			for _, do := range []bool{false, true} {
				q := dnstest.Question(name+".signed.example.", qtype).SetEdns0(1232, do)
				want := dnstest.Exchange(t, "tcp", minimal.String(), q)
				dnstest.Exchange(t, "tcp", bind.String(), q) // its cache keeps the case of the first question, which would be that of 0x20
				for _, network := range []string{"tcp", "udp", "tcp"} {
					got := dnstest.Exchange(t, network, addr, q)
					if got.Truncated && network == "udp" {
						continue
					}
					label := fmt.Sprint(name, dns.TypeToString[qtype], do, network)
					assert.Equal(t, want.Rcode, got.Rcode, label)
					assert.Equal(t, want.AuthenticatedData, got.AuthenticatedData, label)
					assert.Equal(t, recordTexts(want), recordTexts(got), label)
				}
			}
		}
	}
	for name, rcode := range map[string]int{"a.listed": dns.RcodeNameError, "hidden": dns.RcodeNameError, "a.gone": dns.RcodeNameError} {
		reply := dnstest.Exchange(t, "udp", addr, dnstest.Question(name+".signed.example.", dns.TypeA).SetEdns0(1232, false))
		assert.Equal(t, rcode, reply.Rcode, name)
		assert.Equal(t, []uint16{15}, dnstest.EDEs(reply), name)
	}
}

// recordTexts are the records of a message but the OPT record, each without its TTL.
func recordTexts(m *dns.Msg) (out []string) {
	for _, rr := range slices.Concat(m.Answer, m.Ns, m.Extra) {
		if rr.Header().Rrtype != dns.TypeOPT {
			text := strings.Fields(rr.String())
			out = append(out, strings.Join(slices.Delete(text, 1, 2), " "))
		}
	}
	slices.Sort(out)
	return out
}
