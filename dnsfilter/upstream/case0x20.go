package upstream

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

const (
	maxStrikes = 3         // failed attempts (strikes) after which 0x20, or EDNS, is turned off for a resolver
	disableFor = time.Hour // how long 0x20, or EDNS, stays off
)

// caseMask is a mask for 0x20 randomization (draft-vixie-dnsext-dns0x20). If bit i modulo 64 is set, the case of the
// letter at offset i of a message is inverted. A forged reply has to match the mask as well as the ID and the port. The
// zero value changes nothing.
type caseMask uint64

// flip returns byte c, the byte at offset i, with its case inverted if the mask says so.
func (m caseMask) flip(c byte, i int) byte {
	if (c|0x20)-'a' < 26 {
		c ^= byte(m>>(i%64)&1) << 5
	}
	return c
}

// changes reports whether the mask changes a query. The reply to an unchanged query does not show whether the resolver
// supports 0x20.
func (m caseMask) changes(query []byte) bool { return !m.matches(query, query) }

// apply inverts the case of the letters in the name of a query, according to the mask.
func (m caseMask) apply(query []byte) {
	if m == 0 {
		return
	}
	end := dnswire.QuestionEnd(query) - 4
	for i := dnswire.HeaderSize; i < end; i++ {
		query[i] = m.flip(query[i], i)
	}
}

// matches reports whether the name in a reply is the name of the query with the mask applied. The reply must have the
// question of the query, in any letter case.
func (m caseMask) matches(reply, query []byte) bool {
	end := dnswire.QuestionEnd(query) - 4
	for i := dnswire.HeaderSize; i < end; i++ {
		if reply[i] != m.flip(query[i], i) {
			return false
		}
	}
	return true
}

// caseSupport is the state of 0x20 for one resolver. A strike is a masked attempt that failed, while the repeated
// attempt without a mask was answered. After maxStrikes strikes, with no matching reply in between, 0x20 is off for
// disableFor.
type caseSupport struct {
	proven     atomic.Bool // a reply that was no failure has matched its mask, so the resolver supports 0x20
	strikes    atomic.Int32
	offUntil   atomic.Int64 // end of the time without 0x20, in Unix nanoseconds; 0: never off
	mismatches atomic.Uint64
}

// isOff reports whether 0x20 is currently off for the resolver.
func (s *caseSupport) isOff(now time.Time) bool { return now.UnixNano() < s.offUntil.Load() }

// accepts reports whether a reply to an attempt with a mask is accepted. A reply whose name does not match the mask is
// rejected. A failure is accepted only from a resolver that has proved its support of 0x20, since otherwise the mask
// may be the cause. The caller repeats a rejected attempt without a mask.
func (s *caseSupport) accepts(matches, failed bool) bool {
	switch {
	case !matches:
		s.mismatches.Add(1)
		return false
	case !failed:
		if !s.proven.Load() {
			s.proven.Store(true)
		}
		if s.strikes.Load() != 0 {
			s.strikes.Store(0)
		}
	}
	return !failed || s.proven.Load()
}

// strike counts a masked attempt that failed, while the repeated attempt without a mask was answered. If noReply is
// true, the masked attempt got no reply, which may also be a packet loss; otherwise its reply was rejected.
func (s *caseSupport) strike(noReply bool, now time.Time) {
	if noReply && s.proven.Load() || s.strikes.Add(1) < maxStrikes {
		return
	}
	s.offUntil.Store(now.Add(disableFor).UnixNano())
	s.proven.Store(false)
	s.strikes.Store(maxStrikes - 1)
}

// chooseCase sets a random mask for an attempt. It sets no mask if 0x20 is off for the resolver, or if this resolver
// left an earlier attempt at the query unanswered.
func (p *pool) chooseCase(q *pendingQuery, a *attempt, now time.Time) {
	for i := range q.n - 1 {
		if before := &q.attempts[i]; before.resolver == a.resolver {
			a.caseRetry = before.mask != 0
			a.noReply = a.caseRetry
			return
		}
	}
	if p.f.resolvers[a.resolver].casing.isOff(now) {
		return
	}
	if m := caseMask(binary.BigEndian.Uint64(p.random(8))); m.changes(q.query) {
		a.mask = m
	}
}

// checkCase reports whether the letter case of a reply is accepted. If it is, checkCase restores the original name in
// the reply. If not, it repeats the attempt without a mask.
func (p *pool) checkCase(q *pendingQuery, a *attempt, reply []byte, now time.Time) bool {
	support, failed := &p.f.resolvers[a.resolver].casing, isFailure(reply)
	switch {
	case a.mask == 0:
		if a.caseRetry && !failed {
			support.strike(a.noReply, now)
		}
	case support.accepts(a.mask.matches(reply, q.query), failed):
		end := dnswire.QuestionEnd(q.query)
		copy(reply[dnswire.HeaderSize:end], q.query[dnswire.HeaderSize:end])
	default:
		a.mask, a.caseRetry, a.noReply = 0, true, false
		a.noEDNS, a.ednsFailed = false, false // the mask may have caused the failure
		p.repeat(q, a, now)
		return false
	}
	return true
}
