package secure

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/argine-dns/argine/dnsfilter"
)

// serveHTTP3 answers requests over HTTP/3 on a socket until ctx ends. Then it closes the socket.
func serveHTTP3(ctx context.Context, s *dnsfilter.Server, conn *net.UDPConn, config *tls.Config) error {
	l, closeAll, err := listenQUIC(conn, http3.ConfigureTLSConfig(config), quicConfig(maxOneWay))
	if err != nil {
		return err
	}
	defer closeAll()
	h := http3.Server{
		Handler: http.HandlerFunc(serveRequest), MaxHeaderBytes: maxHeaderBytes, IdleTimeout: idleTimeout,
		ConnContext: func(ctx context.Context, conn *quic.Conn) context.Context {
			return context.WithValue(ctx, admittedKey{}, admitQUIC(s, conn, dnsfilter.HTTPS))
		},
	}
	stop := context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.Background(), dnsfilter.GracePeriod)
		defer cancel()
		_ = h.Shutdown(end) // the requests that are left are cut off
		_ = h.Close()
		_ = l.Close()
	})
	defer stop()
	if err := h.ServeListener(l); ctx.Err() == nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP/3: %w", err)
	}
	return nil
}

// maxOneWay is the number of streams in one direction that a client of HTTP/3 may open: control, and the tables of
// QPACK (RFC 9114, section 6.2), with some to be ignored.
const maxOneWay = 8
