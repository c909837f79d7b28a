package dnsfilter_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/upstream"
	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/peers"
)

// signedZones are a signed zone, a signed one below it, and one below it that is not.
var signedZones = map[string]string{
	"signed.example":          "ns A 127.0.0.1\nwww A 192.0.2.1\nalias CNAME www\nhidden CNAME a.listed\na.listed A 192.0.2.9\n*.wild A 192.0.2.3\nchild NS ns\nplain NS ns\nsvc HTTPS 1 www alpn=h2\nold DNAME new\nwww.new A 192.0.2.5\ngone DNAME listed\n",
	"child.signed.example":    "@ A 192.0.2.20\nwww A 192.0.2.21\n",
	"plain.signed.example":    "www A 192.0.2.31\n",
	"unrelated.other.example": "www A 192.0.2.41\n",
}

// signed is a folder with zones that dnssec-signzone has signed, and the anchor of the uppermost.
type signed struct{ dir, ds, key string }

func (s *signed) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	return peers.Run(t, s.dir, name, args...)
}

func (s *signed) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	require.NoError(t, err)
	return string(text)
}

func signZones(t *testing.T) *signed {
	t.Helper()
	s := &signed{dir: t.TempDir()}
	for name, text := range signedZones {
		head := "$TTL 300\n$ORIGIN " + name + ".\n@ SOA ns.signed.example. h.signed.example. 1 3600 600 86400 60\n@ NS ns.signed.example.\n"
		dnstest.WriteFile(t, s.dir, name, head+text)
	}
	for _, name := range []string{"child.signed.example", "signed.example"} { // the DS record of the one goes into the other
		key := strings.TrimSpace(s.run(t, "dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", name))
		s.key = s.read(t, key+".key")
		dnstest.WriteFile(t, s.dir, name, s.read(t, name)+s.key+s.ds)
		s.run(t, "dnssec-signzone", "-q", "-z", "-o", name, "-f", name, name)
		s.ds = s.read(t, "dsset-"+name+".")
	}
	return s
}

// start runs a server until the test ends, and waits until it answers.
func (s *signed) start(t *testing.T, addr, name string, args ...string) {
	t.Helper()
	peers.Start(t, s.dir, name, args...)
	peers.Await(t, addr, "www.signed.example", "NOERROR 192.0.2.1")
}

func (s *signed) startNSD(t *testing.T) netip.AddrPort {
	t.Helper()
	at := netip.MustParseAddrPort(freeport.Addr(t))
	conf := fmt.Sprintf("server:\n ip-address: 127.0.0.1@%d\n username: \"\"\n chroot: \"\"\n zonesdir: %q\n database: \"\"\n pidfile: nsd.pid\n xfrdfile: xfrd\n"+
		" zonelistfile: zones\n server-count: 1\n refuse-any: no\nremote-control:\n control-enable: no\n", at.Port(), s.dir)
	for name := range signedZones {
		conf += fmt.Sprintf("zone:\n name: %s\n zonefile: %s\n", name, name)
	}
	s.start(t, at.String(), "nsd", "-d", "-c", dnstest.WriteFile(t, s.dir, "nsd.conf", conf))
	return at
}

// startUnbound runs a validator whose only way to the world is the server at the address.
func (s *signed) startUnbound(t *testing.T, server netip.AddrPort) string {
	t.Helper()
	at := netip.MustParseAddrPort(freeport.Addr(t))
	conf := fmt.Sprintf("server:\n interface: 127.0.0.1@%d\n do-daemonize: no\n use-syslog: no\n username: \"\"\n chroot: \"\"\n directory: %q\n pidfile: \"\"\n val-log-level: 2\n"+
		" do-not-query-localhost: no\n aggressive-nsec: no\n trust-anchor: %q\n module-config: \"validator iterator\"\nremote-control:\n control-enable: no\nforward-zone:\n name: \".\"\n forward-addr: 127.0.0.1@%d\n",
		at.Port(), s.dir, strings.Join(strings.Fields(s.ds), " "), server.Port())
	s.start(t, at.String(), "unbound", "-d", "-c", dnstest.WriteFile(t, s.dir, "unbound.conf", conf))
	return at.String()
}

