package dnsfilter

import (
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
)

// Stats counts what a server did since it was made.
type Stats struct {
	Queries  uint64                       // taken in
	Hits     uint64                       // answered from the cache
	Failures uint64                       // answered with SERVFAIL because no upstream answered
	Dropped  uint64                       // not answered because too many waited for the upstream
	Lists    map[string]map[Action]uint64 // decisions by list and action; names that no list holds are not counted
}

type counters struct {
	queries, hits, failures, dropped atomic.Uint64

	mu    sync.Mutex
	lists map[listAction]uint64
}

type listAction struct {
	list   string
	action Action
}

// count counts a decision that a list took.
func (c *counters) count(d *Decision) {
	if d.Match.List == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lists == nil {
		c.lists = make(map[listAction]uint64)
	}
	c.lists[listAction{d.Match.List, d.Action}]++
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	c := &s.stats
	out := Stats{
		Queries: c.queries.Load(), Hits: c.hits.Load(), Failures: c.failures.Load(), Dropped: c.dropped.Load(),
		Lists: make(map[string]map[Action]uint64),
	}
	c.mu.Lock()
	lists := maps.Clone(c.lists)
	c.mu.Unlock()
	for key, n := range lists {
		if out.Lists[key.list] == nil {
			out.Lists[key.list] = make(map[Action]uint64)
		}
		out.Lists[key.list][key.action] = n
	}
	return out
}

// LogValue implements [slog.LogValuer].
func (s Stats) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Uint64("queries", s.Queries), slog.Uint64("hits", s.Hits), slog.Uint64("failures", s.Failures),
		slog.Uint64("dropped", s.Dropped), slog.Any("lists", s.Lists),
	)
}
