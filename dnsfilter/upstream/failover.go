package upstream

import (
	"context"
	"errors"
	"time"
)

// Fail-over: which resolver is asked when one fails, is silent, or sends a reply of no use, and when a query is given up.

// next returns the resolver to ask next: first those that were not asked, then each once more unless one has failed; -1
// if there is none.
func (f *Forwarder) next(q *pendingQuery) int {
	if q.n == maxAttempts {
		return -1
	}
	asked := make([]int, len(f.resolvers))
	for _, a := range q.attempts[:q.n] {
		asked[a.resolver]++
	}
	for round := range rounds {
		if round > 0 && q.failure != nil {
			break
		}
		for i := range f.resolvers {
			if asked[i] == round && (q.only == nil || q.only == &f.resolvers[i]) {
				return i
			}
		}
	}
	return -1
}

// failOver asks the next resolver, or ends the query if none is left and no reply is worth waiting for. The cause is
// nil if a resolver has failed, and [context.DeadlineExceeded] if it was silent.
func (p *pool) failOver(q *pendingQuery, now time.Time, cause error) (result, bool) {
	silent := errors.Is(cause, context.DeadlineExceeded)
	if cause != nil && !silent {
		q.cause = cause
		if q.only != nil && q.isOpen() {
			return result{}, false // a probe has its time
		}
	}
	inTime := now.Sub(q.begun) < timeLimit
	if next := p.f.next(q); next >= 0 && inTime {
		q.timeout = min(2*q.timeout, timeLimit/2)
		p.ask(q, next, now)
		q.next = q.deadline(now, q.timeout)
		return result{}, false
	}
	if inTime && (!silent || !q.exhausted) && p.mayBeAnswered(q) {
		q.waitForRest(now)
		return result{}, false
	}
	return p.giveUp(q), true
}

// failOverAll asks the next resolvers for all queries of a transport.
func (p *pool) failOverAll(pending map[uint16]*pendingQuery, now time.Time, cause error) (results []result) {
	waiting := make(map[*pendingQuery]bool, len(pending)) // a query may wait for two replies
	for _, q := range pending {
		waiting[q] = true
	}
	for q := range waiting {
		if r, ok := p.failOver(q, now, cause); ok {
			results = append(results, r)
		}
	}
	return results
}

// waitForRest sets when a query ends for which all resolvers have been asked: soon if one of them has failed.
func (q *pendingQuery) waitForRest(now time.Time) {
	timeout := timeLimit
	if q.failure != nil || q.cause != nil {
		timeout = lastTimeout
	}
	next := q.deadline(now, timeout)
	if !q.exhausted || next.Before(q.next) {
		q.next = next
	}
	q.exhausted = true
}

// giveUp ends a query without a good answer.
func (p *pool) giveUp(q *pendingQuery) result {
	switch {
	case q.failure != nil && q.to.Accept(q.failure):
		reply := q.failure
		return result{to: p.remove(q), reply: reply}
	case q.failure != nil:
		q.cause = errUnusable
	case q.cause == nil:
		q.cause = context.DeadlineExceeded
	}
	cause := q.cause
	return result{to: p.remove(q), err: cause}
}
