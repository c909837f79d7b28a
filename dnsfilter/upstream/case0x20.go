package upstream

import (
	"encoding/binary"
	"sync/atomic"
	"time"
)

const (
	maxStrikes = 3         // after which a resolver is asked in plain spelling
	plainFor   = time.Hour // that long, until the other is tried again
)

// spelling says which letters of a name are sent in the other case: the letter at offset i of a message if bit i modulo 64 is
// set (draft-vixie-dnsext-dns0x20). Whoever forges a reply has to guess it as well as id and port. Zero is the plain one.
type spelling uint64

// flip returns the byte at offset i as it is sent.
func (s spelling) flip(c byte, i int) byte {
	if lower(c)-'a' < 26 {
		c ^= byte(s>>(i%64)&1) << 5
	}
	return c
}

// changes reports whether a query is sent otherwise than it is: the answer to one that is not proves nothing of the resolver.
func (s spelling) changes(query []byte) bool {
	end := questionEnd(query) - 4
	for i := headerSize; i < end; i++ {
		if s.flip(query[i], i) != query[i] {
			return true
		}
	}
	return false
}

// apply spells the name of a query.
func (s spelling) apply(query []byte) {
	if s == 0 {
		return
	}
	end := questionEnd(query) - 4
	for i := headerSize; i < end; i++ {
		query[i] = s.flip(query[i], i)
	}
}

// echoed reports whether reply, which answers query, has the name as it was sent.
func (s spelling) echoed(reply, query []byte) bool {
	end := questionEnd(query) - 4
	for i := headerSize; i < end; i++ {
		if reply[i] != s.flip(query[i], i) {
			return false
		}
	}
	return true
}

// echo is how a resolver treats the spelling of names. A try in plain spelling that is answered where one in another was not is a
// strike; some in a row, without a reply in between that has the spelling, and the resolver is asked plainly for a while.
type echo struct {
	proven  atomic.Bool // it has answered well, in the spelling of a query
	strikes atomic.Int32
	plain   atomic.Int64 // until then it is asked plainly, ns; 0: it never was
	missed  atomic.Uint64
}

// isPlain reports whether the resolver is asked in plain spelling now.
func (e *echo) isPlain(now time.Time) bool { return now.UnixNano() < e.plain.Load() }

// accepts reports whether a reply in the spelling of its query, or not, is taken; else the resolver is to be asked plainly. One that
// has not yet proved itself may fail because of the spelling.
func (e *echo) accepts(same, failed bool) bool {
	switch {
	case !same:
		e.missed.Add(1)
		return false
	case !failed:
		if !e.proven.Load() {
			e.proven.Store(true)
		}
		if e.strikes.Load() != 0 {
			e.strikes.Store(0)
		}
	}
	return !failed || e.proven.Load()
}

// strike notes that a plain query was answered where another was not. A reply may also be missing because the network lost it.
func (e *echo) strike(missing bool, now time.Time) {
	if missing && e.proven.Load() || e.strikes.Add(1) < maxStrikes {
		return
	}
	e.plain.Store(now.Add(plainFor).UnixNano())
	e.proven.Store(false)
	e.strikes.Store(maxStrikes - 1)
}

// chooseSpelling takes one at random for a try, unless the resolver does not repeat it, or has not answered it a moment ago.
func (l *Lane) chooseSpelling(e *exchange, t *try, now time.Time) {
	for i := range e.n - 1 {
		if before := &e.tries[i]; before.resolver == t.resolver {
			t.again = before.spelling != 0
			t.missing = t.again
			return
		}
	}
	if l.f.resolvers[t.resolver].echo.isPlain(now) {
		return
	}
	if s := spelling(binary.BigEndian.Uint64(l.random(8))); s.changes(e.query) {
		t.spelling = s
	}
}

// spelledWell reports whether a reply to a try is taken as far as its spelling goes; then the name is as in the query that the lane was
// given. Else the resolver is asked once more, plainly.
func (l *Lane) spelledWell(e *exchange, t *try, reply []byte, now time.Time) bool {
	r, failed := &l.f.resolvers[t.resolver].echo, fails(reply)
	switch {
	case t.spelling == 0:
		if t.again && !failed {
			r.strike(t.missing, now)
		}
	case r.accepts(t.spelling.echoed(reply, e.query), failed):
		end := questionEnd(e.query)
		copy(reply[headerSize:end], e.query[headerSize:end])
	default:
		t.spelling, t.again, t.missing = 0, true, false
		t.bare, t.refused = false, false // that may have been the spelling
		l.repeat(e, t, now)
		return false
	}
	return true
}
