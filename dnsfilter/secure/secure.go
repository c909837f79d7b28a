// Package secure serves the resolver over encrypted transports: DNS over TLS (RFC 7858), over HTTPS (RFC 8484;
// HTTP/1.1, 2 and 3) and over QUIC (RFC 9250). It reads queries and writes answers; package dnsfilter makes the
// answers, and admits the connections.
package secure

import (
	"context"
	"crypto/tls"

	"golang.org/x/sync/errgroup"

	"github.com/argine-dns/argine/dnsfilter"
)

// Certificate returns the present certificate, for a new connection. Each call may return another one.
type Certificate func() *tls.Certificate

// Serve answers queries on the sockets of the encrypted transports in l until ctx ends, and closes these sockets. It
// returns an error as soon as a socket fails. For the UDP and TCP sockets in l, call [dnsfilter.Server.Serve].
func Serve(ctx context.Context, s *dnsfilter.Server, l *dnsfilter.Listeners, certificate Certificate) error {
	g, ctx := errgroup.WithContext(ctx)
	dot := certificate.config("dot")
	for _, t := range l.TLS {
		g.Go(func() error {
			return s.ServeStreams(ctx, t, dnsfilter.TLS, dot)
		})
	}
	for _, t := range l.HTTPS {
		g.Go(func() error { return serveHTTPS(ctx, s, t, certificate.config("h2", "http/1.1")) })
	}
	for _, u := range l.HTTP3 {
		g.Go(func() error { return serveHTTP3(ctx, s, u, certificate.config("h3")) })
	}
	for _, u := range l.QUIC {
		g.Go(func() error { return serveQUIC(ctx, s, u, certificate.config("doq")) })
	}
	return g.Wait()
}

// config returns the TLS configuration for application protocols (ALPN). TLS sessions can be resumed; the random keys
// of their tickets are replaced every day.
func (c Certificate) config(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     protocols,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c(), nil },
	}
}