// TestValidatorBehind puts unbound and delv behind the server, and nsd with signed zones in front of it: all that is
// not listed is proved, whatever is asked for. What is listed is not let through, and can't be proved.
func TestValidatorBehind(t *testing.T) {
	t.Parallel()
	peers.Need(t, "nsd", "unbound", "delv", "dnssec-keygen", "dnssec-signzone")
	s := signZones(t)
	up, err := upstream.New(upstream.Endpoint{Addr: s.startNSD(t)})
	require.NoError(t, err)
	var policy dnsfilter.Policy
	policy.Rules = []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain}}
	addr, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, map[string]string{"l": "listed.signed.example"}), Policy: policy, Upstream: up, SpecialUse: specialUse(t)}))
	behind := s.startUnbound(t, netip.MustParseAddrPort(addr))
	for _, c := range []struct {
		name   string
		qtype  uint16
		rcode  int
		proved bool
	}{
		{"www.signed.example.", dns.TypeA, dns.RcodeSuccess, true},
		{"www.signed.example.", dns.TypeMX, dns.RcodeSuccess, true},
		{"none.signed.example.", dns.TypeA, dns.RcodeNameError, true},
		{"alias.signed.example.", dns.TypeA, dns.RcodeSuccess, true},
		{"x.y.wild.signed.example.", dns.TypeA, dns.RcodeSuccess, true},
		{"www.old.signed.example.", dns.TypeA, dns.RcodeSuccess, true},
		{"a.gone.signed.example.", dns.TypeA, dns.RcodeServerFailure, false},
		{"svc.signed.example.", dns.TypeHTTPS, dns.RcodeSuccess, true},
		{"signed.example.", dns.TypeDNSKEY, dns.RcodeSuccess, true},
		{"child.signed.example.", dns.TypeDS, dns.RcodeSuccess, true},
		{"child.signed.example.", dns.TypeDNSKEY, dns.RcodeSuccess, true},
		{"www.child.signed.example.", dns.TypeA, dns.RcodeSuccess, true},
		{"plain.signed.example.", dns.TypeDS, dns.RcodeSuccess, true},
		{"www.plain.signed.example.", dns.TypeA, dns.RcodeSuccess, false},
		{"www.unrelated.other.example.", dns.TypeA, dns.RcodeSuccess, false},
		{"ns.signed.example.", dns.TypeANY, dns.RcodeSuccess, true},
		{"other.signed.example.", dns.TypeANY, dns.RcodeNameError, true},
		{"a.listed.signed.example.", dns.TypeA, dns.RcodeServerFailure, false},
		{"hidden.signed.example.", dns.TypeA, dns.RcodeServerFailure, false},
	} {
		for range 2 {
			reply := dnstest.Exchange(t, "tcp", behind, dnstest.Question(c.name, c.qtype).SetEdns0(1232, true))
			assert.Equal(t, dns.RcodeToString[c.rcode], dns.RcodeToString[reply.Rcode], c)
			assert.Equal(t, c.proved, reply.AuthenticatedData, c)
		}
	}
	s.delv(t, netip.MustParseAddrPort(addr))
}

// anchors is the anchor in the words of BIND.
func (s *signed) anchors() string {
	fields := strings.Fields(s.key[strings.Index(s.key, "DNSKEY")+len("DNSKEY"):])
	return fmt.Sprintf("trust-anchors { signed.example. static-key %s %s %s %q; };\n", fields[0], fields[1], fields[2], strings.Join(fields[3:], ""))
}

func (s *signed) delv(t *testing.T, server netip.AddrPort) {
	t.Helper()
	path := dnstest.WriteFile(t, s.dir, "anchors", s.anchors())
	for what, want := range map[string]string{
		"www.signed.example A": "; fully validated", "www.child.signed.example A": "; fully validated", "none.signed.example A": "; negative response, fully validated",
		"www.signed.example MX": "; negative response, fully validated", "www.signed.example ANY": "; fully validated", "www.plain.signed.example A": "; unsigned answer",
	} {
		args := append([]string{"@127.0.0.1", "-p", fmt.Sprint(server.Port()), "-a", path, "+root=signed.example"}, strings.Fields(what)...)
		assert.Contains(t, s.run(t, "delv", args...), want, what)
	}
}

// TestDnsmasqInFront has the forwarder of most home routers ask for a denied name again and again: its cache goes on
// denying it.
func TestDnsmasqInFront(t *testing.T) {
	t.Parallel()
	peers.Need(t, "dnsmasq")
	addr, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{
		Store:      dnstest.NewStore(t, map[string]string{"l": "blocked.signed.example\n=alone.signed.example"}),
		Policy:     dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain}}},
		SpecialUse: []blocklist.Name{"\x04test\x00"},
		Upstream:   dnstest.NewZone(t, "www.signed.example. 300 A 192.0.2.1\n"),
	}))
	s, at := &signed{dir: t.TempDir()}, netip.MustParseAddrPort(freeport.Addr(t))
	s.start(t, at.String(), "dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--no-daemon", "--listen-address=127.0.0.1", "--bind-interfaces", "--user=",
		fmt.Sprint("--port=", at.Port()), "--server="+strings.Replace(addr, ":", "#", 1))
	for _, name := range []string{"blocked.signed.example.", "a.b.blocked.signed.example.", "x.test.", "test."} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeA} {
			assert.Equal(t, dns.RcodeNameError, dnstest.Exchange(t, "udp", at.String(), dnstest.Question(name, qtype)).Rcode, "%s %s", name, dns.TypeToString[qtype])
		}
	}
	assert.Equal(t, dns.RcodeSuccess, dnstest.Exchange(t, "udp", at.String(), dnstest.Question("alone.signed.example.", dns.TypeA)).Rcode)
}
