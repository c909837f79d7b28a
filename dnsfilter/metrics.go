package dnsfilter

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/argine-dns/argine/blocklist/buildinfo"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// type check.
var _ prometheus.Collector = (*Server)(nil)

// newLatency makes the histogram of how long upstreams take.
func newLatency() prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "dnsfilter_upstream_duration_seconds", Help: "How long the upstream took to answer or to fail.",
		Buckets: upstream.Buckets(),
	})
}

// Describe implements [prometheus.Collector]. It describes nothing, since lists come and go.
func (s *Server) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector]. No label holds a name that was asked for, or an address.
func (s *Server) Collect(ch chan<- prometheus.Metric) {
	stats := s.Stats()
	c := collection{ch}
	build := buildinfo.Current()
	c.gauge("dnsfilter_build_info", "1; its labels say which build this is.", 1,
		labels{"version": build.Version, "commit": build.Commit, "goversion": build.Go})
	c.counter("dnsfilter_queries_total", "Queries taken in.", stats.Queries, nil)
	c.counter("dnsfilter_cache_hits_total", "Queries answered from the cache.", stats.Hits, nil)
	c.counter("dnsfilter_upstream_failures_total", "Queries answered with SERVFAIL because no upstream answered.", stats.Failures, nil)
	c.counter("dnsfilter_dropped_total", "Queries not answered because too many waited for the upstream.", stats.Dropped, nil)
	c.counter("dnsfilter_limited_total", "Queries over UDP held back by the rate limit.", stats.Limited-stats.Slipped, labels{"sent": "nothing"})
	c.counter("dnsfilter_limited_total", "Queries over UDP held back by the rate limit.", stats.Slipped, labels{"sent": "tc"})
	c.counter("dnsfilter_listing_alarms_total", "Clients that were refused unusually many different entries within an hour.", s.alarm.raised.Load(), nil)
	c.gauge("dnsfilter_tcp_connections", "Connections that are open.", float64(s.conns.count()), nil)
	c.counter("dnsfilter_tcp_accepted_total", "Connections taken in.", s.conns.accepted.Load(), nil)
	c.counter("dnsfilter_tcp_closed_total", "Idle connections closed to make room for others.", s.conns.closed.Load(), nil)
	c.counter("dnsfilter_tcp_refused_total", "Connections not taken in because there was no room.", s.conns.refused.Load(), nil)
	for list, actions := range stats.Lists {
		for action, n := range actions {
			c.counter("dnsfilter_decisions_total", "Decisions by list and action.", n, labels{"list": list, "action": action.String()})
		}
	}
	for transport, t := range s.answers() {
		c.answers(transport, t)
	}
	s.latency.Collect(ch)
	for _, u := range s.upstreams() {
		c.upstream(&u)
	}
	if s.store != nil {
		c.lists(s)
	}
}

type labels = prometheus.Labels

// collection is one reading of the metrics.
type collection struct{ ch chan<- prometheus.Metric }

func (c collection) counter(name, help string, n uint64, l labels) {
	c.send(prometheus.NewDesc(name, help, nil, l), prometheus.CounterValue, float64(n))
}

func (c collection) gauge(name, help string, v float64, l labels) {
	c.send(prometheus.NewDesc(name, help, nil, l), prometheus.GaugeValue, v)
}

// moment writes a time in seconds since 1970, unless it is zero.
func (c collection) moment(name, help string, t time.Time, l labels) {
	if !t.IsZero() {
		c.gauge(name, help, float64(t.UnixMilli())/1000, l)
	}
}

func (c collection) flag(name, help string, on bool, l labels) {
	v := 0.0
	if on {
		v = 1
	}
	c.gauge(name, help, v, l)
}

func (c collection) send(d *prometheus.Desc, kind prometheus.ValueType, v float64) {
	m, err := prometheus.NewConstMetric(d, kind, v)
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	c.ch <- m
}

// answers writes the answers of one transport that were counted.
func (c collection) answers(transport string, t *tally) {
	for i := range t {
		for rcode := range t[i] {
			if n := t[i][rcode].Load(); n > 0 {
				c.counter("dnsfilter_answers_total", "Answers sent, by transport, query type and rcode.", n,
					labels{"transport": transport, "type": talliedName(i), "rcode": rcodeName(rcode)})
			}
		}
	}
}

// lists writes what the store holds.
func (c collection) lists(s *Server) {
	for _, info := range s.store.Lists() {
		l := labels{"list": info.List}
		c.gauge("dnsfilter_list_serial", "Serial in force; 0 for a local list.", float64(info.Serial), l)
		c.gauge("dnsfilter_list_entries", "Entries of the list.", float64(info.Entries), l)
		c.moment("dnsfilter_list_created_timestamp_seconds", "When the state in force was made.", info.Created, l)
		c.flag("dnsfilter_list_enforced", "1 if the list can be looked up; 0 if its files are damaged.", info.Err == nil, l)
	}
}
