package dnsfilter

import (
	"log/slog"

	"github.com/argine-dns/argine/dnsfilter/internal/cache"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// Stats are the counters of a server since it was created.
type Stats struct {
	Queries  uint64                       // received queries
	Hits     uint64                       // queries answered from the cache
	Failures uint64                       // queries answered with SERVFAIL because no upstream answered
	Dropped  uint64                       // queries not answered because too many waited for the upstream or the slow path
	Limited  uint64                       // queries beyond the rate limit
	Stale    uint64                       // queries answered with an expired answer
	Slipped  uint64                       // queries in Limited that were answered with TC or BADCOOKIE
	Lists    map[string]map[Action]uint64 // decisions by list (or quorum) and action; names on no list are not counted
	Alarms   uint64                       // alarms about clients that may be enumerating a list

	Answers     map[Answer]uint64 // sent answers; combinations with a count of zero are left out
	Connections Connections       // connections over TCP
	Encrypted   Connections       // connections over TLS, HTTPS and QUIC
	BadHeaders  uint64            // datagrams and connections from a proxy without a valid PROXY header
	Latency     upstream.Times    // response times of the upstream, failures included
	Cache       CacheStats

	// Took is how long clients waited for answers. Over UDP all answers count. Over other transports, only those count for
	// which the upstream was asked. An answer given at once has the time of its whole batch of datagrams, which is an
	// upper bound.
	Took upstream.Times
}

// CacheStats are the size and the use of the cache.
type CacheStats = cache.Stats

// Connections are the counters of one kind of connections.
type Connections struct {
	Open     int // currently open
	Accepted uint64
	Closed   uint64 // connections that the server closed to make room for others
	Refused  uint64 // connections refused because the limit was reached
}

// stats returns the counters of one kind of connections.
func (cs *connections) stats() Connections {
	return Connections{
		Open: cs.count(), Accepted: cs.accepted.Load(), Closed: cs.closed.Load(), Refused: cs.refused.Load(),
	}
}

// plus returns the sums of the counters of two kinds of connections.
func (c Connections) plus(d Connections) Connections {
	return Connections{
		Open: c.Open + d.Open, Accepted: c.Accepted + d.Accepted, Closed: c.Closed + d.Closed, Refused: c.Refused + d.Refused,
	}
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	out := Stats{
		Lists: make(map[string]map[Action]uint64), Answers: make(map[Answer]uint64),
		Alarms: s.enumeration.alarms.Load(), Latency: s.latency.Times(),
		Connections: s.plain.stats(), Encrypted: s.encrypted.stats().plus(s.quic.stats()), BadHeaders: s.badHeaders.Load(),
		Cache: s.cache.Stats(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out.add(&s.shared)
	for how := TCP; how <= QUIC; how++ {
		s.streamed[how].add(how, out.Answers)
	}
	for _, c := range s.counters {
		out.add(c)
	}
	return out
}

// add adds the counters of one worker to the sums.
func (s *Stats) add(c *counters) {
	s.Queries += c.queries.Load()
	s.Hits += c.hits.Load()
	s.Failures += c.failures.Load()
	s.Dropped += c.dropped.Load()
	s.Limited += c.limited.Load()
	s.Slipped += c.slipped.Load()
	s.Stale += c.stale.Load()
	s.Took.Add(c.took.Times())
	c.addLists(s.Lists)
	c.answers.add(UDP, s.Answers)
}

// LogValue implements [slog.LogValuer]. The value has the main counters only.
func (s Stats) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Uint64("queries", s.Queries), slog.Uint64("hits", s.Hits), slog.Uint64("failures", s.Failures),
		slog.Uint64("dropped", s.Dropped), slog.Uint64("limited", s.Limited), slog.Any("lists", s.Lists),
	)
}
