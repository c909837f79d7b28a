package dnsfilter

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// RateLimit bounds what one network of clients is answered over UDP, where the sender of a query may be forged: a network of
// 24 bits (IPv4) or 56 bits (IPv6). The zero value is no limit.
type RateLimit struct {
	PerSecond int // answers a second; after a pause as many at once
	Slip      int // every Slip-th query beyond is answered with TC alone, so that a real client can ask over TCP; 0: none
}

// MaxRate is the highest limit, in answers a second.
const MaxRate = 1_000_000

// The memory of a limiter: a slot holds 24 bits of the hash of a network, and until when what it has been answered is
// paid for, in microseconds modulo 2^40 (12 days).
const (
	limiterSets = 1 << 13
	limiterWays = 8 // slots that a network may have: one cache line
	paidBits    = 40
	paidMask    = 1<<paidBits - 1
	second      = 1_000_000
)

// limiter counts what networks are answered (GCRA), in memory of a fixed size, without locks. A network that is held back
// writes nothing. Of more networks than there is room for, those are forgotten that have been answered least.
type limiter struct {
	seed  maphash.Seed
	start time.Time
	step  uint64 // what an answer costs, in microseconds
	slip  uint64
	held  atomic.Uint64 // queries held back
	slots []atomic.Uint64
}

// newLimiter returns nil where nothing is limited.
func newLimiter(r RateLimit) *limiter {
	if r.PerSecond <= 0 {
		return nil
	}
	return &limiter{
		seed: maphash.MakeSeed(), start: time.Now(), step: uint64(second / min(r.PerSecond, MaxRate)), slip: uint64(max(r.Slip, 0)),
		slots: make([]atomic.Uint64, limiterSets*limiterWays),
	}
}

// allows reports whether the network of a client may be answered once more.
func (l *limiter) allows(client netip.Addr) bool {
	now := uint64(time.Since(l.start)/time.Microsecond) & paidMask
	hash := maphash.Comparable(l.seed, network(client))
	set, tag := l.slots[hash%limiterSets*limiterWays:][:limiterWays], hash>>paidBits
	at, least := 0, uint64(paidMask)
	for i := range set {
		v := set[i].Load()
		ahead := l.ahead(v, now)
		if v>>paidBits == tag {
			at, least = i, ahead
			break
		}
		if ahead < least {
			at, least = i, ahead
		}
	}
	old := set[at].Load()
	if old>>paidBits != tag {
		least = 0
	}
	if least+l.step > second {
		return false
	}
	set[at].CompareAndSwap(old, tag<<paidBits|(now+least+l.step)&paidMask) // lost to another core: one answer goes uncounted
	return true
}

// ahead returns how much of a slot's answers is yet to be paid for.
func (l *limiter) ahead(slot, now uint64) uint64 {
	ahead := (slot - now) & paidMask
	if ahead > 2*second { // more than a second, and what another core's clock may be ahead of ours
		return 0
	}
	return ahead
}

// admit reports whether a query may be answered, and makes the cookie that the answer is to have. If not, it appends to dst what
// is sent instead, or nothing. The limit is not for those who have proved their address.
func (s *Server) admit(c *course, dst []byte, q *query, client netip.Addr, stream bool) (m []byte, ok bool) {
	q.proven = q.sentCookie != nil && q.stampCookie(c.secrets, client, s.unix())
	if !stream && !q.proven && c.limiter != nil && !c.limiter.allows(client) {
		return q.holdBack(dst, c.limiter), false
	}
	q.client = plainAddr(client)
	if code := c.policy.StructuredErrors; code != 0 && hasOption(q.options, code) {
		q.structured = true
	}
	if !c.policy.Serves(q.client) {
		return q.refuse(dst, dns.RcodeRefused, dns.ExtendedErrorCodeProhibited), false
	}
	return nil, true
}

// holdBack appends what a query beyond the limit gets: now and then a request to come again with a cookie of ours
// (RFC 7873, section 5.2.3), or over TCP; neither can be done with a forged address.
func (q *query) holdBack(dst []byte, l *limiter) []byte {
	q.counters.limited.Add(1)
	if l.slip == 0 || l.held.Add(1)%l.slip != 0 {
		return nil
	}
	q.counters.slipped.Add(1)
	if q.stamped {
		return q.refuse(dst, dns.RcodeBadCookie, 0)
	}
	m := q.start(dst, dns.RcodeSuccess)
	m[2] |= flagTC >> 8
	return q.finish(m, 0, ede{})
}
