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
	staleAfter = 1800 * time.Millisecond // how long a client waits for a fresh answer (RFC 8767, section 5)
	staleTTL   = 30                      // TTL of records in expired answers, in seconds (section 4)
)

// markStale prepares an expired answer for clients: it sets the TTLs to staleTTL. It returns the extended error code
// for stale answers.
func markStale(m []byte) uint16 {
	for r := range dnswire.Records(m) {
		binary.BigEndian.PutUint32(r.TTL, staleTTL)
	}
	if dnswire.Rcode(m) == dns.RcodeNameError {
		return dns.ExtendedErrorCodeStaleNXDOMAINAnswer
	}
	return dns.ExtendedErrorCodeStaleAnswer
}

// instead returns a cached answer to serve instead of a failure: an expired one, or a fresh one that was cached in the
// meantime.
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

// serveStaleLater starts the timer after which the waiting clients get the expired answer.
func (f *inflight) serveStaleLater() {
	s, generation := f.server, f.generation // f may be reused for another query by then
	time.AfterFunc(staleAfter, func() { s.serveStale(f, generation) })
}

// serveStale sends the expired answer to the clients that wait for a query in flight. The query goes on. Until it ends,
// further clients get the expired answer at once.
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
