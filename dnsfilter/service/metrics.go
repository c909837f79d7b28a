package service

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/buildinfo"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// collector collects the metrics of a server and of the lists in its store.
type collector struct {
	server *dnsfilter.Server
	store  *blocklist.Store
}

// NewCollector returns a collector of the metrics of a server and of the lists in its store. The store may be nil. To
// register the collectors of several servers, give each a label with [prometheus.WrapRegistererWith].
func NewCollector(server *dnsfilter.Server, store *blocklist.Store) prometheus.Collector {
	return &collector{server, store}
}

// Describe implements [prometheus.Collector]. It describes nothing, since the lists can change.
func (s *collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector]. No label contains a query name or a client address.
func (s *collector) Collect(ch chan<- prometheus.Metric) {
	stats := s.server.Stats()
	c := collection{ch}
	build := buildinfo.Current()
	c.gauge("dnsfilter_build_info", "1; its labels say which build this is.", 1,
		labels{"version": build.Version, "commit": build.Commit, "goversion": build.Go})
	c.counter("dnsfilter_queries_total", "Queries taken in.", stats.Queries, nil)
	c.counter("dnsfilter_cache_hits_total", "Queries answered from the cache.", stats.Hits, nil)
	c.counter("dnsfilter_upstream_failures_total", "Queries answered with SERVFAIL because no upstream answered.",
		stats.Failures, nil)
	c.counter("dnsfilter_dropped_total", "Queries not answered because too many waited for the upstream.", stats.Dropped,
		nil)
	c.counter("dnsfilter_limited_total", "Queries over UDP held back by the rate limit.", stats.Limited-stats.Slipped,
		labels{"sent": "nothing"})
	c.counter("dnsfilter_limited_total", "Queries over UDP held back by the rate limit.", stats.Slipped,
		labels{"sent": "tc"})
	c.counter("dnsfilter_listing_alarms_total", "Clients that unusually many different entries blocked within an hour.", stats.Alarms, nil)
	c.gauge("dnsfilter_tcp_connections", "Connections that are open.", float64(stats.Connections.Open), nil)
	c.counter("dnsfilter_tcp_accepted_total", "Connections taken in.", stats.Connections.Accepted, nil)
	c.counter("dnsfilter_tcp_closed_total", "Idle connections closed to make room for others.", stats.Connections.Closed,
		nil)
	c.counter("dnsfilter_tcp_refused_total", "Connections not taken in because there was no room.",
		stats.Connections.Refused, nil)
	encrypted := stats.Encrypted
	c.gauge("dnsfilter_encrypted_connections", "Connections over TLS, HTTPS and QUIC that are open.",
		float64(encrypted.Open), nil)
	c.counter("dnsfilter_encrypted_accepted_total", "Connections over TLS, HTTPS and QUIC taken in.", encrypted.Accepted, nil)
	c.counter("dnsfilter_encrypted_closed_total", "Idle connections over TLS, HTTPS and QUIC closed to make room for others.",
		encrypted.Closed, nil)
	c.counter("dnsfilter_encrypted_refused_total", "Connections over TLS, HTTPS and QUIC not taken in because there was no room.",
		encrypted.Refused, nil)
	c.counter("dnsfilter_bad_proxy_headers_total", "Datagrams and connections of a proxy without a PROXY header, not answered.",
		stats.BadHeaders, nil)
	c.counter("dnsfilter_stale_answers_total", "Queries answered with an expired answer, because the upstream failed or was slow.", stats.Stale, nil)
	c.gauge("dnsfilter_cache_limit_bytes", "Memory that the cache may take for answers.", float64(stats.Cache.Limit), nil)
	c.gauge("dnsfilter_cache_used_bytes", "Memory that the cache has taken for answers; it never shrinks, and old answers make room.", float64(stats.Cache.Used), nil)
	c.gauge("dnsfilter_cache_answers", "Answers in the cache, expired ones included.", float64(stats.Cache.Answers), nil)
	c.counter("dnsfilter_cache_evictions_total", "Cached answers that had to make room for others.", stats.Cache.Evicted, nil)
	c.times("dnsfilter_answer_duration_seconds", "How long clients waited for an answer: over UDP, and over connections where the upstream was asked.", &stats.Took, nil)
	for list, actions := range stats.Lists {
		for action, n := range actions {
			c.counter("dnsfilter_decisions_total", "Decisions by list and action.", n,
				labels{"list": list, "action": action.String()})
		}
	}
	for a, n := range stats.Answers {
		c.counter("dnsfilter_answers_total", "Answers sent, by transport, query type and rcode.", n,
			labels{"transport": a.Transport.String(), "type": a.Type, "rcode": a.Rcode})
	}
	c.times("dnsfilter_upstream_duration_seconds", "How long the upstream took to answer or to fail.", &stats.Latency, nil)
	for _, u := range s.server.Upstreams() {
		c.upstream(&u)
	}
	if s.store != nil {
		c.lists(s.store)
	}
}

