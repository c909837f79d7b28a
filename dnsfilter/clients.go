package dnsfilter

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
)

// DefaultClients returns the networks that are served if [Config].Clients is empty: loopback, link-local and private
// networks (RFC 1918, RFC 4193), and the shared address space of providers (RFC 6598).
func DefaultClients() []netip.Prefix {
	return slices.Clone(defaultClients)
}

var defaultClients = []netip.Prefix{ //nolint:gochecknoglobals // a constant table
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fc00::/7"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"),
}

// serves reports whether a client is in one of the networks. An empty slice stands for the networks of DefaultClients.
// A client without an IP address is always served.
func serves(networks []netip.Prefix, client netip.Addr) bool {
	if len(networks) == 0 {
		networks = defaultClients
	}
	return !client.IsValid() || isWithin(networks, plainAddr(client))
}

// isWithin reports whether an address is in one of the networks. The address has the form of plainAddr.
func isWithin(networks []netip.Prefix, addr netip.Addr) bool {
	for i := range networks {
		if networks[i].Contains(addr) {
			return true
		}
	}
	return false
}

// plainAddr converts a client address for comparison with networks: an IPv4-mapped IPv6 address becomes an IPv4
// address, and an IPv6 zone is removed.
func plainAddr(client netip.Addr) netip.Addr {
	if client.Is4() {
		return client // the usual case, which costs less
	}
	return client.Unmap().WithZone("")
}

// clientAddr returns the IP address of a client, or the zero value if it has none.
func clientAddr(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.UDPAddr:
		return a.AddrPort().Addr()
	case *net.TCPAddr:
		return a.AddrPort().Addr()
	}
	return netip.Addr{}
}

// addrPort returns the IP address and port of a socket, or the zero value if the socket has none.
func addrPort(a net.Addr) (at netip.AddrPort) {
	switch a := a.(type) {
	case *net.UDPAddr:
		at = a.AddrPort()
	case *net.TCPAddr:
		at = a.AddrPort()
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// clientKey returns the key under which a client is counted: its IPv4 address, or its IPv6 /56 network, which is what a
// provider gives one customer. All clients without an IP address have the same key.
func clientKey(client netip.Addr) uint64 {
	client = client.Unmap()
	if client.Is4() {
		a := client.As4()
		return uint64(binary.BigEndian.Uint32(a[:]))
	}
	a := client.As16()
	return binary.BigEndian.Uint64(a[:])>>8 | 1<<63
}

// networkKey returns the key under which clients over UDP are counted: the IPv4 /24 or IPv6 /56 network. Over UDP, many
// addresses of one network may be forged.
func networkKey(client netip.Addr) uint64 {
	key := clientKey(client)
	if key>>63 == 0 {
		key >>= 8
	}
	return key
}
