package service

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Stat is the value of one metric of the running service.
type Stat struct {
	Name  string  `json:"name"` // name of the metric, with its labels in braces
	Help  string  `json:"help"`
	Value float64 `json:"value"` // value; for a histogram the mean, in seconds

	// Count, Median and P99 are set for a histogram: the number of observations, and upper bounds of the median and of
	// the 99th percentile, in seconds. A bound of 0 means that the value lies above all buckets.
	Count  uint64  `json:"count,omitempty"`
	Median float64 `json:"median,omitempty"`
	P99    float64 `json:"p99,omitempty"`
}

// Stats returns the metrics of the service, ordered by name.
func (c *Control) Stats(ctx context.Context) (all []Stat, err error) {
	err = c.call(ctx, http.MethodGet, "/stats", nil, &all)
	return all, err
}

func (s *running) serveStats(w http.ResponseWriter, _ *http.Request) {
	families, err := s.metrics().Gather()
	if err != nil {
		refuseControl(w, err)
		return
	}
	all := []Stat{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			all = append(all, statOf(f, m))
		}
	}
	writeControl(w, all)
}

// metrics returns a registry with the metrics of the service.
func (s *running) metrics() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(NewCollector(s.server, s.store), (*listCollector)(s))
	return registry
}

// statOf converts a metric of a family. For a histogram, it computes the mean and the bounds of Median and P99.
func statOf(f *dto.MetricFamily, m *dto.Metric) Stat {
	out := Stat{Name: f.GetName(), Help: f.GetHelp()}
	var labels []string
	for _, l := range m.GetLabel() {
		labels = append(labels, fmt.Sprintf("%s=%s", l.GetName(), l.GetValue()))
	}
	if len(labels) > 0 {
		out.Name += "{" + strings.Join(labels, ",") + "}"
	}
	h := m.GetHistogram()
	if h == nil {
		out.Value = m.GetCounter().GetValue() + m.GetGauge().GetValue() // one of them is there
		return out
	}
	if out.Count = h.GetSampleCount(); out.Count > 0 {
		out.Value = h.GetSampleSum() / float64(out.Count)
		out.Median, out.P99 = within(h, 0.5), within(h, 0.99)
	}
	return out
}

// within returns the smallest bound of a bucket up to which at least the given share (0 to 1) of the observations of a
// histogram lies. It returns 0 if there is none.
func within(h *dto.Histogram, share float64) float64 {
	buckets := h.GetBucket()
	slices.SortFunc(buckets, func(a, b *dto.Bucket) int { return cmp.Compare(a.GetUpperBound(), b.GetUpperBound()) })
	for _, b := range buckets {
		if float64(b.GetCumulativeCount()) >= share*float64(h.GetSampleCount()) {
			return b.GetUpperBound()
		}
	}
	return 0
}
