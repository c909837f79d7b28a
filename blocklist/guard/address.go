package guard

import (
	"fmt"
	"net/netip"
)

// minIPv4 and minIPv6 are the shortest prefix lengths that pass: a shorter prefix has too many addresses.
const (
	minIPv4 = 24
	minIPv6 = 48
)

// wide returns why a prefix covers too many addresses, or "" if it does not.
func wide(p netip.Prefix) string {
	least := minIPv4
	if p.Addr().Is6() {
		least = minIPv6
	}
	if p.Bits() >= least {
		return ""
	}
	return fmt.Sprintf("a /%d covers too many addresses: the limit is a /%d; list the addresses that are meant", p.Bits(), least)
}

// special returns the reason to hold a prefix that overlaps a special-purpose prefix, or an empty reason.
func (g *Guard) special(p netip.Prefix) (none reason) {
	for _, s := range g.specials {
		if s.prefix.Overlaps(p) {
			return reason{text: fmt.Sprintf("it covers addresses of %s: %s", s.prefix, s.use), example: s.prefix.String()}
		}
	}
	return none
}

type special struct {
	prefix netip.Prefix
	use    string
}

// specials returns the prefixes of the IANA special-purpose address registries (RFC 6890), multicast, and formerly
// reserved prefixes. Where two overlap, the narrower one comes first.
func specials() []special {
	at := netip.MustParsePrefix
	return []special{
		{at("0.0.0.0/8"), "this network (RFC 791)"},
		{at("10.0.0.0/8"), "private use (RFC 1918)"},
		{at("100.64.0.0/10"), "shared by customers of a provider (RFC 6598)"},
		{at("127.0.0.0/8"), "loopback (RFC 1122)"},
		{at("169.254.0.0/16"), "link-local (RFC 3927)"},
		{at("172.16.0.0/12"), "private use (RFC 1918)"},
		{at("192.0.0.0/24"), "protocol assignments (RFC 6890)"},
		{at("192.0.2.0/24"), "documentation (RFC 5737)"},
		{at("192.31.196.0/24"), "AS112 sinks (RFC 7535)"},
		{at("192.52.193.0/24"), "multicast relays (RFC 7450)"},
		{at("192.88.99.0/24"), "6to4 relays, deprecated (RFC 7526)"},
		{at("192.168.0.0/16"), "private use (RFC 1918)"},
		{at("192.175.48.0/24"), "AS112 sinks (RFC 7534)"},
		{at("198.18.0.0/15"), "benchmarks (RFC 2544)"},
		{at("198.51.100.0/24"), "documentation (RFC 5737)"},
		{at("203.0.113.0/24"), "documentation (RFC 5737)"},
		{at("224.0.0.0/4"), "multicast (RFC 5771)"},
		{at("255.255.255.255/32"), "broadcast (RFC 919)"},
		{at("240.0.0.0/4"), "reserved (RFC 1112)"},
		{at("::/128"), "the unspecified address (RFC 4291)"},
		{at("::1/128"), "loopback (RFC 4291)"},
		{at("::ffff:0:0/96"), "IPv4-mapped (RFC 4291)"},
		{at("::/96"), "IPv4-compatible, deprecated (RFC 4291)"},
		{at("64:ff9b::/96"), "IPv4 behind a translator (RFC 6052)"},
		{at("64:ff9b:1::/48"), "local translation (RFC 8215)"},
		{at("100::/64"), "discard only (RFC 6666)"},
		{at("100:0:0:1::/64"), "dummy prefix (RFC 9780)"},
		{at("2001::/32"), "Teredo (RFC 4380)"},
		{at("2001::/23"), "protocol assignments (RFC 2928)"},
		{at("2001:db8::/32"), "documentation (RFC 3849)"},
		{at("2002::/16"), "6to4 (RFC 3056)"},
		{at("2620:4f:8000::/48"), "AS112 sinks (RFC 7534)"},
		{at("3fff::/20"), "documentation (RFC 9637)"},
		{at("5f00::/16"), "segment routing (RFC 9602)"},
		{at("fc00::/7"), "unique local (RFC 4193)"},
		{at("fe80::/10"), "link-local (RFC 4291)"},
		{at("fec0::/10"), "site-local, deprecated (RFC 3879)"},
		{at("ff00::/8"), "multicast (RFC 4291)"},
	}
}
