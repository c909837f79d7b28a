package dnsfilter

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// reporting is an upstream that knows how its resolvers are doing.
type reporting interface {
	Watch(log *slog.Logger)
	Probe()
	Down() (since time.Time, down bool)
	Status() []upstream.Status
}

// upstreams returns how the resolvers have been doing that the server asks; nothing if the upstream does not say. Those of which nothing
// good is known are asked whether they are there, for the next time: nobody else may ask them by now.
func (s *Server) upstreams() []upstream.Status {
	u := s.current.Load().reports
	if u == nil {
		return nil
	}
	u.Probe()
	return u.Status()
}

// downFor is how long no resolver has to answer anything until the server is not ready: so that a restart of the one resolver that it
// asks does not take it away from its clients.
const downFor = 5 * time.Second

// upstreamHealth tells which resolvers are down, a line for each, and whether questions can be answered.
func (s *Server) upstreamHealth() (text string, usable bool) {
	for _, u := range s.upstreams() {
		if !u.Up {
			text += "upstream " + u.Resolver + ": " + u.Reason + "\n"
		}
	}
	u := s.current.Load().reports
	if u == nil {
		return text, true
	}
	since, down := u.Down()
	return text, !down || time.Since(since) < downFor
}

// upstream writes how a resolver has been doing. Its address is the operator's, from the settings.
func (c collection) upstream(u *upstream.Status) {
	l := labels{"upstream": u.Resolver}
	c.counter("dnsfilter_upstream_queries_total", "Queries sent to a resolver.", u.Asked, l)
	c.counter("dnsfilter_upstream_late_total", "Times that another resolver had to be asked, because this one was slow or can't be reached.", u.Late, l)
	c.counter("dnsfilter_upstream_misspelled_total", "Replies that did not repeat the random spelling of the name, and were not taken.", u.Misspelled, l)
	c.flag("dnsfilter_upstream_plain_spelling", "1 while a resolver is asked in plain spelling, since it does not repeat any other.", u.Plain, l)
	c.flag("dnsfilter_upstream_up", "0 while a resolver answers nothing, not even a question that every resolver can answer.", u.Up, l)
	c.gauge("dnsfilter_upstream_expected_seconds", "How fast a resolver is expected to answer, by what it did of late; 0: it has never answered.",
		u.Delay.Seconds(), l)
	took := make(map[float64]uint64, len(u.Took))
	for i, bound := range upstream.Buckets() {
		took[bound] = u.Took[i]
	}
	desc := prometheus.NewDesc("dnsfilter_upstream_answer_duration_seconds", "How long a resolver took to answer.", nil, l)
	m, err := prometheus.NewConstHistogram(desc, u.Answered, u.Sum.Seconds(), took)
	if err != nil {
		m = prometheus.NewInvalidMetric(desc, err)
	}
	c.ch <- m
}
