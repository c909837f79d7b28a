package dnsfilter

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// Stats counts what a server did since it was made.
type Stats struct {
	Queries  uint64                       // taken in
	Hits     uint64                       // answered from the cache
	Failures uint64                       // answered with SERVFAIL because no upstream answered
	Dropped  uint64                       // not answered because too many waited for the upstream
	Limited  uint64                       // held back by the rate limit
	Slipped  uint64                       // of these, answered with TC
	Lists    map[string]map[Action]uint64 // decisions by list (or quorum) and action; names that no list holds are not counted
	Alarms   uint64                       // clients refused by unusually many different entries within an hour

	Answers     map[Answer]uint64 // sent; of those that were never sent there is none
	Connections Connections
	Latency     upstream.Times // of the upstream, until its answer or failure
}

// Connections counts those over TCP.
type Connections struct {
	Open     int    // now
	Accepted uint64 // taken in
	Closed   uint64 // idle, to make room for others
	Refused  uint64 // not taken in, for want of room
}

// counters are those of one socket, so that processors do not wait for each other.
type counters struct {
	queries, hits, failures, dropped, limited, slipped atomic.Uint64

	mu    sync.Mutex
	lists map[listAction]*uint64
	last  listAction // counted, since the next is mostly of the same
	at    *uint64    // its counter

	answers, streamed tally // over UDP, and over anything else
}

type listAction struct {
	list   string
	action Action
}

// count counts a decision that a list took.
func (c *counters) count(d *Decision) {
	if d.rule == nil && d.Match.List == "" {
		return
	}
	key := listAction{d.By(), d.Action}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at == nil || c.last != key {
		c.last, c.at = key, c.counter(key)
	}
	*c.at++
}

// counter returns the one for a list and an action.
func (c *counters) counter(key listAction) *uint64 {
	if c.lists == nil {
		c.lists = make(map[listAction]*uint64)
	}
	if c.lists[key] == nil {
		c.lists[key] = new(uint64)
	}
	return c.lists[key]
}

// newCounters adds counters to those that Stats sums up.
func (s *Server) newCounters() *counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := new(counters)
	s.counters = append(s.counters, c)
	return c
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	out := Stats{Lists: make(map[string]map[Action]uint64), Alarms: s.alarm.raised.Load(), Answers: s.answers(), Latency: s.latency.Times()}
	out.Connections = Connections{s.conns.count(), s.conns.accepted.Load(), s.conns.closed.Load(), s.conns.refused.Load()}
	s.mu.Lock()
	defer s.mu.Unlock()
	out.add(&s.shared)
	for _, c := range s.counters {
		out.add(c)
	}
	return out
}

// add adds the counters of one socket.
func (s *Stats) add(c *counters) {
	s.Queries += c.queries.Load()
	s.Hits += c.hits.Load()
	s.Failures += c.failures.Load()
	s.Dropped += c.dropped.Load()
	s.Limited += c.limited.Load()
	s.Slipped += c.slipped.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, n := range c.lists {
		if s.Lists[key.list] == nil {
			s.Lists[key.list] = make(map[Action]uint64)
		}
		s.Lists[key.list][key.action] += *n
	}
}

// LogValue implements [slog.LogValuer].
func (s Stats) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Uint64("queries", s.Queries), slog.Uint64("hits", s.Hits), slog.Uint64("failures", s.Failures),
		slog.Uint64("dropped", s.Dropped), slog.Uint64("limited", s.Limited), slog.Any("lists", s.Lists),
	)
}
