package secure

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
	"github.com/argine-dns/argine/dnsfilter/internal/grace"
)

// Error codes of DNS over QUIC (RFC 9250, section 8.4).
const (
	errNone          = 0x0
	errProtocol      = 0x2
	errExcessiveLoad = 0x4
	errUnspecified   = 0x5
)

// Limits of QUIC. The windows hold some queries of the usual size; a longer one needs more round trips.
const (
	quicWindow       = 4 << 10  // bytes of a stream that are not read yet
	quicConnWindow   = 32 << 10 // ... of a connection
	handshakeTimeout = 5 * time.Second
	maxUnverified    = 500 // handshakes in a second from addresses that may be forged
)

// quicConfig returns the limits of a connection. HTTP/3 needs a few streams from the client in one direction.
func quicConfig(oneWay int64) *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout: handshakeTimeout, MaxIdleTimeout: idleTimeout,
		InitialStreamReceiveWindow: quicWindow, MaxStreamReceiveWindow: quicWindow,
		InitialConnectionReceiveWindow: quicConnWindow, MaxConnectionReceiveWindow: quicConnWindow,
		MaxIncomingStreams: maxStreams, MaxIncomingUniStreams: oneWay,
	}
}

// listenQUIC listens for QUIC connections on a socket. When many come, their addresses are verified first (RFC 9000,
// section 8.1.2).
func listenQUIC(conn *net.UDPConn, config *tls.Config, limits *quic.Config) (*quic.Listener, func(), error) {
	var n handshakes
	t := &quic.Transport{Conn: conn, VerifySourceAddress: func(net.Addr) bool { return n.add(time.Now()) > maxUnverified }}
	l, err := t.Listen(config, limits)
	if err != nil {
		return nil, nil, fmt.Errorf("serving QUIC: %w", errors.Join(err, conn.Close()))
	}
	return l, func() { _ = l.Close(); _ = t.Close(); _ = conn.Close() }, nil
}

// handshakes counts what begins within a second.
type handshakes struct{ second, n atomic.Int64 }

func (h *handshakes) add(now time.Time) int64 {
	if second := now.Unix(); h.second.Swap(second) != second {
		h.n.Store(0)
	}
	return h.n.Add(1)
}

// quicConn closes a QUIC connection to make room.
type quicConn struct{ *quic.Conn }

func (c quicConn) Close() error { return c.CloseWithError(errExcessiveLoad, "") }

// admitQUIC admits a QUIC connection, and releases it when it ends. It returns nil, and closes the connection, if there
// is no room.
func admitQUIC(s *dnsfilter.Server, conn *quic.Conn, how dnsfilter.Transport) *dnsfilter.Conn {
	at, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
	c := s.Admit(quicConn{conn}, at.Addr(), how)
	if c == nil {
		_ = quicConn{conn}.Close()
		return nil
	}
	context.AfterFunc(conn.Context(), c.Release)
	return c
}

// serveQUIC answers on the connections of a socket until ctx ends. Then it closes the socket.
func serveQUIC(ctx context.Context, s *dnsfilter.Server, conn *net.UDPConn, config *tls.Config) error {
	l, closeAll, err := listenQUIC(conn, config, quicConfig(-1))
	if err != nil {
		return err
	}
	defer closeAll()
	var open sync.WaitGroup
	for {
		conn, err := l.Accept(ctx)
		switch {
		case ctx.Err() != nil:
			grace.Wait(&open, 2*dnsfilter.GracePeriod)
			return nil
		case err != nil:
			return fmt.Errorf("serving QUIC: %w", err)
		}
		if c := admitQUIC(s, conn, dnsfilter.QUIC); c != nil {
			open.Go(func() { serveStreams(ctx, conn, c) })
		}
	}
}

// serveStreams answers one query on each stream of a connection. When ctx ends, it closes the connection after the
// queries that wait, within the grace period.
func serveStreams(ctx context.Context, conn *quic.Conn, c *dnsfilter.Conn) {
	var streams sync.WaitGroup
	for {
		stream, err := conn.AcceptStream(ctx)
		if err != nil {
			break
		}
		streams.Go(func() {
			if code := serveStream(stream, c); code == errProtocol {
				_ = conn.CloseWithError(errProtocol, "")
			} else if code != errNone {
				stream.CancelRead(code)
				stream.CancelWrite(code)
			}
		})
	}
	end := time.AfterFunc(dnsfilter.GracePeriod, func() { _ = conn.CloseWithError(errNone, "") })
	defer end.Stop()
	streams.Wait() // a closed connection ends them
	_ = conn.CloseWithError(errNone, "")
}

// serveStream answers the query on a stream (RFC 9250, section 4.2). It returns an error code.
func serveStream(stream *quic.Stream, c *dnsfilter.Conn) quic.StreamErrorCode {
	b, _ := pool.Get().(*buffers)
	defer pool.Put(b)
	if err := stream.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return errUnspecified
	}
	if code := b.readStream(stream); code != errNone {
		return code
	}
	m := c.Answer(b.answer[2:2], b.query)
	if len(m) == 0 {
		return errUnspecified // no answer is sent: the policy says so, or there is no room
	}
	framed := binary.BigEndian.AppendUint16(b.answer[:0], uint16(len(m)))
	_, errWrite := stream.Write(append(framed, m...)) // mostly, m is there already
	if err := errors.Join(errWrite, stream.Close()); err != nil {
		return errUnspecified
	}
	return errNone
}

// readStream reads a query to the end of its stream. What follows the query, an ID other than 0 and the option
// edns-tcp-keepalive are errors (RFC 9250, sections 4.3.3 and 5.5.2).
func (b *buffers) readStream(stream io.Reader) quic.StreamErrorCode {
	n, err := io.ReadFull(stream, b.query[:cap(b.query)])
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return errUnspecified // it was cut off, took too long, or is too long
	}
	if n < 2 || n < 2+minQuery || int(binary.BigEndian.Uint16(b.query[:2])) != n-2 {
		return errProtocol
	}
	b.query = append(b.query[:0], b.query[2:n]...)
	if dnswire.Uint16(b.query, 0) != 0 || hasKeepalive(b.query) {
		return errProtocol
	}
	return errNone
}

func hasKeepalive(m []byte) bool {
	for r := range dnswire.Records(m) {
		if r.Type == dns.TypeOPT && dnswire.HasOption(r.Data, dns.EDNS0TCPKEEPALIVE) {
			return true
		}
	}
	return false
}
