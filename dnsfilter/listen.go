package dnsfilter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/netutil"
)

const (
	receiveBuffer = 4 << 20         // bytes; with the usual 200 KiB a burst of queries is lost
	maxConns      = 1000            // TCP connections of a listener; more wait to be accepted
	idleWithin    = 8 * time.Second // between two queries on a connection, and for a query once begun
	firstWithin   = 2 * time.Second // for the first query on a connection
	writeWithin   = 2 * time.Second // for an answer to be taken by the network
)

// Listeners are the sockets that a server answers on.
type Listeners struct {
	UDP []net.PacketConn
	TCP []net.Listener
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
		t, err := c.Listen(ctx, network, at.String())
		if err == nil {
			l.TCP = append(l.TCP, t)
		}
		return err
	}
	u, err := c.ListenPacket(ctx, network, at.String())
	if err != nil {
		return err
	}
	if conn, ok := u.(*net.UDPConn); ok {
		_ = conn.SetReadBuffer(receiveBuffer) // the system may grant less; it still works then
	}
	l.UDP = append(l.UDP, u)
	return nil
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

// servers returns the miekg/dns server of each socket.
func (l *Listeners) servers(h dns.Handler) []*dns.Server {
	var out []*dns.Server
	for _, u := range l.UDP {
		d := &dns.Server{PacketConn: u, Handler: h, MsgAcceptFunc: accept, UDPSize: 4096}
		if _, ok := u.(*net.UDPConn); ok {
			d.DecorateReader = func(r dns.Reader) dns.Reader { return patientReader{r} }
		}
		out = append(out, d)
	}
	for _, t := range l.TCP {
		out = append(out, &dns.Server{
			Listener: &boundListener{netutil.LimitListener(t, maxConns)}, Handler: h, MsgAcceptFunc: accept,
			ReadTimeout: firstWithin, IdleTimeout: func() time.Duration { return idleWithin }, MaxTCPQueries: -1,
		})
	}
	return out
}

// accept decides from the header alone: no reply to replies, NOTIMP for other opcodes than QUERY, FORMERR for several
// questions or none and for records where a query has none.
func accept(h dns.Header) dns.MsgAcceptAction {
	if h.Bits&flagQR == 0 && h.Bits>>11&15 != dns.OpcodeQuery {
		return dns.MsgRejectNotImplemented
	}
	return dns.DefaultMsgAcceptFunc(h)
}

// patientReader keeps a datagram that the system can't deliver (too long on Windows, say) from ending the server.
type patientReader struct{ dns.Reader }

// ReadUDP implements [dns.Reader].
func (r patientReader) ReadUDP(conn *net.UDPConn, timeout time.Duration) ([]byte, *dns.SessionUDP, error) {
	for {
		m, session, err := r.Reader.ReadUDP(conn, timeout)
		if err == nil || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
			return m, session, err
		}
		time.Sleep(time.Millisecond)
	}
}

// boundListener gives each write of its connections a time limit, so that a client that does not read holds nothing up.
type boundListener struct{ net.Listener }

// Accept implements [net.Listener].
func (l *boundListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return boundConn{c}, nil
}

type boundConn struct{ net.Conn }

// Write implements [net.Conn].
func (c boundConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
