package service

import (
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/secure"
)

// renewBefore is how long before the expiry of the certificate the service begins to log a warning.
const renewBefore = 7 * 24 * time.Hour

// certificate has the TLS certificate in force and its private key. If their files change, and are valid, the new pair
// replaces the one in force.
type certificate struct {
	pair atomic.Pointer[tls.Certificate]
}

// load reads the certificate of the settings, if there is one, and puts it in force.
func (c *certificate) load(s *config.Settings, log *slog.Logger) error {
	if s.Certificate.Cert == "" {
		return nil
	}
	pair, err := s.Certificate.Load()
	if err != nil {
		return err
	}
	c.pair.Store(pair)
	if left := time.Until(pair.Leaf.NotAfter); left < renewBefore {
		log.Warn("the certificate has expired or soon will: renew it", slog.String("file", s.Certificate.Cert),
			slog.Time("expires", pair.Leaf.NotAfter))
	}
	return nil
}

// frequentGC is the GOGC value for servers with encrypted transports, unless the environment variable GOGC is set. With
// the default, the garbage of TLS handshakes would double the memory of the connections. Queries make little garbage.
const frequentGC = 50

// serve answers queries on all sockets until ctx ends.
func (s *Service) serve(ctx context.Context, l *dnsfilter.Listeners) error {
	defer s.logs.start()() // it ends after the last answer
	g, ctx := errgroup.WithContext(ctx)
	if len(l.TLS)+len(l.HTTPS)+len(l.QUIC) > 0 {
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(frequentGC)
		}
		g.Go(func() error { return returnGarbage(ctx, s.server) })
	}
	g.Go(func() error { return s.server.Serve(ctx, l) })
	g.Go(func() error { return secure.Serve(ctx, s.server, l, s.certificate.pair.Load) })
	return g.Wait()
}

// certificateKey is put before the path of a certificate's file to get the key under which the [watcher] keeps the
// file.
const certificateKey = "certificate "

// reloadCertificate reads the certificate again if one of its files has changed. It does not depend on a reload of the
// settings: a renewed certificate comes into force even if the settings on disk were refused.
func (s *Service) reloadCertificate() {
	if !slices.ContainsFunc(s.settings.Certificate.Files(), func(path string) bool {
		return s.watch.settled(certificateKey+path, settingsSource(path))
	}) {
		return
	}
	if err := s.certificate.load(s.settings, s.log); err != nil {
		s.log.Error("the changed certificate can't be used; the one before stays in force", slog.Any("error", err))
		return
	}
	s.log.Info("certificate loaded", slog.Time("expires", s.certificate.pair.Load().Leaf.NotAfter))
}
