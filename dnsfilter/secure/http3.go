package secure

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
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
			Handler: http.HandlerFunc(serveRequest), MaxHeaderBytes: maxHeaderBytes, IdleTimeout: idleTimeout,
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
			_ = stream.SetDeadline(time.Now().Add(requestTimeout)) // it can't fail
			return func() { server.HandleRequestStream(stream) }
		})
	})
}

// serveOneWay reads the streams in one direction of a connection, until it ends.
func serveOneWay(conn *quic.Conn, server *http3.RawServerConn) {
	for {
		stream, err := conn.AcceptUniStream(context.Background())
		if err != nil {
			return
		}
		go server.HandleUnidirectionalStream(stream)
	}
}

// maxOneWay is the number of streams in one direction that a client of HTTP/3 may open: the control stream, the tables
// of QPACK (RFC 9114, section 6.2), and some of unknown types, which are ignored.
const maxOneWay = 8
