package dnsfilter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/argine-dns/argine/dnsfilter/internal/batch"
	"github.com/argine-dns/argine/dnsfilter/internal/processors"
)

// SocketBuffer is the size of the receive and send buffers that [Listen] requests from the system, in bytes. With the
// usual default of about 200 KiB, bursts of queries are lost.
const SocketBuffer = 4 << 20

// Listeners are the open sockets of a server. Where the system supports SO_REUSEPORT, each UDP address has one socket
// per processor. [Server.Serve] serves UDP and TCP, package secure the others.
type Listeners struct {
	UDP []*net.UDPConn
	TCP []net.Listener

	TLS, HTTPS  []net.Listener // TCP sockets for the encrypted transports
	QUIC, HTTP3 []*net.UDPConn // UDP sockets; those of HTTP3 have the addresses of HTTPS

	shared atomic.Bool // another process has the same sockets, see Share
	buffer int         // receive buffer of a UDP socket as granted by the system, in bytes; 0: unknown
}

// Listen opens sockets at addresses such as udp://127.0.0.1:53 and tcp://[::1]:53: see [ParseListen]. If an address
// can't be opened, it closes all sockets and returns an error.
func Listen(ctx context.Context, addresses ...string) (*Listeners, error) {
	return ListenFrom(ctx, new(Listeners), addresses...)
}

// Adopt adds an open TCP or UDP socket. It duplicates the file descriptor, so the caller still has to close f.
func (l *Listeners) Adopt(f *os.File) error {
	if p, err := net.FilePacketConn(f); err == nil {
		u, ok := p.(*net.UDPConn)
		if !ok {
			return errors.Join(fmt.Errorf("%w: %s", errors.ErrUnsupported, p.LocalAddr().Network()), p.Close())
		}
		l.UDP = append(l.UDP, u)
		return nil
	}
	t, err := net.FileListener(f)
	if err == nil {
		l.TCP = append(l.TCP, t)
	}
	return err
}

// ListenFrom is like [Listen], but if a socket in the argument open is bound to one of the addresses, ListenFrom takes
// that socket and opens no new one. If ListenFrom fails, it also closes the sockets that remain in the argument open.
func ListenFrom(ctx context.Context, open *Listeners, addresses ...string) (*Listeners, error) {
	l := new(Listeners)
	for _, a := range addresses {
		if err := l.open(ctx, a, open); err != nil {
			return nil, errors.Join(fmt.Errorf("listening on %q: %w%s", a, err, listenHint(a, err)), l.Close(), open.Close())
		}
	}
	return l, nil
}

// listenHint returns advice on how to make an address available after an error, or an empty string.
func listenHint(address string, err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "; ports below 1024 need the capability CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=), or a socket unit"
	case errors.Is(err, syscall.EADDRINUSE) && strings.HasSuffix(address, ":53"):
		return "; another program has it, and ss -lnup 'sport = :53' says which (systemd-resolved: DNSStubListener=no in resolved.conf): end it, or name another address with listen"
	case errors.Is(err, syscall.EADDRINUSE):
		return "; another program has it (port 5353 is that of mDNS, so perhaps Avahi): end it, or name another address with listen"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "; no interface of this host has the address, and ip address shows those it has: give it to one, or name another"
	}
	return ""
}

func (l *Listeners) open(ctx context.Context, address string, open *Listeners) error {
	how, at, err := ParseListen(address)
	if err != nil {
		return err
	}
	switch how {
	case TCP:
		return listenTCP(ctx, &l.TCP, open, at)
	case TLS:
		return listenTCP(ctx, &l.TLS, open, at)
	case HTTPS:
		if err := listenTCP(ctx, &l.HTTPS, open, at); err != nil {
			return err
		}
		if local, ok := l.HTTPS[len(l.HTTPS)-1].Addr().(*net.TCPAddr); ok {
			at = netip.AddrPortFrom(at.Addr(), uint16(local.Port))
		}
		return l.listenQUIC(ctx, &l.HTTP3, open, at)
	case QUIC:
		return l.listenQUIC(ctx, &l.QUIC, open, at)
	default:
	}
	if moved := moveAt(&open.UDP, at, (*net.UDPConn).LocalAddr); len(moved) > 0 {
		for _, u := range moved {
			err = errors.Join(err, l.add(u, at))
		}
		return err
	}
	return l.openUDP(ctx, at)
}

// listenTCP adds the TCP sockets that are bound to an address to l. It moves them there from open.TCP. If open.TCP has
// none, it opens a new socket.
func listenTCP(ctx context.Context, l *[]net.Listener, open *Listeners, at netip.AddrPort) error {
	if moved := moveAt(&open.TCP, at, net.Listener.Addr); len(moved) > 0 {
		*l = append(*l, moved...)
		return nil
	}
	var c net.ListenConfig
	t, err := c.Listen(ctx, family("tcp", at), at.String())
	if err == nil {
		*l = append(*l, t)
	}
	return err
}

// listenQUIC adds the UDP sockets that are bound to an address to conns. It moves them there from open.UDP. If open.UDP
// has none, it opens a new socket.
func (l *Listeners) listenQUIC(ctx context.Context, conns *[]*net.UDPConn, open *Listeners, at netip.AddrPort) error {
	moved := moveAt(&open.UDP, at, (*net.UDPConn).LocalAddr)
	if len(moved) == 0 {
		u, err := bind(ctx, net.ListenConfig{}, at)
		if err != nil {
			return err
		}
		moved = append(moved, u)
	}
	*conns = append(*conns, moved...)
	return nil
}

