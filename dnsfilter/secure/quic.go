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
	"os"
	"sync"
	"time"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"
	"golang.org/x/sync/errgroup"

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
	quicWindow     = 4 << 10  // maximum number of unread bytes of a stream
	quicConnWindow = 32 << 10 // maximum number of unread bytes of a connection
)

// quicConfig returns the limits of a QUIC connection. The argument oneWay is the number of unidirectional streams that
// the client may open, or -1 for none.
func quicConfig(oneWay int64) *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout: handshakeTimeout, MaxIdleTimeout: idleTimeout,
		InitialStreamReceiveWindow: quicWindow, MaxStreamReceiveWindow: quicWindow,
		InitialConnectionReceiveWindow: quicConnWindow, MaxConnectionReceiveWindow: quicConnWindow,
		MaxIncomingStreams: maxStreams, MaxIncomingUniStreams: oneWay,
	}
}

// quicServer serves the QUIC connections of a socket.
type quicServer struct {
	engine     *dnsfilter.Server
	how        dnsfilter.Transport
	handshakes handshakes
	open       sync.WaitGroup // running connections
	unfinished unfinished
}

// serve accepts the connections of a socket until ctx ends. It admits them, and calls handle for each admitted one in a
// goroutine. After these connections have ended, or the grace period has passed, it closes the socket.
func (s *quicServer) serve(ctx context.Context, conn *net.UDPConn, config *tls.Config, limits *quic.Config,
	handle func(*quic.Conn, *dnsfilter.Conn),
) error {
	defer conn.Close() //nolint:errcheck // nothing is written any more
	t := &quic.Transport{Conn: conn, VerifySourceAddress: s.handshakes.mustVerify, ConnContext: s.handshakes.begin}
	defer t.Close() //nolint:errcheck // as above
	l, err := t.Listen(config, limits)
	if err != nil {
		return fmt.Errorf("serving QUIC: %w", err)
	}
	defer l.Close() //nolint:errcheck // as above
	g, within := errgroup.WithContext(ctx)
	for range acceptors {
		g.Go(func() error { return s.accept(within, l, handle) })
	}
	if err := g.Wait(); ctx.Err() == nil {
		return fmt.Errorf("serving QUIC: %w", err)
	}
	grace.Wait(&s.open, 2*dnsfilter.GracePeriod)
	return nil
}

// acceptors is the number of goroutines that accept the connections of a socket. quic-go refuses connections if 32 wait
// to be accepted. A burst of clients would exceed that before a single goroutine runs again.
const acceptors = 256

// accept accepts connections until ctx ends or the listener fails. It returns the error.
func (s *quicServer) accept(ctx context.Context, l *quic.Listener, handle func(*quic.Conn, *dnsfilter.Conn)) error {
	for {
		conn, err := l.Accept(ctx)
		if err != nil {
			return err
		}
		s.handshakes.complete(conn)
		if c := s.admit(conn); c != nil {
			s.open.Go(func() { handle(conn, c) })
		}
	}
}

// quicConn is a QUIC connection that the server can close to make room for another client.
type quicConn struct{ *quic.Conn }

func (c quicConn) Close() error { return c.CloseWithError(errExcessiveLoad, "") }

// admit admits a connection, and releases it when it ends. If the server does not admit it, admit closes it and returns
// nil.
func (s *quicServer) admit(conn *quic.Conn) *dnsfilter.Conn {
	at, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
	c := s.engine.Admit(quicConn{conn}, at.Addr(), s.how)
	if c == nil {
		_ = quicConn{conn}.Close()
		return nil
	}
	context.AfterFunc(conn.Context(), c.Release)
	return c
}

// serveQUIC answers DNS over QUIC on a socket until ctx ends. Then it closes the socket.
func serveQUIC(ctx context.Context, engine *dnsfilter.Server, conn *net.UDPConn, config *tls.Config) error {
	s := quicServer{engine: engine, how: dnsfilter.QUIC}
	return s.serve(ctx, conn, config, quicConfig(-1), func(conn *quic.Conn, c *dnsfilter.Conn) {
		idle := time.AfterFunc(idleTimeout, func() { _ = conn.CloseWithError(errNone, "") })
		defer idle.Stop()
		serveStreams(ctx, conn, errNone, (&doqConn{&s, conn, c, idle}).serve)
	})
}

// serveStreams serves the streams of a connection. The function serve answers a stream and returns nil, or returns a
// function that answers it in another goroutine. After ctx has ended, serveStreams waits for pending queries within the
// grace period, and closes the connection with the error code.
func serveStreams(ctx context.Context, conn *quic.Conn, code quic.ApplicationErrorCode,
	serve func(*quic.Stream) func(),
) {
	var streams sync.WaitGroup
	for {
		stream, err := conn.AcceptStream(ctx)
		if err != nil {
			break
		}
		if late := serve(stream); late != nil {
			streams.Go(late)
		}
	}
	end := time.AfterFunc(dnsfilter.GracePeriod, func() { _ = conn.CloseWithError(code, "") })
	defer end.Stop()
	streams.Wait() // a closed connection ends them
	_ = conn.CloseWithError(code, "")
}