type labels = prometheus.Labels

// collection sends metrics to the channel of one Collect call.
type collection struct{ ch chan<- prometheus.Metric }

func (c collection) counter(name, help string, n uint64, l labels) {
	c.send(prometheus.NewDesc(name, help, nil, l), prometheus.CounterValue, float64(n))
}

func (c collection) gauge(name, help string, v float64, l labels) {
	c.send(prometheus.NewDesc(name, help, nil, l), prometheus.GaugeValue, v)
}

// moment adds a gauge with a time, in seconds since 1970. It skips the zero time.
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

// times adds a histogram of durations.
func (c collection) times(name, help string, t *upstream.Times, l labels) {
	took := make(map[float64]uint64, len(t.Took))
	for i, bound := range upstream.Buckets() {
		took[bound] = t.Took[i]
	}
	desc := prometheus.NewDesc(name, help, nil, l)
	m, err := prometheus.NewConstHistogram(desc, t.Count, t.Sum.Seconds(), took)
	if err != nil {
		m = prometheus.NewInvalidMetric(desc, err)
	}
	c.ch <- m
}

// lists adds the metrics of the lists in the store.
func (c collection) lists(store *blocklist.Store) {
	for _, info := range store.Lists() {
		l := labels{"list": info.List}
		c.gauge("dnsfilter_list_serial", "Serial in force; 0 for a local list.", float64(info.Serial), l)
		c.gauge("dnsfilter_list_entries", "Entries of the list.", float64(info.Entries), l)
		c.moment("dnsfilter_list_created_timestamp_seconds", "When the state in force was made.", info.Created, l)
		c.flag("dnsfilter_list_enforced", "1 if the list can be looked up; 0 if its files are damaged.", info.Err == nil, l)
	}
}

// upstream adds the metrics of one resolver. A label has its address, which comes from the settings.
func (c collection) upstream(u *upstream.Status) {
	l := labels{"upstream": u.Resolver}
	if u.Zone != "" {
		l["zone"] = u.Zone
	}
	c.counter("dnsfilter_upstream_queries_total", "Queries sent to a resolver.", u.Asked, l)
	c.counter("dnsfilter_upstream_late_total", "Times that another resolver had to be asked, because this one was slow or can't be reached.", u.Late, l)
	c.counter("dnsfilter_upstream_case_mismatch_total",
		"Replies that did not repeat the random case of the name (0x20), and were not accepted.", u.CaseMismatches, l)
	c.flag("dnsfilter_upstream_case_disabled", "1 while a resolver is asked without 0x20, since it does not support it.",
		u.CaseDisabled, l)
	c.flag("dnsfilter_upstream_up", "0 while a resolver answers nothing, not even a question that every resolver can answer.", u.Up, l)
	c.gauge("dnsfilter_upstream_expected_seconds", "How fast a resolver is expected to answer, by what it did of late; 0: it has never answered.",
		u.Delay.Seconds(), l)
	c.times("dnsfilter_upstream_answer_duration_seconds", "How long a resolver took to answer.", &u.Times, l)
}
