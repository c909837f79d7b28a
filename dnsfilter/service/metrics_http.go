package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

// maxScrapers is the maximum number of connections to the HTTP server for metrics, and scrapeWithin the time limit of a
// request.
const (
	maxScrapers  = 20
	scrapeWithin = 10 * time.Second
)

// serveMetrics serves metrics and health checks over HTTP until ctx ends.
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

// httpHandler returns the handler of /metrics, /healthz (the process runs) and /readyz (the service is ready, see
// health). Both health pages show the problems with lists and upstreams. A stale list is a problem, but the service
// stays ready, since the list is still enforced.
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
