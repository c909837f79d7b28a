package service

import "github.com/argine-dns/argine/dnsfilter/stoppage"

// StopPageStatus has the counters of the stop page: pages shown, refused TLS connections, and open connections.
type StopPageStatus struct {
	// Requests is the number of pages shown, by list and language. The name of the list is empty for the neutral page,
	// which names no list.
	Requests map[string]map[string]uint64 `json:"requests"`
	Refused  uint64                       `json:"tls_refused"`
	Open     int                          `json:"connections"`
}

// stopPageStatus returns the status of the stop page, or nil if the settings have none.
func (s *running) stopPageStatus() *StopPageStatus {
	if len(s.active.Load().settings.StopPage.HTTP) == 0 {
		return nil
	}
	stats := s.stopPage.Stats()
	out := &StopPageStatus{Requests: map[string]map[string]uint64{}, Refused: stats.Refused, Open: stats.Open}
	for what, n := range stats.Shown {
		if out.Requests[what.List] == nil {
			out.Requests[what.List] = map[string]uint64{}
		}
		out.Requests[what.List][what.Language] = n
	}
	return out
}

// stopPage adds the metrics of the stop page to the collection.
func (c collection) stopPage(stats stoppage.Stats) {
	for what, n := range stats.Shown {
		c.counter("dnsfilter_stop_page_requests_total", "Stop pages shown, by list and language; no list: the neutral page.", n,
			labels{"list": what.List, "language": what.Language})
	}
	c.counter("dnsfilter_stop_page_tls_refused_total", "TLS connections to the stop page that were refused.", stats.Refused, nil)
	c.gauge("dnsfilter_stop_page_connections", "Connections to the stop page that are open.", float64(stats.Open), nil)
}
