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
)

// resolver is one resolver and how it has been doing.
type resolver struct {
	at     Endpoint
	tls    *tls.Config // nil: over UDP
	record record
	echo   echo
	delay  atomic.Int64 // smoothed, ns; 0: never answered
	last   atomic.Int64 // when it was asked, ns
	heard  atomic.Int64 // when it answered, ns
}

// answered takes the time that an answer took into account.
func (r *resolver) answered(took time.Duration, now time.Time) {
	r.heard.Store(now.UnixNano())
	r.record.answered(took)
	old := r.delay.Load()
	if old == 0 {
		old = int64(took)
	}
	r.delay.Store(max(old+(int64(took)-old)/8, 1))
}

// late notes that no answer came in the time given. If others came meanwhile it was not the resolver, but the name.
func (r *resolver) late(waited time.Duration, since time.Time) {
	r.record.late.Add(1)
	if r.heard.Load() > since.UnixNano() {
		return
	}
	r.delay.Store(min(max(2*r.delay.Load(), int64(waited)), int64(answerLimit)))
}

// patience is how long the resolver has until another is asked as well.
func (r *resolver) patience() time.Duration {
	d := time.Duration(r.delay.Load())
	if d == 0 {
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

// next returns the resolver to ask after those that an exchange has tried: first those that were not asked, then each once
// more unless one has refused; -1 if there is none.
func (f *Forwarder) next(e *exchange) int {
	if e.n == maxTries {
		return -1
	}
	tries := make([]int, len(f.resolvers))
	for _, t := range e.tries[:e.n] {
		tries[t.resolver]++
	}
	for round := range rounds {
		if round > 0 && e.refusal != nil {
			break
		}
		for i := range f.resolvers {
			if tries[i] == round {
				return i
			}
		}
	}
	return -1
}
