package examples_test

import (
	"crypto"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/peers"
)

const signedZone = "signed.example."

// signer signs the records of a zone with its only key.
type signer struct {
	t       *testing.T
	key     *dns.DNSKEY
	private crypto.Signer
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	key := &dns.DNSKEY{
		Hdr:   dns.RR_Header{Name: signedZone, Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 300},
		Flags: 257, Protocol: 3, Algorithm: dns.ECDSAP256SHA256,
	}
	private, err := key.Generate(256)
	require.NoError(t, err)
	return &signer{t, key, private.(crypto.Signer)}
}

func (s *signer) sign(rr dns.RR) dns.RR {
	sig := &dns.RRSIG{
		Hdr:       dns.RR_Header{Name: rr.Header().Name, Rrtype: dns.TypeRRSIG, Class: dns.ClassINET, Ttl: 300},
		Algorithm: s.key.Algorithm, SignerName: signedZone, KeyTag: s.key.KeyTag(),
		Inception: uint32(time.Now().Add(-time.Hour).Unix()), Expiration: uint32(time.Now().Add(time.Hour).Unix()),
	}
	assert.NoError(s.t, sig.Sign(s.private, []dns.RR{rr}))
	return sig
}

// ServeDNS answers for the signed zone, whose name bogus has another address than was signed, and for others.
func (s *signer) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	reply, q := new(dns.Msg).SetReply(query), query.Question[0]
	reply.RecursionAvailable = true
	address := &dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 300}, A: net.IPv4(192, 0, 2, 1)}
	switch {
	case q.Name == signedZone && q.Qtype == dns.TypeDNSKEY:
		reply.Answer = []dns.RR{s.key, s.sign(s.key)}
	case q.Qtype == dns.TypeA && strings.HasSuffix(q.Name, "."+signedZone):
		reply.Answer = []dns.RR{s.sign(address), address}
		if q.Name == "bogus."+signedZone {
			address.A = net.IPv4(192, 0, 2, 66)
		}
	case q.Qtype == dns.TypeA:
		reply.Answer = []dns.RR{address}
	}
	_ = w.WriteMsg(reply)
}

func TestUnbound(t *testing.T) {
	t.Parallel()
	peers.Need(t, "unbound")
	s, dir := newSigner(t), t.TempDir()
	world, behind, addr := peers.Server(t, s.ServeDNS), freeport.Addr(t), freeport.Addr(t)
	conf := peers.Exchanged(t, "unbound/unbound.conf", "port: 5335", "port: "+peers.Port(behind),
		`auto-trust-anchor-file: "/var/lib/unbound/root.key"`, fmt.Sprintf("trust-anchor: %q", strings.ReplaceAll(s.key.ToDS(dns.SHA256).String(), "\t", " ")))
	conf += fmt.Sprintf(" username: \"\"\n chroot: \"\"\n directory: %q\n pidfile: \"\"\n use-syslog: no\n do-daemonize: no\n do-not-query-localhost: no\n"+
		"remote-control:\n control-enable: no\nforward-zone:\n name: \".\"\n forward-addr: 127.0.0.1@%s\n", dir, peers.Port(world))
	peers.Start(t, dir, "unbound", "-d", "-c", peers.Write(t, dir, "unbound.conf", conf))
	peers.Await(t, behind, "www.signed.example", "NOERROR 192.0.2.1")

	list := peers.Write(t, dir, "local.txt", "blocked.signed.example\n")
	settings := peers.Exchanged(t, "unbound/dnsfilter.yaml", "192.0.2.1:53", addr, "127.0.0.1:5335", behind, "/var/lib/dnsfilter", dir+"/state",
		"/etc/dnsfilter/local.txt", list)
	peers.Resolver(t, peers.Build(t, "dnsfilter"), dir, settings, addr)

	for name, want := range map[string]struct {
		rcode int
		ad    bool
	}{
		"www.signed.example.":         {dns.RcodeSuccess, true},
		"www.unsigned.example.":       {dns.RcodeSuccess, false},
		"bogus.signed.example.":       {dns.RcodeServerFailure, false},
		"www.blocked.signed.example.": {dns.RcodeNameError, false},
	} {
		for _, cd := range []bool{false, true} {
			query := new(dns.Msg).SetQuestion(name, dns.TypeA)
			query.CheckingDisabled = cd
			query.SetEdns0(1232, true)
			reply, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(query, addr)
			require.NoError(t, err, name)
			switch {
			case cd && name == "bogus.signed.example.": // the client wants to check for itself
				assert.Equal(t, dns.RcodeSuccess, reply.Rcode)
			case cd:
				assert.Equal(t, want.rcode, reply.Rcode, name)
			default:
				assert.Equal(t, want.rcode, reply.Rcode, name)
				assert.Equal(t, want.ad, reply.AuthenticatedData, name)
			}
		}
	}
}
