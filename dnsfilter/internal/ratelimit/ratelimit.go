// Package ratelimit limits the rate of many keys with the generic cell rate algorithm (GCRA), in memory of fixed size
// and without locks.
package ratelimit

import (
	"hash/maphash"
	"sync/atomic"
	"time"
)

// MaxRate is the maximum rate of a limiter, in requests per second.
const MaxRate = 1_000_000

// Parameters of the table. Each slot has 24 bits of the hash of a key, and the theoretical arrival time of GCRA, in
// microseconds modulo 2^40 (12 days). Each allowed request moves that time ahead by the cost of a request.
const (
	sets     = 1 << 13
	ways     = 8 // number of slots that a key may be in: one cache line
	timeBits = 40
	timeMask = 1<<timeBits - 1
	second   = 1_000_000
)

// Limiter limits the requests of each key to a rate. After a pause, a key may make the requests of one second at once.
// A request beyond the limit writes nothing to the table. If there are more keys than slots, the limiter forgets the
// keys with the fewest recent requests.
type Limiter struct {
	seed    maphash.Seed
	start   time.Time
	cost    uint64 // cost of a request, in microseconds: one second divided by the rate
	slip    uint64
	limited atomic.Uint64
	slots   []atomic.Uint64
}

// New creates a limiter for a rate per second, at most [MaxRate]. It returns nil if perSecond is not positive. The
// argument slip is for [Limiter.Slip].
func New(perSecond, slip int) *Limiter {
	if perSecond <= 0 {
		return nil
	}
	return &Limiter{
		seed: maphash.MakeSeed(), start: time.Now(),
		cost: uint64(second / min(perSecond, MaxRate)), slip: uint64(max(slip, 0)),
		slots: make([]atomic.Uint64, sets*ways),
	}
}

// Allow reports whether a request of a key is within the limit. If it is, Allow counts the request.
func (l *Limiter) Allow(key uint64) bool {
	now := uint64(time.Since(l.start)/time.Microsecond) & timeMask
	hash := maphash.Comparable(l.seed, key)
	set, tag := l.slots[hash%sets*ways:][:ways], hash>>timeBits
	at, least := 0, uint64(timeMask)
	for i := range set {
		v := set[i].Load()
		ahead := l.ahead(v, now)
		if v>>timeBits == tag {
			at, least = i, ahead
			break
		}
		if ahead < least {
			at, least = i, ahead
		}
	}
	old := set[at].Load()
	if old>>timeBits != tag {
		least = 0
	}
	if least+l.cost > second {
		return false
	}
	set[at].CompareAndSwap(old, tag<<timeBits|(now+least+l.cost)&timeMask) // not counted if another core is faster
	return true
}

// ahead returns how far the theoretical arrival time of a slot is ahead of now, in microseconds.
func (l *Limiter) ahead(slot, now uint64) uint64 {
	ahead := (slot - now) & timeMask
	if ahead > 2*second { // the limit is one second, plus differences between clock readings of cores
		return 0
	}
	return ahead
}

// Slip counts a request beyond the limit. It reports whether the request gets an answer nevertheless: one in slip
// requests does, or none if slip is 0.
func (l *Limiter) Slip() bool { return l.slip > 0 && l.limited.Add(1)%l.slip == 0 }
