package dnsfilter

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/cache"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// Serve-stale (RFC 8767): an expired answer is given when the upstream fails, when it takes longer than staleAfter, and
// at once when it is known to be down, or the last look-up has failed a moment ago (cache.Failing, cache.HeldDown). The
// cache keeps it for a day.

const (
	staleAfter = 1800 * time.Millisecond // that a client waits for a fresh answer (RFC 8767, section 5)
	staleTTL   = 30                      // of its records, in seconds (section 4)
)

// isDown reports whether the upstream answers nothing: then no client waits for it that can have an expired answer.
func (c *snapshot) isDown() bool {
	if c.reports == nil {
		return false
	}
	_, down := c.reports.Down()
	return down
}

// markStale makes an expired answer one that may be given, and returns the extended error that says so.
func markStale(m []byte) uint16 {
	for r := range dnswire.Records(m) {
		binary.BigEndian.PutUint32(r.TTL, staleTTL)
	}
	if dnswire.Rcode(m) == dns.RcodeNameError {
		return dns.ExtendedErrorCodeStaleNXDOMAINAnswer
	}
	return dns.ExtendedErrorCodeStaleAnswer
}

// instead returns the cached answer that is given instead of a failure: an expired one, or a fresh one that has come in
// between.
func (s *Server) instead(dst []byte, q *query) (answer []byte, ok bool) {
	m, state := s.cache.Get(dst, q.key, q.question, s.cache.Now())
	switch {
	case state == cache.NotFound || dnswire.IsFailure(m):
		return nil, false
	case state >= cache.Stale:
		return s.render(s.current.Load(), q, m, markStale(m)), true
	}
	return s.render(s.current.Load(), q, m, 0), true
}

// serveStaleLater serves the clients of an inflight query an expired answer if they have to wait for too long.
func (f *inflight) serveStaleLater() {
	s, generation := f.server, f.generation // f may be another query by then
	time.AfterFunc(staleAfter, func() { s.serveStale(f, generation) })
}

// serveStale serves the clients that wait for an inflight query the expired answer. The query goes on, and no other
// client who asks for this name has to wait for it.
func (s *Server) serveStale(f *inflight, generation uint64) {
	defer s.recoverPanic()
	waiters := s.inflight.takeWaiters(f, generation)
	if len(waiters) == 0 {
		return
	}
	s.cache.HoldDown(waiters[0].query.key, 0, s.cache.Now())
	for i := range waiters {
		waiters[i].deliver(s, nil, context.DeadlineExceeded)
		waiters[i].flush()
	}
}
