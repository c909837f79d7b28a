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
	tick        = 50 * time.Millisecond   // how often waiting queries are looked at
	maxTries    = 8                       // queries that may be sent for one question
	answerLimit = 4800 * time.Millisecond // from the question to the last moment for an answer: stubs give up after 5 seconds
	maxQuery    = 12 + 259 + 11 + 6       // bytes of a query: header, question, OPT, and some room
	spread      = 8                       // sockets, and so ports, that a lane has open to one resolver
	probeEvery  = 5 * time.Second         // a resolver that is not the first choice is asked along with it this often
)

// Receiver takes the answer to a query.
type Receiver interface {
	// Accept reports whether a reply can be used; else another is asked for. The reply belongs to the receiver until Answer
	// returns, which is called with the same reply next. The lane is locked: Accept must be quick, and not use it.
	Accept(reply []byte) bool
	// Answer is called once, from another goroutine than the one that asked. The error is [context.DeadlineExceeded] if nobody
	// answered in time.
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
	l.keepTicking()
}

// keepTicking has questions looked at that wait.
func (l *Lane) keepTicking() {
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
	e.to, e.n, e.refusal, e.broken, e.closing, e.begun = to, 0, nil, nil, false, time.Now()
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
		l.late(e, now)
		if done, ok := l.advance(e, now, context.DeadlineExceeded); ok {
			ended = append(ended, done)
		}
	}
	l.flush()
	again := l.closeOld(now) || len(l.live) > 0
	l.ticking = again
	l.mu.Unlock()
	tell(ended)
	if len(ended) > 0 {
		l.idle()
	}
	if again {
		time.AfterFunc(tick, l.tick)
	}
}

// late notes that no answer to an exchange came in the time given. A resolver that has said nothing at all meanwhile is probed,
// and a connection to it is given up.
func (l *Lane) late(e *exchange, now time.Time) {
	last := &e.tries[e.n-1]
	if l.f.resolvers[last.resolver].late(e.wait, last.sent) && e.only == nil {
		l.probe(last.resolver, now)
	}
	for i := range e.tries[:e.n] {
		if s, ok := e.tries[i].way.(*stream); ok && s.silentSince(e.tries[i].sent) {
			s.retire()
		}
	}
}
