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

// inForce are the settings in force, and what was made of them.
type inForce struct {
	settings *config.Settings
	follows  map[string]*follow
	guards   guards
}

// listenHTTP opens the sockets for metrics and for profiles; nil for what the settings do not ask for.
func (s *Service) listenHTTP(ctx context.Context) (metrics, profiles net.Listener, err error) {
	if metrics, err = listenAt(ctx, s.settings.Metrics, "metrics"); err != nil {
		return nil, nil, err
	}
	if profiles, err = listenAt(ctx, s.settings.Pprof, "pprof"); err != nil && metrics != nil {
		err = errors.Join(err, metrics.Close())
	}
	return metrics, profiles, err
}

// listenAt opens a socket for what the settings may ask for; nil if they do not.
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
func (s *Service) serveMetrics(ctx context.Context, l net.Listener) error {
	h := http.Server{
		Handler: s.httpHandler(), ReadTimeout: scrapeWithin, WriteTimeout: scrapeWithin, IdleTimeout: time.Minute, MaxHeaderBytes: 1 << 14,
	}
	stop := context.AfterFunc(ctx, func() { _ = h.Close() }) // a scrape that is cut off can be made again
	defer stop()
	if err := h.Serve(netutil.LimitListener(l, maxScrapers)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving metrics: %w", err)
	}
	return nil
}

// httpHandler answers /metrics, /healthz (the process lives) and /readyz (every list of the settings is enforced, and an
// upstream answers). Both tell what is wrong with a list or an upstream. A stale list is enforced, so it is told but does not make the server unready.
func (s *Service) httpHandler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(NewCollector(s.server, s.store), (*followCollector)(s), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapers}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		text, _ := s.health()
		_, _ = io.WriteString(w, "ok\n"+text) // whoever asked is gone
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		text, ready := s.health()
		if !ready {
			http.Error(w, "not ready\n"+text, http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ready\n"+text) // whoever asked is gone
	})
	return mux
}

// health tells what is wrong, a line for each list and upstream, and whether all lists are enforced and there is an upstream.
func (s *Service) health() (text string, ready bool) {
	current := s.inForce.Load()
	ready = true
	if err := s.settingsError(); err != nil {
		text = "settings: not those on disk: " + err.Error() + "\n"
	}
	for i := range current.settings.Lists {
		l := &current.settings.Lists[i]
		problem, enforced := s.problem(l, current.follows[l.Rule.List])
		if ready = ready && enforced; problem != "" {
			text += "list " + l.Rule.List + ": " + problem + "\n"
		}
	}
	for _, path := range current.settings.Allow {
		list := config.AllowName(path)
		if problem, _ := s.fileProblem(list); problem != "" {
			text += "list " + list + " (" + path + "): " + problem + "\n"
		}
	}
	line, usable := upstreamHealth(s.server)
	return text + line, ready && usable
}

// downFor is how long no resolver has to answer anything until the server is not ready: so that a restart of the one resolver that it
// asks does not take it away from its clients.
const downFor = 5 * time.Second

// upstreamHealth tells which resolvers are down, a line for each, and whether questions can be answered.
func upstreamHealth(s *dnsfilter.Server) (text string, usable bool) {
	for _, u := range s.Upstreams() {
		if !u.Up {
			text += "upstream " + u.Resolver + ": " + u.Reason + "\n"
		}
	}
	since, down := s.UpstreamDown()
	return text, !down || time.Since(since) < downFor
}

// problem says what is wrong with a list, and whether it is enforced all the same.
func (s *Service) problem(l *config.List, f *follow) (text string, enforced bool) {
	if l.File != "" {
		return s.fileProblem(l.Rule.List)
	}
	switch info, ok := s.store.List(l.Rule.List); {
	case !ok:
		return "not enforced: nothing is held of it", false
	case info.Err != nil:
		return "not enforced: its files are damaged", false
	case f == nil:
		return "enforced, but not followed: see the log", true
	}
	switch status := f.sub.Status(); {
	case status.Serial == 0: // the very moment in which a first release comes into force
		return "not enforced: nothing is held of it", false
	case status.Stale:
		return "stale since " + status.Expires.UTC().Format(time.RFC3339), true
	case status.Hold != nil:
		return "an update is on hold", true
	}
	return "", true
}

