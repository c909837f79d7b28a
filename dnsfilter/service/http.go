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

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// Limits of the HTTP server for metrics.
const (
	maxScrapers  = 20
	scrapeWithin = 10 * time.Second
)

// listenHTTP opens the sockets for metrics and for profiles. A socket is nil if the settings do not have it.
func listenHTTP(ctx context.Context, s *config.Settings) (metrics, profiles net.Listener, err error) {
	if metrics, err = listenAt(ctx, s.Metrics, "metrics"); err != nil {
		return nil, nil, err
	}
	if profiles, err = listenAt(ctx, s.Pprof, "pprof"); err != nil && metrics != nil {
		err = errors.Join(err, metrics.Close())
	}
	return metrics, profiles, err
}

// listenAt opens a socket. It returns nil if the settings have no address for it.
func listenAt(ctx context.Context, at netip.AddrPort, what string) (net.Listener, error) {
	if !at.IsValid() {
		return nil, nil
	}
	l, err := dnsfilter.Listen(ctx, "tcp://"+at.String())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return l.TCP[0], nil
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
	registry := prometheus.NewRegistry()
	registry.MustRegister(NewCollector(s.server, s.store), (*listCollector)(s), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
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
