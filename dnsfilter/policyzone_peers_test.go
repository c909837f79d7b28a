package dnsfilter_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/longtest"
	"github.com/argine-dns/argine/testdata/peers"
)

// randomZone returns a policy zone of random rules about the names and addresses of delegated, and about more owners:
// those of name servers, which BIND does not find behind a forwarder.
func randomZone(r *rand.Rand, more ...string) string {
	names := []string{"www.a.example", "a.example", "*.a.example", "deep.x.y.a.example", "*.y.a.example", "www.b.example", "*.b.example", "b.example", "*.example", "*", "c.b.example", "to-a.b.example", "to-b.a.example", "none.b.example"}
	prefixes := []string{"32.1.2.0.192", "31.2.2.0.192", "24.0.2.0.192", "30.0.2.0.192", "128.2.zz.db8.2001", "32.zz.db8.2001", "32.4.2.0.192"}
	owners := append(names, more...)
	for _, p := range prefixes {
		owners = append(owners, p+".rpz-ip")
	}
	actions := []string{"CNAME .", "CNAME *.", "CNAME rpz-passthru.", "CNAME rpz-tcp-only.", "A 203.0.113.77", "AAAA 2001:db8::77", "CNAME garden.test.", "CNAME *.wide.test.", "TXT \"no\""}
	rules := map[string]string{}
	for range 3 + r.IntN(12) {
		rules[owners[r.IntN(len(owners))]] = actions[r.IntN(len(actions))]
	}
	text := "@ 60 SOA localhost. nobody.invalid. 7 3600 600 86400 60\n@ 60 NS localhost.\n"
	for _, owner := range slices.Sorted(maps.Keys(rules)) {
		text += owner + " 60 " + rules[owner] + "\n"
	}
	return text
}

// outcome is what an answer means for a client: the rcode, TC, and the data at the end of its chain.
func outcome(m *dns.Msg) string {
	if m.Truncated {
		return "TC"
	}
	out := []string{dns.RcodeToString[m.Rcode]}
	for _, rr := range m.Answer {
		if rr.Header().Rrtype != dns.TypeCNAME {
			out = append(out, strings.TrimPrefix(rr.String(), rr.Header().String()))
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// serveUpstream answers from an upstream on loopback, over UDP and TCP.
func serveUpstream(t *testing.T, u dnsfilter.Upstream) (port string) {
	t.Helper()
	addr := freeport.Addr(t)
	pc, err := net.ListenPacket("udp", addr)
	require.NoError(t, err)
	tcp, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m, err := u.Exchange(context.Background(), q)
		if err != nil {
			m = new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
		}
		m.RecursionAvailable = true
		_ = w.WriteMsg(m)
	})
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: handler}, {Listener: tcp, Handler: handler}} {
		go func() { _ = s.ActivateAndServe() }()
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	_, port, err = net.SplitHostPort(addr)
	require.NoError(t, err)
	return port
}

// bindSettings writes the settings of BIND with policy zones z0.feed.test and so on, and returns their path.
func bindSettings(t *testing.T, dir, port, forward string, zones int) string {
	t.Helper()
	var policies, all string
	for i := range zones {
		policies += fmt.Sprintf("zone \"z%d.feed.test\"; ", i)
		all += fmt.Sprintf("zone \"z%d.feed.test\" { type primary; file \"z%d.db\"; };\n", i, i)
	}
	return dnstest.WriteFile(t, dir, "named.conf", fmt.Sprintf("controls { };\noptions { directory %q; listen-on port %s { 127.0.0.1; }; listen-on-v6 { none; }; "+
		"pid-file none; session-keyfile none; lock-file none; recursion yes; forward only; forwarders port %s { 127.0.0.1; }; "+
		"dnssec-validation no; empty-zones-enable no; response-policy { %s} break-dnssec yes; };\n%s", dir, port, forward, policies, all))
}

// TestPolicyZonesAsBIND asks this server and BIND the same questions, with the same random zones.
func TestPolicyZonesAsBIND(t *testing.T) {
	t.Parallel()
	peers.Need(t, "named")
	for round := range longtest.Rounds(1, 10) {
		seed := uint64(round)
		compareBIND(t, rand.New(rand.NewPCG(seed, 1)), seed)
	}
}

func compareBIND(t *testing.T, r *rand.Rand, seed uint64) {
	dir := t.TempDir()
	up := recursor{dnstest.NewZone(t, delegated+"*.wide.test. A 192.0.2.81\nwide.test. SOA n. h. 1 2 3 4 5\n")}
	policy, texts := randomZones(t, r, dir)
	ours, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: policy, Upstream: up}))
	theirs := freeport.Addr(t)
	_, port, err := net.SplitHostPort(theirs)
	require.NoError(t, err)
	peers.Start(t, dir, "named", "-g", "-c", bindSettings(t, dir, port, serveUpstream(t, up), len(texts)))
	compareAnswers(t, theirs, ours, fmt.Sprintf("seed %d", seed), texts)
}

// randomZones writes two random zones to files of a folder, and reads them.
func randomZones(t *testing.T, r *rand.Rand, dir string, more ...string) (policy dnsfilter.Policy, texts []string) {
	t.Helper()
	for i := range 2 {
		text := randomZone(r, more...) + fmt.Sprintf("ready%d.test 60 A 203.0.113.99\n", i)
		texts = append(texts, text)
		dnstest.WriteFile(t, dir, fmt.Sprintf("z%d.db", i), text)
		name, err := blocklist.ParseName(fmt.Sprintf("z%d.feed.test", i))
		require.NoError(t, err)
		z := dnsfilter.NewPolicyZone(name)
		report, err := z.Read(strings.NewReader(text))
		require.NoError(t, err)
		require.Empty(t, report.Skipped, text)
		policy.Rules = append(policy.Rules, dnsfilter.Rule{List: name.String(), Zone: z})
	}
	return policy, texts
}

// compareAnswers asks another server and this one the same questions.
func compareAnswers(t *testing.T, theirs, ours, what string, texts []string) {
	t.Helper()
	for i := range texts {
		peers.Await(t, theirs, fmt.Sprintf("ready%d.test", i), "NOERROR 203.0.113.99")
	}
	for _, name := range []string{"www.a", "a", "x.a", "deep.x.y.a", "y.a", "z.y.a", "www.b", "b", "none.b", "c.b", "www.c.b", "to-a.b", "to-b.a", "other"} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeTXT} {
			q := dnstest.Question(name+".example.", qtype)
			want, got := outcome(dnstest.Exchange(t, "udp", theirs, q)), outcome(dnstest.Exchange(t, "udp", ours, q))
			assert.Equal(t, want, got, "%s %s, %s, zones:\n%s", name, dns.TypeToString[qtype], what, strings.Join(texts, "\n"))
		}
	}
}
