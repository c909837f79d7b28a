package dnsfilter

import (
	"net"
	"net/netip"
	"slices"
	"sync"
)

// maxConnsPerClient is how many TCP connections a client may have at once: an IPv4 address, or an IPv6 network of 64 bits.
const maxConnsPerClient = 100

// DefaultClients returns the networks that are served unless a policy names others: loopback, link-local and private ones
// (RFC 1918, RFC 4193), and those between a provider and its customers (RFC 6598).
func DefaultClients() []netip.Prefix {
	return slices.Clone(defaultClients)
}

var defaultClients = []netip.Prefix{ //nolint:gochecknoglobals // a constant table
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fc00::/7"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"),
}

// serves tells whether a client is answered. One without an IP address, of a transport that has none, always is.
func (p *Policy) serves(client netip.Addr) bool {
	networks := p.Clients
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

// clientListener closes the connections of clients that are not served, and those that one client has too many of.
type clientListener struct {
	net.Listener

	server *Server
	mu     sync.Mutex
	open   map[netip.Prefix]int
}

func (s *Server) limitClients(l net.Listener) net.Listener {
	return &clientListener{Listener: l, server: s, open: make(map[netip.Prefix]int)}
}

// Accept implements [net.Listener].
func (l *clientListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client := clientAddr(c.RemoteAddr())
		from := clientNetwork(client)
		if l.server.current.Load().policy.serves(client) && l.enter(from) {
			return &clientConn{Conn: c, leave: sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		_ = c.Close() // whoever it is, nothing was promised
	}
}

// clientNetwork returns what counts as one client.
func clientNetwork(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	p, _ := a.Prefix(min(a.BitLen(), 64)) // it fails for no address, which then counts as one, too
	return p
}

func (l *clientListener) enter(from netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[from] >= maxConnsPerClient {
		return false
	}
	l.open[from]++
	return true
}

func (l *clientListener) leave(from netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[from]--; l.open[from] == 0 {
		delete(l.open, from)
	}
}

// clientConn is a connection that is counted.
type clientConn struct {
	net.Conn

	leave func()
}

// Close implements [net.Conn].
func (c *clientConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
