package upstream

import (
	"sync/atomic"
	"time"
)

// edns is how a resolver treats queries with an OPT record. A query that is answered well only without one is a strike; some in a
// row, and the resolver is asked without for a while (RFC 6891, section 6.2.2), but for questions with the DO bit, which mean
// nothing without it.
type edns struct {
	strikes atomic.Int32
	off     atomic.Int64 // until then it is asked without, ns; 0: it never was
}

// isOff reports whether the resolver is asked without EDNS now.
func (x *edns) isOff(now time.Time) bool { return now.UnixNano() < x.off.Load() }

// taken notes that a query with an OPT record was answered well.
func (x *edns) taken() {
	if x.strikes.Load() != 0 {
		x.strikes.Store(0)
	}
}

// strike notes that a query was answered well without an OPT record, and not with one. It reports whether that was one too many.
func (x *edns) strike(now time.Time) bool {
	if x.strikes.Add(1) < maxStrikes {
		return false
	}
	x.off.Store(now.Add(plainFor).UnixNano())
	x.strikes.Store(maxStrikes - 1)
	return true
}

// triedWithoutEDNS sends the query of a try again, without EDNS, where that may be why the reply is a failure. Else it takes into
// account how the resolver treats EDNS.
func (l *Lane) triedWithoutEDNS(e *exchange, t *try, reply []byte, now time.Time) bool {
	switch {
	case !t.bare && refusesEDNS(reply) && mayGoBare(e.query):
		delete(t.way.waiting(), t.id)
		t.bare, t.refused = true, true
		l.repeat(e, t, now)
		return true
	case fails(reply):
	case t.refused:
		l.f.withoutEDNS(&l.f.resolvers[t.resolver], now)
	case !t.bare:
		l.f.resolvers[t.resolver].edns.taken()
	}
	return false
}

// withoutEDNS notes that a resolver has answered well only without EDNS.
func (f *Forwarder) withoutEDNS(r *resolver, now time.Time) {
	if r.edns.strike(now) {
		f.warn(r, "an upstream fails queries with EDNS and is asked without it for an hour; questions with the DO bit fail there")
	}
}
