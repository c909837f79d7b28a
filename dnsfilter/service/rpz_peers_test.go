package service_test

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/rpz"
	"github.com/argine-dns/argine/testdata/longtest"
	"github.com/argine-dns/argine/testdata/peers"
)

const transferKey = "key \"transfer.example\" {\n\talgorithm hmac-sha256;\n\tsecret \"c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=\";\n};\n"

// peer is a resolver that follows a policy zone, by the example of it.
type peer struct {
	program, zone string
	key           string // of the zone: a file, or none
	notify, tls   bool
	ours          bool                                            // our command, built from the tree
	early         bool                                            // it answers before it has loaded the zone
	start         func(t *testing.T, p peerPlace) (args []string) // writes its settings, and returns its arguments
}

// need skips the test without the program.
func (p *peer) need(t *testing.T) {
	t.Helper()
	if p.ours {
		peers.Need(t)
		return
	}
	peers.Need(t, p.program)
	if p.program == "kresd" { // without this library it does not see that the zone file has changed
		if _, err := os.Stat("/usr/share/lua/5.1/cqueues"); err != nil {
			t.Skipf("lua-cqueues is not here: %v", err)
		}
	}
}

// peerPlace says where the peer answers (port), whom it asks (forward), and where it copies the zone from.
type peerPlace struct{ dir, port, forward, primary, file, cert string }

// startBIND writes the settings of BIND as a secondary over TCP, or over TLS (RFC 9103) if the place has a certificate.
func startBIND(t *testing.T, p peerPlace) []string {
	t.Helper()
	policy, err := filepath.Abs("../../examples/rpz/named.options")
	require.NoError(t, err)
	options := fmt.Sprintf("options { directory %q; listen-on port %s { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; session-keyfile none; lock-file none;\n"+
		"forward only; forwarders port %s { 127.0.0.1; }; dnssec-validation no; empty-zones-enable no; max-cache-ttl 0; max-ncache-ttl 0;\ninclude %q; };\n",
		p.dir, p.port, p.forward, policy)
	key, secured := "key transfer.example", ""
	if p.cert != "" {
		secured = fmt.Sprintf("tls primary { ca-file %q; remote-hostname \"resolver.example\"; };\n", p.cert)
		key += " tls primary"
	}
	dnstest.WriteFile(t, p.dir, "named.conf", "controls { };\n"+secured+options+peers.Exchanged(t, "../../examples/rpz/named.conf", `include "/etc/bind/transfer.key";`, transferKey,
		"192.0.2.1 key transfer.example", "127.0.0.1 port "+p.primary+" "+key))
	return []string{"-g", "-c", filepath.Join(p.dir, "named.conf")}
}

func secondaries() map[string]peer {
	return map[string]peer{
		"bind":          {program: "named", zone: "csam.rpz.example", key: "transfer.key", notify: true, early: true, start: startBIND},
		"bind over tls": {program: "named", zone: "csam.rpz.example", key: "transfer.key", notify: true, tls: true, early: true, start: startBIND},
		"dnsfilter":     {program: "dnsfilter", ours: true, zone: "csam.rpz.example", key: "transfer.key", notify: true, start: startOurs},
		"unbound": {program: "unbound", zone: "unbound.rpz.example", key: "none", notify: true, start: func(t *testing.T, p peerPlace) []string {
			dnstest.WriteFile(t, p.dir, "unbound.conf", peers.Exchanged(t, "../../examples/rpz/unbound.conf", "primary: 192.0.2.1", "primary: 127.0.0.1@"+p.primary, "192.0.2.1", "127.0.0.1", "/var/lib/unbound", p.dir)+
				fmt.Sprintf("server:\n interface: 127.0.0.1\n port: %s\n username: \"\"\n chroot: \"\"\n directory: %q\n pidfile: \"\"\n use-syslog: no\n do-daemonize: no\n"+
					" do-not-query-localhost: no\n cache-max-ttl: 0\n cache-max-negative-ttl: 0\n local-zone: \"test.\" nodefault\n"+
					"remote-control:\n control-enable: no\nforward-zone:\n name: \".\"\n forward-addr: 127.0.0.1@%s\n", p.port, p.dir, p.forward))
			return []string{"-d", "-c", filepath.Join(p.dir, "unbound.conf")}
		}},
		"powerdns": {program: "pdns_recursor", zone: "csam.rpz.example", key: "transfer.key", start: func(t *testing.T, p peerPlace) []string {
			dnstest.WriteFile(t, p.dir, "recursor.lua", peers.Exchanged(t, "../../examples/rpz/recursor.lua", `"192.0.2.1"`, `"127.0.0.1:`+p.primary+`"`,
				`"/var/lib/pdns-recursor/`, `"`+p.dir+"/"))
			return []string{
				"--config-dir=" + p.dir, "--socket-dir=" + p.dir, "--local-address=127.0.0.1", "--local-port=" + p.port,
				"--forward-zones-recurse=.=127.0.0.1:" + p.forward, "--lua-config-file=" + filepath.Join(p.dir, "recursor.lua"), "--dont-query=",
				"--daemon=no", "--dnssec=off", "--disable-packetcache", "--max-cache-ttl=15", "--serve-rfc1918=no", "--root-nx-trust=no",
				"--setuid=", "--setgid=", "--threads=1", "--pdns-distributes-queries=no", "--write-pid=no", "--security-poll-suffix=",
			}
		}},
		"knot": {program: "kresd", zone: "csam.rpz.example", key: "none", start: func(t *testing.T, p peerPlace) []string {
			dnstest.WriteFile(t, p.dir, "kresd.conf", fmt.Sprintf("net.listen('127.0.0.1', %s, {kind='dns'})\ntrust_anchors.remove('.')\ncache.size = 2 * MB\n", p.port)+
				peers.Exchanged(t, "../../examples/rpz/kresd.conf", "/var/lib/knot-resolver/csam.zone", p.file, "192.0.2.2", "127.0.0.1@"+p.forward))
			return []string{"-n", "-c", filepath.Join(p.dir, "kresd.conf"), p.dir}
		}},
	}
}

