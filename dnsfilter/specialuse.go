package dnsfilter

import (
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

// SpecialZones returns the special-use zones whose names have a meaning only within a host or a site, so that no
// upstream has to be asked for them. They are the reverse zones of private, shared, local and documentation addresses
// (RFC 6303, RFC 7793), home.arpa (RFC 8375), localhost, invalid and test (RFC 6761), and onion (RFC 7686).
// resolver.arpa (RFC 9462) is included, too: clients use it to discover encrypted resolvers, so the upstream's answer
// would lead them around the lists.
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

// specialUseAnswer appends the answer to a query in a special-use zone (RFC 6761, RFC 6303). It returns false for a DS
// query at the top of the zone: the DS record belongs to the parent zone, whose answer from the upstream lets
// validators treat the zone as unsigned (RFC 8375, section 4). Reverse lookups of loopback addresses return localhost.
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

// specialUseSOA appends an answer with the SOA record of a special-use zone. For an SOA query at the top of a zone
// below arpa, the record is the answer (RFC 6303, section 3). Otherwise it is the authority section of a denial.
func (q *query) specialUseSOA(dst []byte, zone blocklist.Name) []byte {
	name := q.name()
	apex := len(name) == len(zone) && zone.Within(arpa)
	rcode := dns.RcodeNameError
	// the name exists: it is a zone, or above a name that exists
	if apex || zone == localhost || zone == resolver || strings.HasSuffix(loopback4, string(name)) {
		rcode = dns.RcodeSuccess
	}
	m := q.start(dst, rcode)
	owner := dnswire.HeaderSize + len(name) - len(zone)
	if !zone.Within(arpa) && zone != localhost { // the zone does not exist, so its parent owns the SOA record
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

// loopback appends an answer with one loopback address.
func (q *query) loopback(dst []byte, addr netip.Addr) []byte {
	m := appendAddress(q.start(dst, dns.RcodeSuccess), q.qtype, addr, blockTTL)
	dnswire.SetCount(m, dnswire.Answer, 1)
	return q.finish(m, 0, ede{})
}
