package upstream

import (
	"crypto/tls"
	"sync/atomic"
	"time"
)

const (
	firstPatience = time.Second            // for a resolver that has never answered
	minPatience   = 250 * time.Millisecond // a name that it has to look up first takes its time
	maxPatience   = 2 * time.Second
	lastPatience  = time.Second // for outstanding replies, when all were asked and one could not help
)

// resolver is one resolver and how it has been doing.
type resolver struct {
	at     Endpoint
	tls    *tls.Config // nil: over UDP
	record record
	echo   echo
	edns   edns
	outage atomic.Pointer[outage] // nil: none is known of
	probed atomic.Int64           // when it was probed, ns
	delay  atomic.Int64           // smoothed, ns; 0: never answered
	last   atomic.Int64           // when it was asked, ns
	heard  atomic.Int64           // when it answered, ns
}

// answered takes a reply to a try into account. The time that a failure took promises nothing.
func (f *Forwarder) answered(t *try, failed bool, now time.Time) {
	r, took := &f.resolvers[t.resolver], now.Sub(t.sent)
	r.heard.Store(now.UnixNano())
	r.record.answered(took)
	f.rose(r, now)
	if failed {
		return
	}
	old := r.delay.Load()
	if old == 0 {
		old = int64(took)
	}
	r.delay.Store(max(old+(int64(took)-old)/8, 1))
}

// late notes that no answer came in the time given. If others came meanwhile it was not the resolver, but the name: it reports
// whether there were none.
func (r *resolver) late(waited time.Duration, since time.Time) (silent bool) {
	r.record.late.Add(1)
	if r.heard.Load() > since.UnixNano() {
		return false
	}
	r.delay.Store(min(max(2*r.delay.Load(), int64(waited)), int64(answerLimit)))
	return true
}

// patience is how long the resolver has until another is asked as well.
func (r *resolver) patience() time.Duration {
	d := time.Duration(r.delay.Load())
	switch {
	case r.isDown():
		return probeFirst
	case d == 0:
		return firstPatience
	}
	return min(max(4*d, minPatience), maxPatience)
}

// first returns the resolver that answers fastest; one of which nothing is known comes after those that answer, as given.
func (f *Forwarder) first() int {
	best, least := 0, time.Duration(0)
	for i := range f.resolvers {
		d := time.Duration(f.resolvers[i].delay.Load())
		if d == 0 {
			d = firstPatience / 2
		}
		if i == 0 || d < least {
			best, least = i, d
		}
	}
	return best
}

// toProbe returns a resolver that was not asked for a while and is to be asked along with the first; -1 if there is none.
func (f *Forwarder) toProbe(first int, now time.Time) int {
	for i := range f.resolvers {
		last := f.resolvers[i].last.Load()
		if i != first && last != 0 && now.UnixNano()-last > int64(probeEvery) {
			return i
		}
	}
	return -1
}
