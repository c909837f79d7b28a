package upstream

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

const (
	maxStrikes = 3         // after which a resolver is asked without 0x20, or without EDNS
	disableFor = time.Hour // for which it is, until they are tried again
)

// caseMask is 0x20 randomization (draft-vixie-dnsext-dns0x20): it says which letters of a name are sent in the other
// case, the letter at offset i of a message if bit i modulo 64 is set. To forge a reply, one has to guess it as well as
// ID and port. Zero changes nothing.
type caseMask uint64

// flip returns the byte at offset i as it is sent.
func (m caseMask) flip(c byte, i int) byte {
	if (c|0x20)-'a' < 26 {
		c ^= byte(m>>(i%64)&1) << 5
	}
	return c
}

// changes reports whether the mask changes a query: the answer to one that it does not change proves nothing of the
// resolver.
func (m caseMask) changes(query []byte) bool { return !m.matches(query, query) }

// apply changes the case of the name of a query.
func (m caseMask) apply(query []byte) {
	if m == 0 {
		return
	}
	end := dnswire.QuestionEnd(query) - 4
	for i := dnswire.HeaderSize; i < end; i++ {
		query[i] = m.flip(query[i], i)
	}
}

// matches reports whether reply, which answers query, has the name in the case in which it was sent.
func (m caseMask) matches(reply, query []byte) bool {
	end := dnswire.QuestionEnd(query) - 4
	for i := dnswire.HeaderSize; i < end; i++ {
		if reply[i] != m.flip(query[i], i) {
			return false
		}
	}
	return true
}

// caseSupport is what is known of a resolver's support for 0x20. An attempt without a mask that is answered, where one
// with a mask was not, is a strike; some in a row, without a reply in between that matches its mask, and the resolver
// is asked without for a while.
type caseSupport struct {
	proven     atomic.Bool // a reply with an answer has matched its mask
	strikes    atomic.Int32
	offUntil   atomic.Int64 // ns; 0: it never was off
	mismatches atomic.Uint64
}

// isOff reports whether the resolver is asked without 0x20 now.
func (s *caseSupport) isOff(now time.Time) bool { return now.UnixNano() < s.offUntil.Load() }

// accepts reports whether a reply is accepted that matches its mask, or does not; else the resolver is to be asked
// without. A resolver that has not yet proved its support may fail because of the mask.
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

// strike notes that an attempt without a mask was answered, and one with a mask was not: because there was no reply,
// which the network may have lost, or because of what it was.
func (s *caseSupport) strike(noReply bool, now time.Time) {
	if noReply && s.proven.Load() || s.strikes.Add(1) < maxStrikes {
		return
	}
	s.offUntil.Store(now.Add(disableFor).UnixNano())
	s.proven.Store(false)
	s.strikes.Store(maxStrikes - 1)
}

// chooseCase chooses a mask at random, unless the resolver does not support any, or has not answered an attempt with
// one just now.
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

// checkCase reports whether a reply is accepted as far as its case goes; then it is given the name of the query. Else
// the resolver is asked once more, without a mask.
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
		a.noEDNS, a.ednsFailed = false, false // the mask may have been the reason
		p.repeat(q, a, now)
		return false
	}
	return true
}