// startOurs writes the settings of dnsfilter as a secondary.
func startOurs(t *testing.T, p peerPlace) []string {
	t.Helper()
	dnstest.WriteFile(t, p.dir, "transfer.key", transferKey)
	settings := dnstest.WriteFile(t, p.dir, "dnsfilter.yaml", fmt.Sprintf("listen: ['udp://127.0.0.1:%s', 'tcp://127.0.0.1:%[1]s']\nupstream: ['127.0.0.1:%s']\nlocal: []\nstate: state\n"+
		"lists:\n  - {name: csam, rpz: csam.rpz.example, primary: ['127.0.0.1:%s'], key: transfer.key}\n", p.port, p.forward, p.primary))
	return []string{"serve", "-c", settings}
}

// change adds and removes entries and brings the release to the origin.
func (a *agency) change(t *testing.T, add, remove []string) {
	t.Helper()
	cause := publish.Audit{Author: "anna", Reason: "a test"}
	entries := func(lines []string) (all []blocklist.Entry) {
		for _, line := range lines {
			e, err := blocklist.ParseEntry(line)
			require.NoError(t, err)
			all = append(all, e)
		}
		return all
	}
	if len(add) > 0 {
		_, err := a.ledger.Add(t.Context(), entries(add), cause)
		require.NoError(t, err)
	}
	if len(remove) > 0 {
		_, err := a.ledger.Remove(t.Context(), entries(remove), cause)
		require.NoError(t, err)
	}
	_, _, err := a.ledger.Release(t.Context(), "anna")
	require.NoError(t, err)
	a.sign(t)
	_, err = a.ledger.Push(t.Context(), func(ctx context.Context, _ string, bundle io.Reader) error {
		_, err := a.origin.Accept(ctx, bundle)
		return err
	}, cause)
	require.NoError(t, err)
}

// answerText is what a client learns: the rcode and the addresses.
func answerText(m *dns.Msg) string {
	var addrs []string
	for _, rr := range m.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			addrs = append(addrs, rr.A.String())
		case *dns.AAAA:
			addrs = append(addrs, rr.AAAA.String())
		}
	}
	slices.Sort(addrs)
	return dns.RcodeToString[m.Rcode] + " " + strings.Join(addrs, " ")
}

// TestPolicyZonePeers: BIND, Unbound, PowerDNS Recursor and Knot Resolver follow a signed list as a policy zone, each
// within two seconds of the origin's acceptance, and give the verdicts of the resolver itself.
func TestPolicyZonePeers(t *testing.T) {
	t.Parallel()
	for name, p := range secondaries() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.need(t)
			testPeer(t, p)
		})
	}
}

