package upstream

import (
	"context"
	"errors"
	"slices"
	"time"
)

// errUnusable is why a question has no answer for which only replies came that nobody can use.
var errUnusable = errors.New("the resolver's answer is malformed or cut")

// exchange is a question that waits for its answer.
type exchange struct {
	to      Receiver
	query   []byte
	buf     [maxQuery]byte
	bare    [maxQuery]byte // the query without EDNS
	at      int            // in Lane.live
	only    *resolver      // that may be asked; nil: any
	tries   [maxTries]try
	n       int // tries made
	begun   time.Time
	next    time.Time     // when the next resolver is asked, or the exchange ends
	wait    time.Duration // how long the last one was given
	refusal []byte        // an answer that is taken if nobody has a better one
	broken  error         // why a resolver could not be asked, or its reply not be used; nil: that did not happen
	closing bool          // nobody is left to be asked
}

// try is one query that was sent for an exchange.
type try struct {
	resolver int
	way      way // nil if none could be opened
	id       uint16
	sent     time.Time
	spelling spelling // of the name, over UDP
	again    bool     // the resolver was asked in another spelling before
	missing  bool     // ... and has not answered yet
	bare     bool     // without EDNS
	refused  bool     // ... since it failed with it
}

// waits reports whether the reply to it may still come.
func (t *try) waits(e *exchange) bool { return t.way != nil && t.way.waiting()[t.id] == e }

// waits reports whether any reply may still come.
func (e *exchange) waits() bool {
	return slices.ContainsFunc(e.tries[:e.n], func(t try) bool { return t.waits(e) })
}

// tryOf returns the try that a reply to an id on a way is for.
func (e *exchange) tryOf(w way, id uint16) *try {
	for i := range e.tries[:e.n] {
		if t := &e.tries[i]; t.way == w && t.id == id {
			return t
		}
	}
	return nil
}

// wire returns the query as a try sends it.
func (e *exchange) wire(t *try) []byte {
	if t.bare {
		return withoutEDNS(e.bare[:0], e.query)
	}
	return e.query
}

// try sends the query of an exchange to a resolver. Where that is not possible it is as if the network had lost it.
func (l *Lane) try(e *exchange, resolver int, now time.Time) {
	if e.n == maxTries {
		return
	}
	r := &l.f.resolvers[resolver]
	r.last.Store(now.UnixNano())
	r.record.asked.Add(1)
	t := &e.tries[e.n]
	*t = try{resolver: resolver, sent: now, bare: r.edns.isOff(now) && mayGoBare(e.query)}
	e.n++
	if r.tls != nil {
		l.overStream(e, t, now)
	} else if s, err := l.socket(resolver, now); err == nil {
		l.chooseSpelling(e, t, now)
		l.send(e, t, s)
	}
}

// repeat sends the query of a try once more, otherwise than before, on a way of the same kind.
func (l *Lane) repeat(e *exchange, t *try, now time.Time) {
	if _, ok := t.way.(*stream); ok {
		l.overStream(e, t, now)
		return
	}
	t.way = nil
	if s, err := l.socket(t.resolver, now); err == nil {
		t.sent = now
		l.send(e, t, s)
	}
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
			if tries[i] == round && (e.only == nil || e.only == &f.resolvers[i]) {
				return i
			}
		}
	}
	return -1
}

// find returns the exchange that a reply on a way belongs to; nil if there is none. A bare failure has no question to compare.
func (l *Lane) find(w way, reply []byte) *exchange {
	if len(reply) < headerSize {
		return nil
	}
	if e := w.waiting()[replyID(reply)]; e != nil && (answers(reply, e.query) || isBareFailure(reply, e.query)) {
		return e
	}
	return nil
}

// receive takes the reply to an exchange, and ends it if it is settled.
func (l *Lane) receive(e *exchange, w way, reply []byte, now time.Time) (outcome, bool) {
	id := replyID(reply)
	t := e.tryOf(w, id)
	l.f.answered(t, fails(reply), now)
	if isBareFailure(reply, e.query) {
		if l.triedWithoutEDNS(e, t, reply, now) {
			return outcome{}, false
		}
		return l.advance(e, now, errUnusable) // it is less of a proof than others, so the reply may yet come
	}
	delete(w.waiting(), id)
	if l.triedWithoutEDNS(e, t, reply, now) || !l.spelledWell(e, t, reply, now) {
		return outcome{}, false
	}
	return l.settle(e, t, reply, now)
}

