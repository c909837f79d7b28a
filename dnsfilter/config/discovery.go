package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/argine-dns/argine/dnsfilter"
)

// Clients discover encrypted resolvers below this zone (RFC 9462). Forwarders should not forward queries for names in
// the zone (section 6.4). So the server answers the zone itself, unless the settings name it with a minus sign.
const (
	discovery   = "resolver.arpa"
	noDiscovery = "-" + discovery
	designated  = "_dns." + discovery
)

// discoveryRecords returns the records of _dns.resolver.arpa, as lines of a zone file: the server's own encrypted
// transports, in the order of the settings, at the first name of the certificate. It returns none if there are no such
// transports, or if the certificate has no name.
func (s *Settings) discoveryRecords() (lines string, err error) {
	if s.Certificate.Cert == "" || slices.Contains(s.Local, noDiscovery) {
		return "", nil
	}
	pair, err := s.Certificate.Load()
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(pair.Leaf.DNSNames, func(name string) bool { return !strings.HasPrefix(name, "*") })
	if at < 0 {
		return "", nil
	}
	for i, d := range s.designations() {
		lines += fmt.Sprintf("%s. 300 IN SVCB %d %s. %s\n", designated, i+1, pair.Leaf.DNSNames[at], d.parameters())
	}
	return lines, nil
}

// designation is one transport at one port, and its addresses.
type designation struct {
	how   dnsfilter.Transport
	port  uint16
	addrs []netip.Addr
}

// designations returns the encrypted transports of the listen addresses.
func (s *Settings) designations() (all []designation) {
	for _, text := range s.Listen {
		how, listen, err := dnsfilter.ParseListen(text)
		if err != nil || !isEncrypted(how) {
			continue
		}
		at := slices.IndexFunc(all, func(d designation) bool { return d.how == how && d.port == listen.Port() })
		if at < 0 {
			at = len(all)
			all = append(all, designation{how: how, port: listen.Port()})
		}
		if addr := listen.Addr().Unmap().WithZone(""); !addr.IsUnspecified() {
			all[at].addrs = append(all[at].addrs, addr)
		}
	}
	return all
}

// parameters returns the service parameters (RFC 9461).
func (d designation) parameters() string {
	text := map[dnsfilter.Transport]string{
		dnsfilter.TLS: "alpn=dot", dnsfilter.QUIC: "alpn=doq", dnsfilter.HTTPS: `alpn="h2,h3" dohpath="` + dnsfilter.HTTPSPath + `{?dns}"`,
	}[d.how]
	return fmt.Sprintf("%s port=%d%s%s", text, d.port, d.hints("ipv4hint", netip.Addr.Is4), d.hints("ipv6hint", netip.Addr.Is6))
}

// hints returns the parameter with the addresses of one kind, or nothing if there are none.
func (d designation) hints(key string, is func(netip.Addr) bool) string {
	var hints []string
	for _, addr := range d.addrs {
		if is(addr) {
			hints = append(hints, addr.String())
		}
	}
	if len(hints) == 0 {
		return ""
	}
	return " " + key + "=" + strings.Join(hints, ",")
}
