package upstream

import (
	"crypto/tls"
	"sync/atomic"
	"time"
)

const (
	firstTimeout = time.Second            // timeout for a resolver that has never answered
	minTimeout   = 250 * time.Millisecond // minimum timeout: a resolver needs time for a name that is not in its cache
	maxTimeout   = 2 * time.Second
	lastTimeout  = time.Second // timeout for the remaining replies, after all attempts were made and one has failed
)

// resolver is an upstream resolver and its state.
type resolver struct {
	at     Endpoint
	tls    *tls.Config // configuration of TLS; nil: the resolver is reached over UDP and TCP
	record record
	casing caseSupport
	edns   ednsSupport
	outage atomic.Pointer[outage] // nil: the resolver is not known to be down
	probed atomic.Int64           // time of the last probe, in Unix nanoseconds
	delay  atomic.Int64           // smoothed round-trip time, in nanoseconds; 0: never answered
	last   atomic.Int64           // time of the last query, in Unix nanoseconds
	heard  atomic.Int64           // time of the last reply, in Unix nanoseconds
}

// answered records the reply to an attempt, and its response time. If failed is true, the reply does not change the
// smoothed round-trip time.
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

// timedOut records that an attempt has timed out, after waiting for the given time. It reports whether the resolver has
// sent no reply at all since the attempt. If the resolver has sent one, the name is slow, not the resolver.
func (r *resolver) timedOut(waited time.Duration, since time.Time) (silent bool) {
	r.record.late.Add(1)
	if r.heard.Load() > since.UnixNano() {
		return false
	}
	r.delay.Store(min(max(2*r.delay.Load(), int64(waited)), int64(timeLimit)))
	return true
}

// timeout returns how long to wait for the resolver before a query goes to another resolver, too.
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

// fastest returns the index of the resolver with the shortest delay. If several have the same delay, it is the first of
// them. A resolver without a measured delay counts as firstTimeout/2.
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

// secondary returns the index of a resolver, other than the fastest one (first), whose last query is more than
// secondaryEvery ago, or -1 if there is none. That resolver also gets the next query, in parallel with the fastest one.
func (f *Forwarder) secondary(first int, now time.Time) int {
	for i := range f.resolvers {
		last := f.resolvers[i].last.Load()
		if i != first && last != 0 && now.UnixNano()-last > int64(secondaryEvery) {
			return i
		}
	}
	return -1
}
