package upstream

import (
	"sync/atomic"
	"time"
)

// ednsSupport is the state of EDNS for one resolver. A strike is a query that was answered only without an OPT record.
// After maxStrikes strikes in a row, EDNS is off for disableFor (RFC 6891, section 6.2.2). Queries with the DO bit keep
// their OPT record, since without it they would lose the bit.
type ednsSupport struct {
	strikes  atomic.Int32
	offUntil atomic.Int64 // end of the time without EDNS, in Unix nanoseconds; 0: never off
}

// isOff reports whether EDNS is currently off for the resolver.
func (s *ednsSupport) isOff(now time.Time) bool { return now.UnixNano() < s.offUntil.Load() }

// succeeded resets the strikes after an answer to a query with an OPT record.
func (s *ednsSupport) succeeded() {
	if s.strikes.Load() != 0 {
		s.strikes.Store(0)
	}
}

// strike counts a query that was answered only without an OPT record. It reports whether EDNS is off from now on.
func (s *ednsSupport) strike(now time.Time) bool {
	if s.strikes.Add(1) < maxStrikes {
		return false
	}
	s.offUntil.Store(now.Add(disableFor).UnixNano())
	s.strikes.Store(maxStrikes - 1)
	return true
}

// retryWithoutEDNS repeats an attempt without an OPT record if the reply is a failure that the record may have caused.
// It returns true if it has repeated the attempt. Otherwise it updates the state of EDNS for the resolver.
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