// doqConn is a connection of DNS over QUIC.
type doqConn struct {
	server *quicServer
	conn   *quic.Conn
	client *dnsfilter.Conn
	idle   *time.Timer // closes an idle connection; unlike MaxIdleTimeout, it ignores packets without a query
}

// serve answers the query on a stream (RFC 9250, section 4.2). Nearly all queries come whole in the first packet of
// their stream, and most can be answered at once. For the others, serve returns a function that answers in another
// goroutine; a goroutine for every stream would need a fifth more processor time.
func (d *doqConn) serve(stream *quic.Stream) func() {
	b, _ := pool.Get().(*buffers)
	b.query = b.query[:0]
	d.idle.Reset(idleTimeout)
	_ = stream.SetReadDeadline(time.Now().Add(atOnce)) // it can't fail, nor below
	err := b.readStream(stream)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return d.answer(stream, b, err)
	}
	done := d.server.unfinished.addStream(stream, errExcessiveLoad)
	return func() {
		_ = stream.SetReadDeadline(time.Now().Add(requestTimeout))
		err := b.readStream(stream)
		done()
		if late := d.answer(stream, b, err); late != nil {
			late()
		}
	}
}

// answer answers the query in b. The argument err is the error of reading the query, which is io.EOF if the query is
// complete. After another error, answer ends the stream with an error code. If the upstream is needed, answer returns a
// function that waits and answers.
func (d *doqConn) answer(stream *quic.Stream, b *buffers, err error) func() {
	if !errors.Is(err, io.EOF) {
		d.end(stream, b, errUnspecified) // it was cut off, took too long, or is too long
		return nil
	}
	query, ok := parseStream(b.query)
	if !ok {
		d.end(stream, b, errProtocol)
		return nil
	}
	m, wait := d.client.AnswerNow(b.answer[2:2], query)
	if wait != nil {
		return func() { d.write(stream, b, wait()) }
	}
	framed, ok := b.frame(m)
	if !ok {
		d.end(stream, b, errUnspecified)
		return nil
	}
	if err = stream.TryWriteAll(framed); errors.Is(err, quic.ErrWouldBlock) {
		return func() { d.write(stream, b, m) }
	}
	d.finish(stream, b, err)
	return nil
}

// write writes answer m to a stream. It waits while the flow control windows of the client are full. If m is empty, it
// ends the stream with an error.
func (d *doqConn) write(stream *quic.Stream, b *buffers, m []byte) {
	framed, ok := b.frame(m)
	if !ok {
		d.end(stream, b, errUnspecified)
		return
	}
	err := stream.TryWriteAll(framed)
	if errors.Is(err, quic.ErrWouldBlock) {
		defer d.server.unfinished.addStream(stream, errExcessiveLoad)()
		_ = stream.SetWriteDeadline(time.Now().Add(requestTimeout))
		_, err = stream.Write(framed)
	}
	d.finish(stream, b, err)
}

// frame returns an answer with its length in front, in the buffer of b. It returns false if there is no answer: the
// action is drop, or the server is full.
func (b *buffers) frame(m []byte) ([]byte, bool) {
	if len(m) == 0 {
		return nil, false
	}
	return append(binary.BigEndian.AppendUint16(b.answer[:0], uint16(len(m))), m...), true
}

// finish closes a stream after its answer was written. If writing or closing has failed, it ends the stream with an
// error.
func (d *doqConn) finish(stream *quic.Stream, b *buffers, err error) {
	if err != nil || stream.Close() != nil {
		d.end(stream, b, errUnspecified)
		return
	}
	pool.Put(b)
}

// end ends a stream with an error code. A protocol error closes the whole connection (RFC 9250, section 4.3.3).
func (d *doqConn) end(stream *quic.Stream, b *buffers, code quic.StreamErrorCode) {
	pool.Put(b)
	if code == errProtocol {
		_ = d.conn.CloseWithError(errProtocol, "")
		return
	}
	cancel(stream, code)
}

// readStream reads more of the query into b. It returns io.EOF at the end of the stream, and io.ErrShortBuffer if the
// query is too long.
func (b *buffers) readStream(stream io.Reader) error {
	for len(b.query) < cap(b.query) {
		n, err := stream.Read(b.query[len(b.query):cap(b.query)])
		b.query = b.query[:len(b.query)+n]
		if err != nil {
			return err
		}
	}
	return io.ErrShortBuffer
}

// parseStream returns the query on a stream, without its length. It returns false for protocol errors: more bytes
// follow the query, its ID is not 0, or it has the option edns-tcp-keepalive (RFC 9250, sections 4.3.3 and 5.5.2).
func parseStream(sent []byte) (query []byte, ok bool) {
	if len(sent) < 2+minQuery || int(binary.BigEndian.Uint16(sent)) != len(sent)-2 {
		return nil, false
	}
	query = sent[2:]
	return query, dnswire.Uint16(query, 0) == 0 && !hasKeepalive(query)
}

func hasKeepalive(m []byte) bool {
	for r := range dnswire.Records(m) {
		if r.Type == dns.TypeOPT && dnswire.HasOption(r.Data, dns.EDNS0TCPKEEPALIVE) {
			return true
		}
	}
	return false
}
