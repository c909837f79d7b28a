package service

import (
	"context"
	"log/slog"
	"sync"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/dnstap"
	"github.com/argine-dns/argine/dnsfilter/querylog"
)

// logs has the query log and the dnstap output. They are created at the start, and a reload does not change them.
type logs struct {
	dnstap  *dnstap.Sink  // nil: no dnstap output
	queries *querylog.Log // nil: no query log
}

func newLogs(s *config.Settings, log *slog.Logger) (l logs) {
	if s.Dnstap.Network != "" {
		c := dnstap.Config{Target: s.Dnstap, Identity: s.ServerID.NSID, Version: s.ServerID.Version, Log: log}
		l.dnstap = dnstap.New(c)
	}
	if q := s.QueryLog; q.File != "" {
		l.queries = querylog.New(querylog.Config{File: q.File, Sample: q.Sample, Addresses: q.Addresses, Log: log})
	}
	return l
}

// taps returns the configured logs as taps of the server.
func (l *logs) taps() (all []dnsfilter.Tap) {
	if l.dnstap != nil {
		all = append(all, l.dnstap)
	}
	if l.queries != nil {
		all = append(all, l.queries)
	}
	return all
}

// start starts a goroutine for each log. The function end makes them write the messages that are left, and waits until
// they have ended.
func (l *logs) start() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	if l.dnstap != nil {
		running.Go(func() { l.dnstap.Run(ctx) })
	}
	if l.queries != nil {
		running.Go(func() { l.queries.Run(ctx) })
	}
	return func() { cancel(); running.Wait() }
}

// logs adds the metrics of the logs.
func (c collection) logs(l *logs) {
	if l.dnstap != nil {
		stats := l.dnstap.Stats()
		c.counter("dnsfilter_dnstap_messages_total", "Messages handed to the dnstap collector, or written.", stats.Sent, nil)
		c.counter("dnsfilter_dnstap_dropped_total", "Messages that the dnstap collector did not take in time, or that there was none for.", stats.Dropped, nil)
		c.flag("dnsfilter_dnstap_connected", "1 while the dnstap collector takes messages.", stats.Connected, nil)
	}
	if l.queries != nil {
		stats := l.queries.Stats()
		c.counter("dnsfilter_query_log_lines_total", "Lines written to the query log.", stats.Written, nil)
		c.counter("dnsfilter_query_log_dropped_total", "Lines that were not written to the query log: the disk was full or too slow.", stats.Dropped, nil)
	}
}
