package dnsfilter

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
)

// DefaultClients returns the networks that are served unless a policy names others: loopback, link-local and private
// ones (RFC 1918, RFC 4193), and those between a provider and its customers (RFC 6598).
func DefaultClients() []netip.Prefix {
	return slices.Clone(defaultClients)
}

var defaultClients = []netip.Prefix{ //nolint:gochecknoglobals // a constant table
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fc00::/7"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"),
}

// serves reports whether one of the networks, or the default ones, has a client. One without an IP address is served.
func serves(networks []netip.Prefix, client netip.Addr) bool {
	if len(networks) == 0 {
		networks = defaultClients
	}
	client = plainAddr(client)
	for i := range networks {
		if networks[i].Contains(client) {
			return true
		}
	}
	return !client.IsValid()
}

// plainAddr returns the form in which addresses of clients are compared.
func plainAddr(client netip.Addr) netip.Addr {
	if client.Is4() {
		return client // as nearly all come, which costs less
	}
	return client.Unmap().WithZone("")
}

// clientAddr returns the IP address of a client; the zero value if it has none.
func clientAddr(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.UDPAddr:
		return a.AddrPort().Addr()
	case *net.TCPAddr:
		return a.AddrPort().Addr()
	}
	return netip.Addr{}
}

// clientKey returns the key by which one client is counted: an IPv4 address, or an IPv6 network of 56 bits, which is
// what a provider gives one customer. Clients without an IP address are one.
func clientKey(client netip.Addr) uint64 {
	client = client.Unmap()
	if client.Is4() {
		a := client.As4()
		return uint64(binary.BigEndian.Uint32(a[:]))
	}
	a := client.As16()
	return binary.BigEndian.Uint64(a[:])>>8 | 1<<63
}

// networkKey returns the key by which clients over UDP are counted, where many addresses of a network may be forged: 24
// bits of IPv4, and of IPv6 the same as a client.
func networkKey(client netip.Addr) uint64 {
	key := clientKey(client)
	if key>>63 == 0 {
		key >>= 8
	}
	return key
}
