package dnsfilter

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// upstreams returns how the resolvers have been doing that the server asks; nothing if the upstream does not say.
func (s *Server) upstreams() []upstream.Status {
	if u, ok := s.current.Load().upstream.(interface{ Status() []upstream.Status }); ok {
		return u.Status()
	}
	return nil
}

// upstream writes how a resolver has been doing. Its address is the operator's, from the settings.
func (c collection) upstream(u *upstream.Status) {
	l := labels{"upstream": u.Resolver}
	c.counter("dnsfilter_upstream_queries_total", "Queries sent to a resolver.", u.Asked, l)
	c.counter("dnsfilter_upstream_late_total", "Times that another resolver had to be asked, because this one was slow or can't be reached.", u.Late, l)
	c.counter("dnsfilter_upstream_misspelled_total", "Replies that did not repeat the random spelling of the name, and were not taken.", u.Misspelled, l)
	plain := 0.0
	if u.Plain {
		plain = 1
	}
	c.gauge("dnsfilter_upstream_plain_spelling", "1 while a resolver is asked in plain spelling, since it does not repeat any other.", plain, l)
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
