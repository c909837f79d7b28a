package dnsfilter

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/cache"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// Serve-stale (RFC 8767): an expired answer is served when the upstream fails, or takes longer than staleAfter. It is
// served at once when the upstream is known to be down, or when the last refresh failed a moment ago (cache.Failing,
// cache.HeldDown).

const (
	// Time after which a waiting client gets an expired answer (RFC 8767, section 5).
	staleAfter = 1800 * time.Millisecond
	staleTTL   = 30 // TTL of records in expired answers, in seconds (RFC 8767, section 4)
)

// markStale sets the TTLs in an expired answer to staleTTL. It returns the extended error code to add: Stale Answer or
// Stale NXDOMAIN Answer.
func markStale(m []byte) uint16 {
	for r := range dnswire.Records(m) {
		binary.BigEndian.PutUint32(r.TTL, staleTTL)
	}
	if dnswire.Rcode(m) == dns.RcodeNameError {
		return dns.ExtendedErrorCodeStaleNXDOMAINAnswer
	}
	return dns.ExtendedErrorCodeStaleAnswer
}

// instead looks in the cache for an answer to send in place of a failure: an expired answer, or a fresh one that was
// cached in the meantime. It returns false if the cache has neither, or only another failure.
func (s *Server) instead(dst []byte, q *query) (answer []byte, ok bool) {
	m, state := s.cache.Get(dst, q.key, q.question, s.cache.Now())
	switch {
	case state == cache.NotFound || dnswire.IsFailure(m):
		return nil, false
	case state >= cache.Stale:
		q.counters.stale.Add(1)
		return s.render(s.current.Load(), q, m, markStale(m)), true
	}
	return s.render(s.current.Load(), q, m, 0), true
}

// serveStaleLater starts the timer that calls serveStale after staleAfter.
func (f *inflight) serveStaleLater() {
	s, generation := f.server, f.generation // f may be reused for another query by then
	time.AfterFunc(staleAfter, func() { s.serveStale(f, generation) })
}

// serveStale sends the expired answer to the clients that wait for a query in flight. The query stays in flight. Until
// it ends, further clients get the expired answer at once.
func (s *Server) serveStale(f *inflight, generation uint64) {
	defer s.recoverPanic()
	waiters := s.inflight.takeWaiters(f, generation)
	if len(waiters) == 0 {
		return
	}
	s.cache.HoldDown(waiters[0].query.key, 0, s.cache.Now())
	for i := range waiters {
		waiters[i].query.counters.took.Observe(staleAfter, 1)
		waiters[i].deliver(s, nil, context.DeadlineExceeded)
		waiters[i].flush()
	}
}
