package upstream

import (
	"crypto/tls"
	"sync/atomic"
	"time"
)

const (
	firstTimeout = time.Second            // for a resolver that has never answered
	minTimeout   = 250 * time.Millisecond // a resolver needs time for a name that it has not cached
	maxTimeout   = 2 * time.Second
	lastTimeout  = time.Second // for the remaining replies, after all were asked and one has failed
)

// resolver is a resolver and its state.
type resolver struct {
	at     Endpoint
	tls    *tls.Config // nil: over UDP
	record record
	casing caseSupport
	edns   ednsSupport
	outage atomic.Pointer[outage] // nil: not known to be down
	probed atomic.Int64           // time of the last probe, ns
	delay  atomic.Int64           // smoothed round-trip time, ns; 0: never answered
	last   atomic.Int64           // time of the last query, ns
	heard  atomic.Int64           // time of the last reply, ns
}

// answered records the reply to an attempt. Failures do not change the smoothed round-trip time.
func (f *Forwarder) answered(a *attempt, failed bool, now time.Time) {
	r, took := &f.resolvers[a.resolver], now.Sub(a.sent)
	r.heard.Store(now.UnixNano())
	r.record.times.Observe(took, 1)
	f.markUp(r, now)
	if failed {
		return
	}
	old := r.delay.Load()
	if old == 0 {
		old = int64(took)
	}
	r.delay.Store(max(old+(int64(took)-old)/8, 1))
}

// timedOut records a timeout. It returns true if the resolver has sent no reply at all since the given time. Otherwise
// the name is slow, not the resolver.
func (r *resolver) timedOut(waited time.Duration, since time.Time) (silent bool) {
	r.record.late.Add(1)
	if r.heard.Load() > since.UnixNano() {
		return false
	}
	r.delay.Store(min(max(2*r.delay.Load(), int64(waited)), int64(timeLimit)))
	return true
}

// timeout returns how long to wait for the resolver before another one is asked as well.
func (r *resolver) timeout() time.Duration {
	d := time.Duration(r.delay.Load())
	switch {
	case r.isDown():
		return probeTimeout
	case d == 0:
		return firstTimeout
	}
	return min(max(4*d, minTimeout), maxTimeout)
}

// fastest returns the resolver with the shortest delay. Resolvers without a measured delay count as firstTimeout/2; of
// equal ones, the first wins.
func (f *Forwarder) fastest() int {
	best, least := 0, time.Duration(0)
	for i := range f.resolvers {
		d := time.Duration(f.resolvers[i].delay.Load())
		if d == 0 {
			d = firstTimeout / 2
		}
		if i == 0 || d < least {
			best, least = i, d
		}
	}
	return best
}

// secondary returns a resolver to ask in parallel with the fastest, since its last query was long ago, or -1.
func (f *Forwarder) secondary(first int, now time.Time) int {
	for i := range f.resolvers {
		last := f.resolvers[i].last.Load()
		if i != first && last != 0 && now.UnixNano()-last > int64(secondaryEvery) {
			return i
		}
	}
	return -1
}
