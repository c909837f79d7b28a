package upstream

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/argine-dns/argine/dnsfilter/internal/batch"
)

const (
	tick        = 50 * time.Millisecond // how often waiting queries are looked at
	maxTries    = 4                     // queries that may be sent for one question
	answerLimit = 5 * time.Second       // from the question to the last moment for an answer
	maxQuery    = 12 + 259 + 11 + 6     // bytes of a query: header, question, OPT, and some room
	spread      = 8                     // sockets, and so ports, that a lane has open to one resolver
	probeEvery  = 5 * time.Second       // a resolver that is not the first choice is asked along with it this often
)

// Receiver takes the answer to a query. Answer is called once, from another goroutine; the reply belongs to the receiver while
// the call lasts. The error is [context.DeadlineExceeded] if nobody answered in time.
type Receiver interface {
	Answer(reply []byte, err error)
}

// Lane is a way to the resolvers of a [Forwarder] with sockets of its own. Queries of many questions share a socket: a reply
// counts if it comes from the resolver asked, to the port and with the id of the query, both random, and has its question, in
// its random spelling (see spelling).
// Sockets are opened when they are needed, and closed after some seconds, so that ports change.
type Lane struct {
	f    *Forwarder
	loop *batch.Loop // of the sockets

	mu      sync.Mutex // guards what follows
	idles   []func()
	streams []*stream // by resolver; nil if there is none
	live    []*exchange
	free    []*exchange
	sockets []*socket  // of resolver r: from r*spread on
	dirty   []*socket  // with queries to be sent
	turn    int        // which of the sockets to a resolver is used until the next Flush
	chance  [1024]byte // random bytes
	used    int        // of them
	ticking bool
}

// exchange is a question that waits for its answer.
type exchange struct {
	to      Receiver
	query   []byte
	buf     [maxQuery]byte
	at      int // in Lane.live
	tries   [maxTries]try
	n       int // tries made
	begun   time.Time
	next    time.Time     // when the next resolver is asked
	wait    time.Duration // how long the last one was given
	refusal []byte        // an answer that is taken if nobody has a better one
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
}

// waits tells whether the reply to it may still come.
func (t *try) waits(e *exchange) bool { return t.way != nil && t.way.waiting()[t.id] == e }

// NewLane makes a lane whose sockets are those of a loop; but if a resolver is asked over TLS there is one lane for all, since
// connections are not to be many. After replies that came together, and not by the loop, were handed out, idle is called.
func (f *Forwarder) NewLane(loop *batch.Loop, idle func()) *Lane {
	l := f.lane
	if !f.encrypted {
		l = f.newLane(loop)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idles = append(l.idles, idle)
	return l
}

// Lane returns the lane for those who have no loop.
func (f *Forwarder) Lane() *Lane { return f.lane }

func (f *Forwarder) newLane(loop *batch.Loop) *Lane {
	l := &Lane{f: f, loop: loop, sockets: make([]*socket, spread*len(f.resolvers)), streams: make([]*stream, len(f.resolvers))}
	l.used = len(l.chance)
	if loop == nil {
		l.loop = batch.NewLoop(l.idle)
	}
	return l
}

// idle tells those who want to know that no more replies are at hand.
func (l *Lane) idle() {
	l.mu.Lock()
	idles := l.idles
	l.mu.Unlock()
	for _, idle := range idles {
		idle()
	}
}

// Ask sends a query, whose id is replaced, with the next Flush at the latest. It does not wait.
func (l *Lane) Ask(query []byte, to Receiver) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.newExchange(query, to)
	first := l.f.first()
	l.try(e, first, e.begun)
	if other := l.f.toProbe(first, e.begun); other >= 0 {
		l.try(e, other, e.begun)
	}
	e.wait = l.f.resolvers[first].patience()
	e.next = e.begun.Add(e.wait)
	if !l.ticking {
		l.ticking = true
		time.AfterFunc(tick, l.tick)
	}
}

