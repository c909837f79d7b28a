package upstream

import (
	"errors"
	"slices"
	"time"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// errUnusable is the error of a query whose replies were all unusable.
var errUnusable = errors.New("the resolver's answer is malformed or cut")

// pendingQuery is a query that waits for a reply. The lock of the pool guards it.
type pendingQuery struct {
	to        Receiver
	query     []byte
	buf       [maxQuery]byte
	noEDNS    [maxQuery]byte // buffer for the query without its OPT record
	at        int            // index in pool.active
	only      *resolver      // the only resolver to ask; nil: any
	attempts  [maxAttempts]attempt
	n         int // number of attempts so far
	begun     time.Time
	next      time.Time     // time for the next attempt, or for giving up
	timeout   time.Duration // timeout of the last attempt
	failure   []byte        // last failure reply; it becomes the answer if no resolver gives a better one
	cause     error         // last error of a transport, or errUnusable; nil: none
	exhausted bool          // all attempts were made
}

// attempt is one transmission of a query to a resolver. If the query is sent again with another mask, without its OPT
// record, or over TCP, that counts as the same attempt.
type attempt struct {
	resolver   int
	via        transport // transport that the query was sent over; nil if none could be opened
	id         uint16
	sent       time.Time
	mask       caseMask // 0x20 mask; used over UDP only
	caseRetry  bool     // an earlier transmission of the query to this resolver had a mask
	noReply    bool     // if caseRetry is true: the transmission with a mask got no reply; false: its reply was rejected
	noEDNS     bool     // sent without an OPT record
	ednsFailed bool     // the resolver returned a failure to the transmission with an OPT record
}

// isOpen reports whether the attempt still waits for a reply to query q.
func (a *attempt) isOpen(q *pendingQuery) bool { return a.via != nil && a.via.waiting()[a.id] == q }

// isOpen reports whether any attempt at the query still waits for a reply.
func (q *pendingQuery) isOpen() bool {
	return slices.ContainsFunc(q.attempts[:q.n], func(a attempt) bool { return a.isOpen(q) })
}

// attemptOf returns the attempt that was sent over a transport with a message ID, or nil.
func (q *pendingQuery) attemptOf(via transport, id uint16) *attempt {
	for i := range q.attempts[:q.n] {
		if a := &q.attempts[i]; a.via == via && a.id == id {
			return a
		}
	}
	return nil
}

// packet returns the packed query for an attempt, with or without its OPT record.
func (q *pendingQuery) packet(a *attempt) []byte {
	if a.noEDNS {
		return dropEDNS(q.noEDNS[:0], q.query)
	}
	return q.query
}

// ask makes an attempt: it sends a query to a resolver. If sending fails, the attempt times out, as after a packet
// loss.
func (p *pool) ask(q *pendingQuery, resolver int, now time.Time) {
	if q.n == maxAttempts {
		return
	}
	r := &p.f.resolvers[resolver]
	r.last.Store(now.UnixNano())
	r.record.asked.Add(1)
	a := &q.attempts[q.n]
	*a = attempt{resolver: resolver, sent: now, noEDNS: r.edns.isOff(now) && canDropEDNS(q.query)}
	q.n++
	if r.tls != nil {
		p.sendOverStream(q, a, now)
	} else if s, err := p.socket(resolver, now); err == nil {
		p.chooseCase(q, a, now)
		p.send(q, a, s)
	}
}

// repeat sends the query of an attempt again, over the same kind of transport. The caller has changed the form of the
// attempt.
func (p *pool) repeat(q *pendingQuery, a *attempt, now time.Time) {
	if _, ok := a.via.(*stream); ok {
		p.sendOverStream(q, a, now)
		return
	}
	a.via = nil
	if s, err := p.socket(a.resolver, now); err == nil {
		a.sent = now
		p.send(q, a, s)
	}
}

// send sends the query of an attempt over a transport, with a new random ID.
func (p *pool) send(q *pendingQuery, a *attempt, via transport) {
	for a.id = p.id(); via.waiting()[a.id] != nil; {
		a.id = p.id()
	}
	a.via = via
	via.waiting()[a.id] = q
	via.add(q.packet(a), a.id, a.mask)
}

// match returns the pending query that a reply answers, or nil. A failure reply without a question is matched by its ID
// only.
func (p *pool) match(via transport, reply []byte) *pendingQuery {
	if len(reply) < dnswire.HeaderSize {
		return nil
	}
	if q := via.waiting()[id(reply)]; q != nil && (isReplyTo(reply, q.query) || isHeaderOnlyFailure(reply, q.query)) {
		return q
	}
	return nil
}

// onReply decides what follows from a reply to a query: the query ends, is repeated in another form, goes to the next
// resolver, or keeps waiting. If it ends, onReply returns the result and true.
func (p *pool) onReply(q *pendingQuery, via transport, reply []byte, now time.Time) (result, bool) {
	id := id(reply)
	a := q.attemptOf(via, id)
	p.f.tapReply(a, now, reply)
	p.f.answered(a, isFailure(reply), now)
	if isHeaderOnlyFailure(reply, q.query) {
		if p.retryWithoutEDNS(q, a, reply, now) {
			return result{}, false
		}
		return p.failOver(q, now, errUnusable) // it is easy to forge, so the query keeps waiting for another reply
	}
	delete(via.waiting(), id)
	if p.retryWithoutEDNS(q, a, reply, now) || !p.checkCase(q, a, reply, now) {
		return result{}, false
	}
	return p.accept(q, a, reply, now)
}

// accept decides what follows from a reply that has passed the checks of ID, question and letter case. It ends the
// query if the receiver accepts the reply. If the reply is truncated, it sends the query again over TCP. If the reply
// is a failure or unusable, it fails over.
func (p *pool) accept(q *pendingQuery, a *attempt, reply []byte, now time.Time) (result, bool) {
	_, datagram := a.via.(*socket)
	switch {
	case datagram && dnswire.IsTruncated(reply):
		p.sendOverStream(q, a, now)
		q.timeout = dialWithin
		q.next = q.deadline(now, q.timeout)
		return result{}, false
	case isFailure(reply):
		q.failure = append([]byte(nil), reply...)
		return p.failOver(q, now, nil)
	case !q.to.Accept(reply):
		return p.failOver(q, now, errUnusable)
	}
	return result{to: p.remove(q), reply: reply}, true
}

// deadline returns the end of a timeout that begins now, or the time limit of the query if that is earlier.
func (q *pendingQuery) deadline(now time.Time, timeout time.Duration) time.Time {
	next, limit := now.Add(timeout), q.begun.Add(timeLimit)
	if next.After(limit) {
		return limit
	}
	return next
}

// mayBeAnswered reports whether an attempt still waits for the reply of a resolver that is not known to be down. It
// returns false for a probe.
func (p *pool) mayBeAnswered(q *pendingQuery) bool {
	if q.only != nil {
		return false
	}
	for i := range q.attempts[:q.n] {
		if a := &q.attempts[i]; a.isOpen(q) && !p.f.resolvers[a.resolver].isDown() {
			return true
		}
	}
	return false
}

// remove removes an ended query from the pool, and returns its receiver. Later replies match no query.
func (p *pool) remove(q *pendingQuery) Receiver {
	for i := range q.attempts[:q.n] {
		if a := &q.attempts[i]; a.isOpen(q) {
			delete(a.via.waiting(), a.id)
			a.via.closeUnused()
		}
	}
	last := len(p.active) - 1
	p.active[q.at] = p.active[last]
	p.active[q.at].at = q.at
	p.active = p.active[:last]
	p.free = append(p.free, q)
	to := q.to
	q.to, q.only = nil, nil
	return to
}

// result is the reply or error of an ended query. It goes to the receiver after the pool is unlocked.
type result struct {
	to    Receiver
	reply []byte
	err   error
}

func deliver(results []result) {
	for _, r := range results {
		r.to.Answer(r.reply, r.err)
	}
}
