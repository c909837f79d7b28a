package secure

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/argine-dns/argine/dnsfilter"
)

// serveHTTP3 answers requests over HTTP/3 on a socket until ctx ends. Then it closes the socket.
func serveHTTP3(ctx context.Context, engine *dnsfilter.Server, conn *net.UDPConn, config *tls.Config) error {
	s := quicServer{engine: engine, how: dnsfilter.HTTPS}
	config = http3.ConfigureTLSConfig(config)
	return s.serve(ctx, conn, config, quicConfig(maxOneWay), func(conn *quic.Conn, c *dnsfilter.Conn) {
		h := http3.Server{
			Handler: s.limitAnswers(serveRequest), MaxHeaderBytes: maxHeaderBytes, IdleTimeout: idleTimeout,
			ConnContext: func(ctx context.Context, _ *quic.Conn) context.Context {
				return context.WithValue(ctx, admittedKey{}, c)
			},
		}
		server, err := h.NewRawServerConn(conn)
		if err != nil {
			return // it has ended
		}
		go serveOneWay(conn, server)
		serveStreams(ctx, conn, quic.ApplicationErrorCode(http3.ErrCodeNoError), func(stream *quic.Stream) func() {
			done := func() {}
			if !isWhole(stream) {
				done = s.unfinished.addStream(stream, quic.StreamErrorCode(http3.ErrCodeExcessiveLoad))
			}
			_ = stream.SetDeadline(time.Now().Add(requestTimeout)) // it can't fail
			return func() {
				defer done()
				server.HandleRequestStream(stream)
			}
		})
	})
}

// isWhole reports whether a request has arrived completely within atOnce, as nearly all do. It returns false for a
// request that is longer than the window of its stream.
func isWhole(stream *quic.Stream) bool {
	b, _ := pool.Get().(*buffers)
	defer pool.Put(b)
	_ = stream.SetReadDeadline(time.Now().Add(atOnce)) // it can't fail
	_, err := stream.Peek(b.query[:quicWindow])
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// limitAnswers returns a handler that calls serve. While serve writes a long answer, the request counts as unfinished.
func (s *quicServer) limitAnswers(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { serve(longWriter{w, &s.unfinished}, r) }
}

// longWriter writes an answer over HTTP/3. It counts a long answer as unfinished while it is written.
type longWriter struct {
	http.ResponseWriter

	unfinished *unfinished
}

// buffered is the maximum size of answers, in bytes, that quic-go keeps until the flow control windows of the client
// allow sending them. Writing a longer answer waits.
const buffered = 1 << 10

func (w longWriter) Write(m []byte) (int, error) {
	if len(m) <= buffered {
		return w.ResponseWriter.Write(m)
	}
	stream := http.NewResponseController(w.ResponseWriter)
	defer w.unfinished.add(func() { _ = stream.SetWriteDeadline(time.Now()) })() // it can't fail
	n, err := w.ResponseWriter.Write(m)
	return n, errors.Join(err, stream.Flush())
}

// serveOneWay handles the unidirectional streams of a connection until the connection ends.
func serveOneWay(conn *quic.Conn, server *http3.RawServerConn) {
	for {
		stream, err := conn.AcceptUniStream(context.Background())
		if err != nil {
			return
		}
		go server.HandleUnidirectionalStream(stream)
	}
}

// maxOneWay is the number of unidirectional streams that a client of HTTP/3 may open: the control stream, two for QPACK
// (RFC 9114, section 6.2), and some of unknown types, which are ignored.
const maxOneWay = 8
