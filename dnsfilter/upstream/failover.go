package upstream

import (
	"context"
	"errors"
	"time"
)

// Fail-over: choosing the next resolver when one fails, is silent, or sends an unusable reply, and giving up.

// next returns the index of the resolver for the next attempt, or -1 if there is none. Resolvers without an attempt
// come first. Then each gets a second attempt, unless a resolver has returned a failure.
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

// failOver sends a query to the next resolver. If there is none, and no reply is expected any more, it ends the query
// and returns the result and true. The argument cause is the error of the last attempt: nil after a failure reply, and
// [context.DeadlineExceeded] after a timeout.
func (p *pool) failOver(q *pendingQuery, now time.Time, cause error) (result, bool) {
	silent := errors.Is(cause, context.DeadlineExceeded)
	if cause != nil && !silent {
		q.cause = cause
		if q.only != nil && q.isOpen() {
			return result{}, false // a probe waits for its timeout
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

// failOverAll calls failOver for all pending queries of a transport. It returns the results of the queries that ended.
func (p *pool) failOverAll(pending map[uint16]*pendingQuery, now time.Time, cause error) (results []result) {
	waiting := make(map[*pendingQuery]bool, len(pending)) // removes duplicates: a query may wait for two replies
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

// waitForRest sets the time until which a query waits for replies, after all attempts were made. The wait is short if a
// resolver has returned a failure or an attempt has failed.
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

// giveUp ends a query with the last failure reply, or with an error if there is none.
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
