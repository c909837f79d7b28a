package upstream

import (
	"sync/atomic"
	"time"
)

// ednsSupport is what is known of a resolver's support for EDNS. A query that is answered only without an OPT record is
// a strike; some in a row, and the resolver is asked without for a while (RFC 6891, section 6.2.2), except for
// questions with the DO bit, which mean nothing without it.
type ednsSupport struct {
	strikes  atomic.Int32
	offUntil atomic.Int64 // ns; 0: it never was off
}

// isOff reports whether the resolver is asked without EDNS now.
func (s *ednsSupport) isOff(now time.Time) bool { return now.UnixNano() < s.offUntil.Load() }

// succeeded notes that a query with an OPT record was answered.
func (s *ednsSupport) succeeded() {
	if s.strikes.Load() != 0 {
		s.strikes.Store(0)
	}
}

// strike notes that a query was answered without an OPT record, and not with one. It reports whether EDNS is off from
// now on.
func (s *ednsSupport) strike(now time.Time) bool {
	if s.strikes.Add(1) < maxStrikes {
		return false
	}
	s.offUntil.Store(now.Add(disableFor).UnixNano())
	s.strikes.Store(maxStrikes - 1)
	return true
}

// retryWithoutEDNS sends an attempt again, without EDNS, where that may be why the reply is a failure. Else it notes
// how the resolver supports EDNS.
func (p *pool) retryWithoutEDNS(q *pendingQuery, a *attempt, reply []byte, now time.Time) bool {
	r := &p.f.resolvers[a.resolver]
	switch {
	case !a.noEDNS && mayRefuseEDNS(reply) && canDropEDNS(q.query):
		delete(a.via.waiting(), a.id)
		a.noEDNS, a.ednsFailed = true, true
		p.repeat(q, a, now)
		return true
	case isFailure(reply):
	case a.ednsFailed:
		if r.edns.strike(now) {
			p.f.warn(r, "an upstream fails queries with EDNS and is asked without it for an hour; questions with the DO bit fail there")
		}
	case !a.noEDNS:
		r.edns.succeeded()
	}
	return false
}
