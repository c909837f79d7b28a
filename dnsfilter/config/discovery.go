package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/argine-dns/argine/dnsfilter"
)

// discovery is the zone below which clients discover encrypted resolvers (RFC 9462). Forwarders should not forward
// queries for names in the zone (section 6.4), so the server answers the zone itself, unless the key local has
// noDiscovery.
const (
	discovery   = "resolver.arpa"
	noDiscovery = "-" + discovery
	designated  = "_dns." + discovery
)

// discoveryRecords returns the SVCB records of _dns.resolver.arpa, as lines of a zone file. They name the server's own
// encrypted transports, in the order of the settings, and the first name without a wildcard on the certificate. It
// returns no lines if there are no such transports, if there is no certificate, or if the certificate has no such name.
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

// designation is an encrypted transport at one port, with its addresses.
type designation struct {
	how   dnsfilter.Transport
	port  uint16
	addrs []netip.Addr
}

// designations returns the encrypted transports of the listen addresses, one designation per transport and port.
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

// parameters returns the service parameters of the SVCB record (RFC 9461) as text.
func (d designation) parameters() string {
	text := map[dnsfilter.Transport]string{
		dnsfilter.TLS: "alpn=dot", dnsfilter.QUIC: "alpn=doq", dnsfilter.HTTPS: `alpn="h2,h3" dohpath="` + dnsfilter.HTTPSPath + `{?dns}"`,
	}[d.how]
	return fmt.Sprintf("%s port=%d%s%s", text, d.port, d.hints("ipv4hint", netip.Addr.Is4), d.hints("ipv6hint", netip.Addr.Is6))
}

// hints returns the SVCB parameter ipv4hint or ipv6hint as text, with the addresses for which match returns true. It
// returns an empty text if there are none.
func (d designation) hints(key string, match func(netip.Addr) bool) string {
	var hints []string
	for _, addr := range d.addrs {
		if match(addr) {
			hints = append(hints, addr.String())
		}
	}
	if len(hints) == 0 {
		return ""
	}
	return " " + key + "=" + strings.Join(hints, ",")
}