// moveAt returns the sockets that are bound to an address, and removes them from the argument open.
func moveAt[T any](open *[]T, at netip.AddrPort, addr func(T) net.Addr) (moved []T) {
	*open = slices.DeleteFunc(*open, func(t T) bool {
		found := isAt(addr(t), at)
		if found {
			moved = append(moved, t)
		}
		return found
	})
	return moved
}

// isAt reports whether a socket is bound to an address.
func isAt(a net.Addr, at netip.AddrPort) bool {
	bound, err := netip.ParseAddrPort(a.String())
	return err == nil && bound.Port() == at.Port() && bound.Addr().Unmap() == at.Addr().Unmap()
}

// family returns a network name that is limited to the IP version of the address, such as udp4. With plain udp, a
// socket for 0.0.0.0 would also serve [::], and the other way round.
func family(network string, at netip.AddrPort) string {
	if at.Addr().Unmap().Is4() {
		return network + "4"
	}
	return network + "6"
}

// openUDP opens the UDP sockets at an address. It opens the first one exclusively, which fails if another program has
// the address. The others share the address with the first one (SO_REUSEPORT).
func (l *Listeners) openUDP(ctx context.Context, at netip.AddrPort) error {
	first, err := bind(ctx, net.ListenConfig{}, at)
	if err != nil {
		return err
	}
	if err := l.add(first, at); err != nil || !batch.CanShare {
		return err
	}
	raw, err := first.SyscallConn()
	if err != nil {
		return err
	}
	if err := batch.Share(raw); err != nil {
		return err
	}
	if local, ok := first.LocalAddr().(*net.UDPAddr); ok {
		at = netip.AddrPortFrom(at.Addr(), uint16(local.Port))
	}
	share := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error { return batch.Share(raw) }}
	for range processors.Count() - 1 {
		next, err := bind(ctx, share, at)
		if err != nil {
			return err
		}
		if err := l.add(next, at); err != nil {
			return err
		}
	}
	return nil
}

// bind opens one UDP socket.
func bind(ctx context.Context, c net.ListenConfig, at netip.AddrPort) (*net.UDPConn, error) {
	p, err := c.ListenPacket(ctx, family("udp", at), at.String())
	if err != nil {
		return nil, err
	}
	conn, ok := p.(*net.UDPConn)
	if !ok {
		return nil, errors.Join(errors.ErrUnsupported, p.Close())
	}
	return conn, nil
}

// add adds a UDP socket for plain DNS and sets its options.
func (l *Listeners) add(conn *net.UDPConn, at netip.AddrPort) error {
	l.UDP = append(l.UDP, conn)
	_ = conn.SetReadBuffer(SocketBuffer) // the system may grant less, which is no error
	_ = conn.SetWriteBuffer(SocketBuffer)
	l.buffer = batch.ReadBuffer(conn)
	if at.Addr().IsUnspecified() {
		return batch.WantLocal(conn)
	}
	return nil
}

// ParseListen parses a listen address: a scheme (udp://, tcp://, tls://, https:// or quic://), an IP address and a
// port.
func ParseListen(text string) (how Transport, at netip.AddrPort, err error) {
	scheme, rest, ok := strings.Cut(text, "://")
	known := slices.Index(transportNames[:], scheme)
	if !ok || known < 0 {
		return 0, at, fmt.Errorf("address %q: write it like udp://127.0.0.1:53 or tcp://[::1]:53; there are tls, https and quic, too",
			text)
	}
	if at, err = netip.ParseAddrPort(rest); err != nil {
		return 0, at, fmt.Errorf("address %q: an IP address and a port are needed after %s://", text, scheme)
	}
	return Transport(known), at, nil
}

// Share tells the server that another process has the same sockets. That process then answers the queries that are
// still in the sockets' buffers when [Server.Serve] ends.
func (l *Listeners) Share() { l.shared.Store(true) }

// Shared reports whether [Listeners.Share] was called.
func (l *Listeners) Shared() bool { return l.shared.Load() }

// ReceiveBuffer returns the size of the receive buffer that the system has granted to a UDP socket, in bytes, or 0 if
// it is unknown.
func (l *Listeners) ReceiveBuffer() int { return l.buffer }

// Addrs returns the addresses of the sockets in the fields UDP and TCP, each address once.
func (l *Listeners) Addrs() (all []net.Addr) {
	seen := map[string]bool{}
	add := func(a net.Addr) {
		if id := a.Network() + " " + a.String(); !seen[id] {
			seen[id] = true
			all = append(all, a)
		}
	}
	for _, c := range l.UDP {
		add(c.LocalAddr())
	}
	for _, t := range l.TCP {
		add(t.Addr())
	}
	return all
}

// Sockets returns all sockets, of all transports.
func (l *Listeners) Sockets() (all []io.Closer) {
	for _, u := range slices.Concat(l.UDP, l.QUIC, l.HTTP3) {
		all = append(all, u)
	}
	for _, t := range slices.Concat(l.TCP, l.TLS, l.HTTPS) {
		all = append(all, t)
	}
	return all
}

// Close closes the sockets. [Server.Serve] closes the sockets that it serves, without this call.
func (l *Listeners) Close() error {
	var errs []error
	for _, socket := range l.Sockets() {
		errs = append(errs, socket.Close())
	}
	return errors.Join(errs...)
}