func testPeer(t *testing.T, p peer) {
	t.Helper()
	count := longtest.Rounds(60, 3000)
	var lines []string
	for i := range count {
		lines = append(lines, fmt.Sprintf("%s%s%d.test%s", []string{"", "="}[i%2], []string{"", "a.", "a.b."}[i%3], i/2,
			[]string{"", " category=soft", " category=sink", " category=off"}[i/2%4]))
	}
	a := newAgency(t)
	a.change(t, lines, nil)
	f := follow(t, a, p, 20*time.Second)
	awaitVerdict(t, f.addr, "0.test.", "NXDOMAIN ", 20*time.Second)

	names := []string{"test.", "other.test.", "a.7.test.", "x.a.7.test.", "ok.10.test.", "x.ok.10.test.", "10.test."}
	for _, prefix := range []string{"", "a.", "b.", "a.b.", "www.", "x.y."} {
		for i := range count / 2 {
			names = append(names, fmt.Sprintf("%s%d.test.", prefix, i))
		}
	}
	var questions []*dns.Msg
	for _, name := range names {
		questions = append(questions, dnstest.Question(name, dns.TypeA), dnstest.Question(name, dns.TypeAAAA))
	}
	f.sameVerdicts(t, questions, 0)
	assert.LessOrEqual(t, f.followsChanges(t, a, longtest.Rounds(1, 3), 20*time.Second).enforced, followWithin)
	z := zoneOf(t, f.running)
	t.Logf("%+v", z)
	if p.notify {
		assert.Positive(t, z.Notified)
	}
	if p.program != "kresd" {
		assert.Positive(t, z.Incremental)
	}
}

// followWithin is the maximum time from the origin's acceptance of a release until a peer's verdict.
const followWithin = 2 * time.Second

// peerFollower is a resolver that follows an agency's list, and a peer that follows its policy zone.
type peerFollower struct {
	*running

	peer peer
	addr string // of the peer
	file string // the zone file

	process *peers.Process
	begin   func() *peers.Process // starts the peer again
}

// follow starts a resolver that follows the agency's list, and its peer, which may take some time to load a zone.
func follow(t *testing.T, a *agency, p peer, loads time.Duration) peerFollower {
	t.Helper()
	web := httptest.NewServer(a.origin.Handler())
	t.Cleanup(web.Close)
	l, addr := dnstest.Listen(t)
	require.NoError(t, l.Close())
	at := strings.TrimPrefix(addr, "127.0.0.1:")
	place := peerPlace{dir: t.TempDir(), port: at}
	place.file = filepath.Join(place.dir, "block.zone")
	settings := fmt.Sprintf("lists:\n  - {name: it.example/test, root: %s, from: ['%s'], categories: {soft: nodata, sink: sinkhole, off: pass}, sinkhole: [192.0.2.80, '2001:db8::80']}\n"+
		"allow: [allow.txt]\nrpz:\n  - {zone: %s, lists: [it.example/test], key: %s, allow: [127.0.0.1], file: %s", a.root(), web.URL, p.zone, p.key, place.file)
	if p.notify {
		settings += ", notify: ['" + addr + "']"
	}
	r := newFolder(t, settings+"}\n")
	r.write(t, "transfer.key", transferKey)
	r.write(t, "allow.txt", "a.7.test\nok.10.test\n")
	place.primary = strings.TrimPrefix(r.addr, "127.0.0.1:")
	if p.tls {
		place.primary, place.cert = r.listenTLS(t, settings+"}\n"), filepath.Join(r.dir, "cert.pem")
	}
	r.start(t)
	require.True(t, peers.Wait(t, time.Minute, func() bool {
		_, err := os.Stat(place.file) // Knot does not start without it
		return err == nil && zoneOf(t, r).Serial > 0
	}), r.log)
	place.forward = r.upstreamPort(t)
	program := p.program
	if p.ours {
		program = peers.Build(t, program)
	}
	args := p.start(t, place)
	begin := func() *peers.Process { return peers.Start(t, place.dir, program, args...) }
	process := begin()
	awaitVerdict(t, addr, "free.test.", "NOERROR 192.0.2.3", loads)
	return peerFollower{running: r, peer: p, addr: addr, file: place.file, process: process, begin: begin}
}