// settle ends an exchange with the reply to a try, unless another resolver may have a better one.
func (l *Lane) settle(e *exchange, t *try, reply []byte, now time.Time) (outcome, bool) {
	_, datagram := t.way.(*socket)
	switch {
	case datagram && reply[2]&flagTC != 0:
		l.overStream(e, t, now)
		e.wait = dialWithin
		e.next = e.until(now, e.wait)
		return outcome{}, false
	case fails(reply):
		e.refusal = append([]byte(nil), reply...)
		return l.advance(e, now, nil)
	case !e.to.Accept(reply):
		return l.advance(e, now, errUnusable)
	}
	return outcome{to: l.finish(e), reply: reply}, true
}

// until returns when a wait from now on ends: in the time that the question has, at the latest.
func (e *exchange) until(now time.Time, wait time.Duration) time.Time {
	next, limit := now.Add(wait), e.begun.Add(answerLimit)
	if next.After(limit) {
		return limit
	}
	return next
}

// advance asks the next resolver, or ends the exchange if none is left and no reply is worth waiting for. The reason is nil if a
// resolver has refused, and [context.DeadlineExceeded] if it was silent.
func (l *Lane) advance(e *exchange, now time.Time, why error) (outcome, bool) {
	silent := errors.Is(why, context.DeadlineExceeded)
	if why != nil && !silent {
		e.broken = why
		if e.only != nil && e.waits() {
			return outcome{}, false // a probe has its time
		}
	}
	inTime := now.Sub(e.begun) < answerLimit
	if next := l.f.next(e); next >= 0 && inTime {
		e.wait = min(2*e.wait, answerLimit/2)
		l.try(e, next, now)
		e.next = e.until(now, e.wait)
		return outcome{}, false
	}
	if inTime && (!silent || !e.closing) && l.mayBeAnswered(e) {
		e.closeSoon(now)
		return outcome{}, false
	}
	return l.end(e), true
}

// closeSoon says when an exchange ends for which nobody is left to be asked: where one could not help, soon.
func (e *exchange) closeSoon(now time.Time) {
	wait := answerLimit
	if e.refusal != nil || e.broken != nil {
		wait = lastPatience
	}
	next := e.until(now, wait)
	if !e.closing || next.Before(e.next) {
		e.next = next
	}
	e.closing = true
}

// end ends an exchange without an answer.
func (l *Lane) end(e *exchange) outcome {
	switch {
	case e.refusal != nil && e.to.Accept(e.refusal):
		reply := e.refusal
		return outcome{to: l.finish(e), reply: reply}
	case e.refusal != nil:
		e.broken = errUnusable
	case e.broken == nil:
		e.broken = context.DeadlineExceeded
	}
	why := e.broken
	return outcome{to: l.finish(e), err: why}
}

// mayBeAnswered reports whether a reply may still come, from a resolver that is not known to be down.
func (l *Lane) mayBeAnswered(e *exchange) bool {
	if e.only != nil {
		return false
	}
	for i := range e.tries[:e.n] {
		if t := &e.tries[i]; t.waits(e) && !l.f.resolvers[t.resolver].isDown() {
			return true
		}
	}
	return false
}

// finish ends an exchange and returns who waits for it. Late replies find nobody.
func (l *Lane) finish(e *exchange) Receiver {
	for i := range e.tries[:e.n] {
		if t := &e.tries[i]; t.waits(e) {
			delete(t.way.waiting(), t.id)
			t.way.closeUnused()
		}
	}
	last := len(l.live) - 1
	l.live[e.at] = l.live[last]
	l.live[e.at].at = e.at
	l.live = l.live[:last]
	l.free = append(l.free, e)
	to := e.to
	e.to, e.only = nil, nil
	return to
}

// outcome is the end of an exchange, told when the lane is unlocked again.
type outcome struct {
	to    Receiver
	reply []byte
	err   error
}

// tell tells how exchanges have ended.
func tell(ended []outcome) {
	for _, o := range ended {
		o.to.Answer(o.reply, o.err)
	}
}
