// Package ratelimit bounds how often each of many keys is served, with the generic cell rate algorithm (GCRA), in
// memory of a fixed size and without locks.
package ratelimit

import (
	"hash/maphash"
	"sync/atomic"
	"time"
)

// MaxRate is the highest limit, per second.
const MaxRate = 1_000_000

// The table: a slot holds 24 bits of the hash of a key, and its theoretical arrival time: until when what it was
// allowed is paid for, in microseconds modulo 2^40 (12 days).
const (
	sets     = 1 << 13
	ways     = 8 // slots that a key may have: one cache line
	timeBits = 40
	timeMask = 1<<timeBits - 1
	second   = 1_000_000
)

// Limiter limits each key to a rate, after a pause to as many at once as in a second. A key beyond its limit writes
// nothing. Of more keys than there is room for, those are forgotten that were allowed least.
type Limiter struct {
	seed    maphash.Seed
	start   time.Time
	cost    uint64 // of one, in microseconds
	slip    uint64
	limited atomic.Uint64
	slots   []atomic.Uint64
}

// New makes a limiter of perSecond, at most [MaxRate]. Of what is beyond every slip-th slips through (0: none). It is
// nil without a limit.
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

// Allow reports whether a key may be served once more.
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
	set[at].CompareAndSwap(old, tag<<timeBits|(now+least+l.cost)&timeMask) // lost to another core: one goes uncounted
	return true
}

// ahead returns how much of what a slot was allowed is yet to be paid for, in microseconds.
func (l *Limiter) ahead(slot, now uint64) uint64 {
	ahead := (slot - now) & timeMask
	if ahead > 2*second { // more than a second, and what another core's clock may be ahead of ours
		return 0
	}
	return ahead
}

// Slip counts one beyond the limit, and reports whether it slips through.
func (l *Limiter) Slip() bool { return l.slip > 0 && l.limited.Add(1)%l.slip == 0 }