func (l *Lane) newExchange(query []byte, to Receiver) *exchange {
	var e *exchange
	if n := len(l.free); n > 0 {
		e, l.free = l.free[n-1], l.free[:n-1]
	} else {
		e = new(exchange)
	}
	e.to, e.n, e.refusal, e.begun = to, 0, nil, time.Now()
	e.query = append(e.buf[:0], query...)
	e.at = len(l.live)
	l.live = append(l.live, e)
	return e
}

// Flush sends what Ask has collected.
func (l *Lane) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
}

func (l *Lane) flush() {
	for _, s := range l.dirty {
		s.flush()
	}
	l.dirty = l.dirty[:0]
	l.turn = int(l.id()) % spread
}

// random returns n random bytes, until the next call.
func (l *Lane) random(n int) []byte {
	if l.used+n > len(l.chance) {
		rand.Read(l.chance[:])
		l.used = 0
	}
	l.used += n
	return l.chance[l.used-n : l.used]
}

// id returns a random id.
func (l *Lane) id() uint16 { return binary.BigEndian.Uint16(l.random(2)) }

// try sends the query of an exchange to a resolver. Where that is not possible it is as if the network had lost it.
func (l *Lane) try(e *exchange, resolver int, now time.Time) {
	if e.n == maxTries {
		return
	}
	l.f.resolvers[resolver].last.Store(now.UnixNano())
	l.f.resolvers[resolver].record.asked.Add(1)
	t := &e.tries[e.n]
	*t = try{resolver: resolver, sent: now}
	e.n++
	if l.f.resolvers[resolver].tls != nil {
		l.overStream(e, t, now)
	} else if s, err := l.socket(resolver, now); err == nil {
		l.chooseSpelling(e, t, now)
		l.send(e, t, s)
	}
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
	e.to = nil
	return to
}

// outcome is the end of an exchange, told when the lane is unlocked again.
type outcome struct {
	to    Receiver
	reply []byte
	err   error
}

// tick asks further resolvers for what waits too long, ends what has waited long enough, and closes sockets that are no more
// needed.
func (l *Lane) tick() {
	l.mu.Lock()
	now := time.Now()
	var ended []outcome
	for _, e := range slices.Backward(l.live) { // ending one moves the last, which was looked at, to its place
		if now.Before(e.next) {
			continue
		}
		last := &e.tries[e.n-1]
		l.f.resolvers[last.resolver].late(e.wait, last.sent)
		if done, ok := l.advance(e, now, context.DeadlineExceeded); ok {
			ended = append(ended, done)
		}
	}
	l.flush()
	again := l.closeOld(now) || len(l.live) > 0
	l.ticking = again
	l.mu.Unlock()
	for _, o := range ended {
		o.to.Answer(o.reply, o.err)
	}
	if len(ended) > 0 {
		l.idle()
	}
	if again {
		time.AfterFunc(tick, l.tick)
	}
}

// advance asks the next resolver, or ends the exchange if none is left and no reply can come any more. The reason is nil if a
// resolver has refused.
func (l *Lane) advance(e *exchange, now time.Time, why error) (outcome, bool) {
	inTime := now.Sub(e.begun) < answerLimit
	if next := l.f.next(e); next >= 0 && inTime {
		l.try(e, next, now)
		e.wait = min(2*e.wait, answerLimit/2)
		e.next = now.Add(e.wait)
		return outcome{}, false
	}
	if inTime && e.mayBeAnswered() && (e.refusal == nil || why == nil) {
		e.next = e.begun.Add(answerLimit)
		return outcome{}, false
	}
	if e.refusal != nil {
		why = nil
	}
	reply := e.refusal
	return outcome{to: l.finish(e), reply: reply, err: why}, true
}

// mayBeAnswered tells whether a reply may still come.
func (e *exchange) mayBeAnswered() bool {
	for i := range e.tries[:e.n] {
		if e.tries[i].waits(e) {
			return true
		}
	}
	return false
}