// sameVerdicts asks the resolver and its peer the same questions. A peer that takes a zone in by steps is given some
// time for it in all.
func (f peerFollower) sameVerdicts(t *testing.T, questions []*dns.Msg, loading time.Duration) {
	t.Helper()
	end := time.Now().Add(loading)
	for _, q := range questions {
		want := answerText(dnstest.Exchange(t, "udp", f.running.addr, q))
		got := answerText(dnstest.Exchange(t, "udp", f.addr, q))
		for ; got != want && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			got = answerText(dnstest.Exchange(t, "udp", f.addr, q))
		}
		require.Equal(t, want, got, "%s", q.Question[0].String())
	}
	t.Log(len(questions), "questions had the same verdicts")
}

// steps are the times from the origin's acceptance of a release until the primary has the zone, until the peer has been
// sent the change (Knot: until the zone file has it), and until the peer enforces it.
type steps struct{ served, sent, enforced time.Duration }

// followsChanges lists and removes names, which the peer has to follow within a time. It returns the longest times.
func (f peerFollower) followsChanges(t *testing.T, a *agency, rounds int, within time.Duration) (longest steps) {
	t.Helper()
	for round := range rounds {
		name := fmt.Sprintf("new%d-%s.test", round, peers.Port(f.addr)) // the list may be that of other peers, too
		for _, want := range []string{"NXDOMAIN ", "NOERROR 192.0.2.3"} {
			before := zoneOf(t, f.running)
			if want == "NXDOMAIN " {
				a.change(t, []string{name}, nil)
			} else {
				a.change(t, nil, []string{name})
			}
			s := f.awaitChange(t, before, name+".", want, within)
			t.Logf("%s: %s: after acceptance, the primary had it within %s, the peer was sent it within %s, enforced it within %s",
				name, want, s.served.Round(time.Millisecond), s.sent.Round(time.Millisecond), s.enforced.Round(time.Millisecond))
			longest = steps{max(longest.served, s.served), max(longest.sent, s.sent), max(longest.enforced, s.enforced)}
		}
	}
	return longest
}

// awaitChange waits until the peer enforces a change of the zone.
func (f peerFollower) awaitChange(t *testing.T, before rpz.Status, name, want string, within time.Duration) (s steps) {
	t.Helper()
	accepted := time.Now()
	var now rpz.Status
	require.True(t, peers.Wait(t, within, func() bool { now = zoneOf(t, f.running); return now.Serial != before.Serial }))
	s.served = time.Since(accepted)
	require.True(t, peers.Wait(t, within, func() bool {
		if f.peer.program == "kresd" {
			return strings.Contains(f.fileHead(t), fmt.Sprintf(" %d ", now.Serial))
		}
		return zoneOf(t, f.running).Incremental > before.Incremental
	}), "%s was not sent", name)
	s.sent = time.Since(accepted)
	awaitVerdict(t, f.addr, name, want, within)
	s.enforced = time.Since(accepted)
	return s
}

// fileHead returns the first bytes of the zone file, with its serial.
func (f peerFollower) fileHead(t *testing.T) string {
	t.Helper()
	file, err := os.Open(f.file)
	require.NoError(t, err)
	defer file.Close()
	head := make([]byte, 200)
	_, err = io.ReadFull(file, head)
	require.NoError(t, err)
	return string(head)
}

// awaitVerdict waits until a resolver gives an answer.
func awaitVerdict(t *testing.T, addr, name, want string, within time.Duration) {
	t.Helper()
	c := dns.Client{Timeout: time.Second}
	got := ""
	peers.Wait(t, within, func() bool {
		m, _, err := c.Exchange(dnstest.Question(name, dns.TypeA), addr)
		if err == nil {
			got = answerText(m)
		}
		return err == nil && got == want
	})
	require.Equal(t, want, got, name)
}

// zoneOf returns the state of the only policy zone.
func zoneOf(t *testing.T, r *running) rpz.Status {
	t.Helper()
	s, err := r.control().Status(t.Context())
	require.NoError(t, err)
	require.Len(t, s.Zones, 1)
	return s.Zones[0]
}

// upstreamPort returns the port of the upstream in the settings.
func (r *running) upstreamPort(t *testing.T) string {
	t.Helper()
	_, rest, _ := strings.Cut(r.head(t), "upstream: [127.0.0.1:")
	port, _, ok := strings.Cut(rest, "]")
	require.True(t, ok)
	return port
}

func TestPolicyZoneExample(t *testing.T) {
	t.Parallel()
	s, err := config.Read("../../examples/rpz/dnsfilter.yaml")
	require.NoError(t, err)
	assert.Len(t, s.PolicyZones, 2)
}
