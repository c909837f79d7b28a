package upstream

import (
	"crypto/tls"
	"sync/atomic"
	"time"
)

const (
	firstTimeout = time.Second            // of a resolver that has never answered
	minTimeout   = 250 * time.Millisecond // a name that the resolver has to look up first takes its time
	maxTimeout   = 2 * time.Second
	lastTimeout  = time.Second // for the rest of the replies, when all were asked and one has failed
)

// resolver is one resolver and what is known of it.
type resolver struct {
	at     Endpoint
	tls    *tls.Config // nil: over UDP
	record record
	casing caseSupport
	edns   ednsSupport
	outage atomic.Pointer[outage] // nil: none is known of
	probed atomic.Int64           // when it was probed, ns
	delay  atomic.Int64           // smoothed round-trip time, ns; 0: never answered
	last   atomic.Int64           // when it was asked, ns
	heard  atomic.Int64           // when it answered, ns
}

// answered counts the reply to an attempt. The time that a failure took says nothing of later answers.
func (f *Forwarder) answered(a *attempt, failed bool, now time.Time) {
	r, took := &f.resolvers[a.resolver], now.Sub(a.sent)
	r.heard.Store(now.UnixNano())
	r.record.times.Observe(took)
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

// timedOut notes that no answer came in time. If others came meanwhile, the name is slow and not the resolver: it
// reports whether there were none.
func (r *resolver) timedOut(waited time.Duration, since time.Time) (silent bool) {
	r.record.late.Add(1)
	if r.heard.Load() > since.UnixNano() {
		return false
	}
	r.delay.Store(min(max(2*r.delay.Load(), int64(waited)), int64(timeLimit)))
	return true
}

// timeout is how long the resolver has until another is asked as well.
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

// fastest returns the resolver with the shortest delay; those of which nothing is known come after those that answer,
// as given.
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

// secondary returns a resolver to ask along with the fastest, since it was not asked for a while; -1 if there is none.
func (f *Forwarder) secondary(first int, now time.Time) int {
	for i := range f.resolvers {
		last := f.resolvers[i].last.Load()
		if i != first && last != 0 && now.UnixNano()-last > int64(secondaryEvery) {
			return i
		}
	}
	return -1
}