// fileProblem is problem for a local list.
func (s *Service) fileProblem(list string) (text string, enforced bool) {
	info, ok := s.store.List(list)
	onHold := s.held.of(list) != nil
	switch {
	case !ok && onHold:
		return "not enforced: it is on hold, and there is none before it; dnsfilter holds shows why", false
	case !ok:
		return "not enforced: nothing is held of it", false
	case info.Err != nil:
		return "not enforced: its files are damaged", false
	case s.fileError(list) != nil:
		return "stale: its file could not be taken in; see the log", true
	case onHold:
		return "a change of its file is on hold; dnsfilter holds shows why", true
	}
	return "", true
}

// followCollector writes the metrics of the lists of the settings.
type followCollector Service

// Describe implements [prometheus.Collector]. It describes nothing, since lists come and go.
func (s *followCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (s *followCollector) Collect(ch chan<- prometheus.Metric) {
	c := collection{ch}
	c.gauge("dnsfilter_settings_lists", "Lists that the settings in force have.", float64(len(s.inForce.Load().settings.Lists)), nil)
	c.flag("dnsfilter_settings_current", "1 if the settings in force are those on disk; 0 if those could not be read, or take something away.",
		(*Service)(s).settingsError() == nil, nil)
	for _, l := range s.inForce.Load().settings.LocalFiles() {
		c.stale(l.List, (*Service)(s).fileError(l.List) != nil)
		c.onHold(l.List, s.held.of(l.List) != nil)
		c.gauge("dnsfilter_list_info", "1; its labels say which file a local list is made from.", 1, labels{"list": l.List, "file": l.Path})
		r, _ := reportOf(s.store, l.List)
		for _, skipped := range r.Skipped {
			c.gauge("dnsfilter_list_skipped_lines", "Lines of the file that are not in the list, by reason.", float64(skipped.Count),
				labels{"list": l.List, "reason": skipped.Reason})
		}
	}
	for _, l := range s.inForce.Load().settings.Lists {
		if len(l.Divert) == 0 {
			c.gauge("dnsfilter_list_urls_not_enforced", "Entries for URLs, which the DNS does not enforce without divert.",
				float64(s.store.CountURLs(l.Rule.List)), labels{"list": l.Rule.List})
		}
	}
	for list, f := range s.inForce.Load().follows {
		status, l := f.sub.Status(), labels{"list": list}
		c.stale(list, status.Stale)
		c.onHold(list, status.Hold != nil)
		c.moment("dnsfilter_list_checked_timestamp_seconds", "When an origin last proved that this is the newest.", status.Checked, l)
		c.moment("dnsfilter_list_expires_timestamp_seconds", "Until when what is held may be taken for the newest.", status.Expires, l)
		if r := status.Receipts; r != nil {
			c.gauge("dnsfilter_receipt_serial", "Serial that was confirmed last; 0 for none yet.", float64(r.Serial), l)
			c.gauge("dnsfilter_receipts_waiting", "Receipts that no origin has taken yet.", float64(r.Waiting), l)
			c.moment("dnsfilter_receipt_delivered_timestamp_seconds", "When an origin last took a receipt.", r.Delivered, l)
		}
	}
}

func (c collection) stale(list string, is bool) {
	c.flag("dnsfilter_list_stale", "1 if no origin has proved lately that what is held is the newest, or a file could not be taken in.", is, labels{"list": list})
}

func (c collection) onHold(list string, is bool) {
	c.flag("dnsfilter_list_on_hold", "1 if the guards have stopped an update, or a changed file.", is, labels{"list": list})
}
