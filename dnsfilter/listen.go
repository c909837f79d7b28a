package dnsfilter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/argine-dns/argine/dnsfilter/internal/batch"
	"github.com/argine-dns/argine/dnsfilter/internal/processors"
)

// socketBuffer is in bytes; with the usual 200 KiB a burst of queries is lost.
const socketBuffer = 4 << 20

// Listeners are the sockets that a server answers on. Where the system can share an address among sockets, there is one UDP
// socket for each processor.
type Listeners struct {
	UDP []*net.UDPConn
	TCP []net.Listener

	held atomic.Bool // by others, too, who will answer what is left in them
}

// Listen opens sockets at addresses such as udp://127.0.0.1:53 and tcp://[::1]:53. If one can't be opened, none is.
func Listen(ctx context.Context, addresses ...string) (*Listeners, error) {
	l := new(Listeners)
	for _, a := range addresses {
		if err := l.open(ctx, a); err != nil {
			return nil, errors.Join(fmt.Errorf("listening on %q: %w", a, err), l.Close())
		}
	}
	return l, nil
}

func (l *Listeners) open(ctx context.Context, address string) error {
	network, at, err := ParseListen(address)
	if err != nil {
		return err
	}
	var c net.ListenConfig
	if network == "tcp" {
		t, err := c.Listen(ctx, family(network, at), at.String())
		if err == nil {
			l.TCP = append(l.TCP, t)
		}
		return err
	}
	return l.openUDP(ctx, at)
}

// family keeps 0.0.0.0 from meaning [::] too, and the other way round.
func family(network string, at netip.AddrPort) string {
	if at.Addr().Unmap().Is4() {
		return network + "4"
	}
	return network + "6"
}

// openUDP opens the first socket at an address, which nobody else may have, then those that share it.
func (l *Listeners) openUDP(ctx context.Context, at netip.AddrPort) error {
	first, err := l.bind(ctx, net.ListenConfig{}, at)
	if err != nil || !batch.CanShare {
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
		if _, err := l.bind(ctx, share, at); err != nil {
			return err
		}
	}
	return nil
}

// bind opens one UDP socket.
func (l *Listeners) bind(ctx context.Context, c net.ListenConfig, at netip.AddrPort) (*net.UDPConn, error) {
	p, err := c.ListenPacket(ctx, family("udp", at), at.String())
	if err != nil {
		return nil, err
	}
	conn, ok := p.(*net.UDPConn)
	if !ok {
		return nil, errors.Join(errors.ErrUnsupported, p.Close())
	}
	l.UDP = append(l.UDP, conn)
	_ = conn.SetReadBuffer(socketBuffer) // the system may grant less; it still works then
	_ = conn.SetWriteBuffer(socketBuffer)
	if at.Addr().IsUnspecified() {
		return conn, batch.WantLocal(conn)
	}
	return conn, nil
}

// ParseListen reads an address to listen on: udp:// or tcp://, an IP address and a port.
func ParseListen(text string) (network string, at netip.AddrPort, err error) {
	network, rest, ok := strings.Cut(text, "://")
	if !ok || network != "udp" && network != "tcp" {
		return "", at, fmt.Errorf("address %q: write it like udp://127.0.0.1:53 or tcp://[::1]:53", text)
	}
	if at, err = netip.ParseAddrPort(rest); err != nil {
		return "", at, fmt.Errorf("address %q: an IP address and a port are needed after %s://", text, network)
	}
	return network, at, nil
}

// Close closes the sockets. [Server.Serve] does so itself.
func (l *Listeners) Close() error {
	var errs []error
	for _, u := range l.UDP {
		errs = append(errs, u.Close())
	}
	for _, t := range l.TCP {
		errs = append(errs, t.Close())
	}
	return errors.Join(errs...)
}
