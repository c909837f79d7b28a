package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// Limits of the HTTP server for metrics.
const (
	maxScrapers  = 20
	scrapeWithin = 10 * time.Second
)

// webListeners are the open sockets for HTTP.
type webListeners struct {
	metrics, profiles dnsfilter.Listeners // one socket at most
	stopPage          dnsfilter.Listeners
	noTLS             dnsfilter.Listeners // TLS is refused there
	zoneFiles         dnsfilter.Listeners
	operator          dnsfilter.Listeners // one socket at most
}

// listenHTTP opens the sockets for HTTP that the settings have.
func listenHTTP(ctx context.Context, s *config.Settings) (*webListeners, error) {
	l := new(webListeners)
	for _, part := range []struct {
		to   *dnsfilter.Listeners
		what string
		at   []netip.AddrPort
	}{
		{&l.metrics, "metrics", []netip.AddrPort{s.Metrics}},
		{&l.profiles, "pprof", []netip.AddrPort{s.Pprof}},
		{&l.operator, "web", []netip.AddrPort{s.Web}},
		{&l.zoneFiles, "zone_files", []netip.AddrPort{s.ZoneFiles.At}},
		{&l.stopPage, "stop_page", s.StopPage.HTTP},
		{&l.noTLS, "stop_page", s.StopPage.HTTPS},
	} {
		for _, at := range part.at {
			if !at.IsValid() {
				continue
			}
			opened, err := dnsfilter.Listen(ctx, "tcp://"+at.String())
			if err != nil {
				return nil, errors.Join(fmt.Errorf("%s: %w", part.what, err), l.close())
			}
			part.to.TCP = append(part.to.TCP, opened.TCP...)
		}
	}
	return l, nil
}

func (l *webListeners) close() error {
	return errors.Join(l.metrics.Close(), l.profiles.Close(), l.stopPage.Close(), l.noTLS.Close(), l.zoneFiles.Close(),
		l.operator.Close())
}

// serveHTTP answers HTTP on all sockets until ctx ends.
func (s *Service) serveHTTP(ctx context.Context, g *errgroup.Group, web *webListeners) {
	for _, part := range []struct {
		at    []net.Listener
		serve func(context.Context, net.Listener) error
	}{
		{web.zoneFiles.TCP, s.serveZoneFiles},
		{web.metrics.TCP, s.serveMetrics},
		{web.operator.TCP, s.serveWeb},
		{web.profiles.TCP, servePprof},
		{web.stopPage.TCP, s.stopPage.ServeHTTPOn},
		{web.noTLS.TCP, s.stopPage.RefuseTLSOn},
	} {
		for _, l := range part.at {
			g.Go(func() error { return part.serve(ctx, l) })
		}
	}
}

// serveMetrics answers scrapers and health checks until ctx ends.
func (s *running) serveMetrics(ctx context.Context, l net.Listener) error {
	h := http.Server{
		Handler: s.httpHandler(), ReadTimeout: scrapeWithin, WriteTimeout: scrapeWithin, IdleTimeout: time.Minute,
		MaxHeaderBytes: 1 << 14,
	}
	stop := context.AfterFunc(ctx, func() { _ = h.Close() }) // the client can repeat a request that was cut off
	defer stop()
	if err := h.Serve(netutil.LimitListener(l, maxScrapers)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving metrics: %w", err)
	}
	return nil
}

// httpHandler serves /metrics, /healthz (the process runs) and /readyz (all lists of the settings are enforced, and an
// upstream is up). Both health pages show problems with lists and upstreams. A stale list is shown as a problem. But it
// is still enforced, so the server stays ready.
func (s *running) httpHandler() http.Handler {
	registry := s.metrics()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapers}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		text, _ := s.health()
		_, _ = io.WriteString(w, "ok\n"+text) // the client may be gone
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		text, ready := s.health()
		if !ready {
			http.Error(w, "not ready\n"+text, http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ready\n"+text) // the client may be gone
	})
	return mux
}
