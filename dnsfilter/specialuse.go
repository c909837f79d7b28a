package dnsfilter

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

const (
	arpa      = "\x04arpa\x00"
	localhost = "\x09localhost\x00"
	resolver  = "\x08resolver" + arpa
	loopback4 = "\x011\x010\x010\x03127\x07in-addr" + arpa
	loopback6 = "\x011" + zeros16 + zeros15 + "\x03ip6" + arpa
	zeros16   = "\x010" + zeros15
	zeros15   = "\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010"
)

// SpecialZones returns the special-use zones that mean nothing outside of a host or a site, so that no upstream is
// asked: reverse zones of private, local and documentation addresses (RFC 6303, RFC 7793), home.arpa (RFC 8375),
// localhost, invalid and test (RFC 6761), and onion (RFC 7686). By resolver.arpa (RFC 9462) clients find encrypted ways
// to their resolver: an answer of the upstream would lead them there, around the lists.
func SpecialZones() []string {
	zones := []string{
		"localhost", "invalid", "test", "onion", "home.arpa", "resolver.arpa",
		"0.in-addr.arpa", "10.in-addr.arpa", "127.in-addr.arpa", "254.169.in-addr.arpa", "168.192.in-addr.arpa",
		"2.0.192.in-addr.arpa",
		"100.51.198.in-addr.arpa", "113.0.203.in-addr.arpa", "255.255.255.255.in-addr.arpa",
		"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
		"c.f.ip6.arpa", "d.f.ip6.arpa", "8.e.f.ip6.arpa", "9.e.f.ip6.arpa", "a.e.f.ip6.arpa", "b.e.f.ip6.arpa",
		"8.b.d.0.1.0.0.2.ip6.arpa",
	}
	for n := 16; n < 32; n++ {
		zones = append(zones, fmt.Sprintf("%d.172.in-addr.arpa", n))
	}
	for n := 64; n < 128; n++ {
		zones = append(zones, fmt.Sprintf("%d.100.in-addr.arpa", n))
	}
	return zones
}

// specialUseZones finds the zone that a name is in. Those below arpa are apart: they are many, and names there are few.
type specialUseZones struct {
	arpa   map[string]blocklist.Name
	others []blocklist.Name
	ends   [256]bool // by the last letter, which rules most names out
}

func newSpecialUseZones(all []blocklist.Name) specialUseZones {
	z := specialUseZones{arpa: make(map[string]blocklist.Name)}
	for _, zone := range all {
		z.ends[lastLetter(zone)] = true
		if strings.HasSuffix(string(zone), arpa) {
			z.arpa[string(zone)] = zone
		} else {
			z.others = append(z.others, zone)
		}
	}
	return z
}

// lastLetter returns the last byte of the top-level domain of a name in wire form; 0 for the root.
func lastLetter[T ~string | ~[]byte](name T) byte { return name[max(len(name)-2, 0)] }

// find returns the zone that a name is in; empty if there is none.
func (z *specialUseZones) find(name []byte) blocklist.Name {
	if !z.ends[lastLetter(name)] {
		return ""
	}
	if bytes.HasSuffix(name, []byte(arpa)) {
		for at := 0; name[at] != 0; at += 1 + int(name[at]) {
			if zone, ok := z.arpa[string(name[at:])]; ok {
				return zone
			}
		}
		return ""
	}
	for _, zone := range z.others {
		if len(name) >= len(zone) && string(name[len(name)-len(zone):]) == string(zone) && blocklist.Name(name).Within(zone) {
			return zone
		}
	}
	return ""
}

// specialUseAnswer appends the answer to a question about a special-use zone (RFC 6761, RFC 6303). DS records belong to
// the zone above, which says to validators that there is nothing to validate (RFC 8375, section 4), so the upstream is
// asked: then it returns false. The addresses of the host itself are named localhost, as by other resolvers.
func (q *query) specialUseAnswer(dst []byte, zone blocklist.Name) ([]byte, bool) {
	apex := len(q.name()) == len(zone)
	loopback := string(q.name()) == loopback4 || string(q.name()) == loopback6
	switch {
	case apex && q.qtype == dns.TypeDS:
		return nil, false
	case zone == localhost && q.qtype == dns.TypeA:
		return q.loopback(dst, netip.AddrFrom4([4]byte{127, 0, 0, 1})), true
	case zone == localhost && q.qtype == dns.TypeAAAA:
		return q.loopback(dst, netip.IPv6Loopback()), true
	case loopback && q.qtype == dns.TypePTR, apex && zone.Within(arpa) && q.qtype == dns.TypeNS:
		m := append(q.start(dst, dns.RcodeSuccess), 0xc0, dnswire.HeaderSize, 0, byte(q.qtype), 0, dns.ClassINET)
		m = append(append(m, 0, 0, 0, blockTTL, 0, byte(len(localhost))), localhost...)
		dnswire.SetCount(m, dnswire.Answer, 1)
		return q.finish(m, 0, ede{}), true
	}
	return q.specialUseSOA(dst, zone), true
}

// specialUseSOA answers with the SOA record of a special-use zone: to questions for it, as all zones below arpa have
// one (RFC 6303, section 3), or else to say that there is nothing else.
func (q *query) specialUseSOA(dst []byte, zone blocklist.Name) []byte {
	name := q.name()
	apex := len(name) == len(zone) && zone.Within(arpa)
	rcode := dns.RcodeNameError
	// or above a name that exists
	if apex || zone == localhost || zone == resolver || strings.HasSuffix(loopback4, string(name)) {
		rcode = dns.RcodeSuccess
	}
	m := q.start(dst, rcode)
	owner := dnswire.HeaderSize + len(name) - len(zone)
	if !zone.Within(arpa) && zone != localhost { // it does not exist, so that the zone above says so
		owner = dnswire.SkipLabels(m, owner, 1)
	}
	m = appendSOA(m, owner)
	if apex && q.qtype == dns.TypeSOA {
		dnswire.SetCount(m, dnswire.Answer, 1)
	} else {
		dnswire.SetCount(m, dnswire.Authority, 1)
	}
	return q.finish(m, 0, ede{})
}

// loopback answers with one address.
func (q *query) loopback(dst []byte, addr netip.Addr) []byte {
	m := appendAddress(q.start(dst, dns.RcodeSuccess), q.qtype, addr)
	dnswire.SetCount(m, dnswire.Answer, 1)
	return q.finish(m, 0, ede{})
}
