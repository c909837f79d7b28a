package upstream

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/argine-dns/argine/dnsfilter/internal/batch"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

const (
	maxAttempts = 8 // maximum number of attempts at one query
	// timeLimit is the time limit of one query. It is below the 5 seconds after which stub resolvers give up.
	timeLimit        = 4800 * time.Millisecond
	maxQuery         = dnswire.HeaderSize + dnswire.MaxName + 4 + dnswire.OPTSize + 6
	portsPerResolver = 8 // maximum number of sockets of a pool to one resolver
	// secondaryEvery is how often a slower resolver gets a query in parallel with the fastest, to measure it.
	secondaryEvery = 5 * time.Second
)

// Session sends queries to resolvers without waiting for replies. It passes each reply to a [Receiver].
type Session interface {
	// Ask sends a packed query with a new ID, at the latest when Flush is called next. The query has one question, and
	// an OPT record or none. Ask copies the query.
	Ask(query []byte, to Receiver)
	// Flush sends the queries that Ask has collected.
	Flush()
}

// Receiver receives the reply to one query.
type Receiver interface {
	// Accept reports whether a reply is usable. If not, another resolver is asked. After Accept has returned true,
	// Answer is called next, with the same reply; the receiver may use the reply until Answer returns. The session is
	// locked during Accept: Accept must be quick and must not call the session.
	Accept(reply []byte) bool
	// Answer is called once with the reply or an error, in a goroutine other than that of Ask. The error is
	// [context.DeadlineExceeded] if no reply arrived in time.
	Answer(reply []byte, err error)
}

// Loop reads the sockets of a server and of its sessions in one goroutine.
type Loop = batch.Loop

// pool is a [Session] with its own sockets to the resolvers of a [Forwarder]. Many queries share a socket. A reply must
// match its query in the resolver's address, the random port and ID, and the question with its random letter case (see
// [caseMask]). Sockets are opened on demand and closed after some seconds, so that ports change.
type pool struct {
	f    *Forwarder
	loop *batch.Loop // reads the UDP sockets

	mu          sync.Mutex // guards the following fields
	idleFuncs   []func()
	streams     []*stream // connection by resolver; nil: none is open
	active      []*pendingQuery
	free        []*pendingQuery
	sockets     []*socket  // UDP sockets; those of resolver r begin at index r*portsPerResolver; nil: not open
	unsent      []*socket  // sockets with unsent queries
	port        int        // index of the socket, among those of a resolver, that is used until the next Flush
	entropy     [1024]byte // random bytes, of which entropyUsed are used
	entropyUsed int
	ticking     bool
}

// NewSession returns a session for one goroutine of a server. The loop reads the sockets of the session. If loop is
// nil, or if any resolver of the forwarder uses TLS, NewSession returns a session that all such callers share, so that
// there are few connections. The function idle is called after each batch of replies that a goroutine other than that
// of the loop has delivered. It may be nil.
func (f *Forwarder) NewSession(loop *Loop, idle func()) Session {
	p := f.shared
	if loop != nil && !f.encrypted {
		p = f.newPool(loop)
	}
	if idle != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.idleFuncs = append(p.idleFuncs, idle)
	}
	return p
}

func (f *Forwarder) newPool(loop *batch.Loop) *pool {
	n := len(f.resolvers)
	p := &pool{f: f, loop: loop, sockets: make([]*socket, portsPerResolver*n), streams: make([]*stream, n)}
	p.entropyUsed = len(p.entropy)
	if loop == nil {
		p.loop = batch.NewLoop(p.onIdle)
	}
	return p
}

// onIdle calls the idle functions of the session, after a batch of replies.
func (p *pool) onIdle() {
	p.mu.Lock()
	idleFuncs := p.idleFuncs
	p.mu.Unlock()
	for _, idle := range idleFuncs {
		idle()
	}
}

// Ask implements [Session].
func (p *pool) Ask(query []byte, to Receiver) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.newQuery(query, to)
	first := p.f.fastest()
	p.ask(q, first, q.begun)
	if other := p.f.secondary(first, q.begun); other >= 0 {
		p.ask(q, other, q.begun)
	}
	q.timeout = p.f.resolvers[first].timeout()
	q.next = q.begun.Add(q.timeout)
	p.startTicking()
}

func (p *pool) startTicking() {
	if !p.ticking {
		p.ticking = true
		time.AfterFunc(p.f.tick, p.tick)
	}
}

func (p *pool) newQuery(query []byte, to Receiver) *pendingQuery {
	var q *pendingQuery
	if n := len(p.free); n > 0 {
		q, p.free = p.free[n-1], p.free[:n-1]
	} else {
		q = new(pendingQuery)
	}
	q.to, q.n, q.failure, q.cause, q.exhausted, q.begun = to, 0, nil, nil, false, p.f.now()
	q.query = append(q.buf[:0], query...)
	q.at = len(p.active)
	p.active = append(p.active, q)
	return q
}

// Flush implements [Session].
func (p *pool) Flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flush()
}

func (p *pool) flush() {
	for _, s := range p.unsent {
		s.flush()
	}
	p.unsent = p.unsent[:0]
	p.port = int(p.id()) % portsPerResolver
}

// random returns n random bytes. They are valid until the next call.
func (p *pool) random(n int) []byte {
	if p.entropyUsed+n > len(p.entropy) {
		rand.Read(p.entropy[:])
		p.entropyUsed = 0
	}
	p.entropyUsed += n
	return p.entropy[p.entropyUsed-n : p.entropyUsed]
}

// id returns a random message ID.
func (p *pool) id() uint16 { return binary.BigEndian.Uint16(p.random(2)) }

// tick calls failOver for each query whose timeout has ended, and closes expired sockets. As long as there are queries
// or sockets, it calls itself again after the time Forwarder.tick.
func (p *pool) tick() {
	p.mu.Lock()
	now := p.f.now()
	var results []result
	for _, q := range slices.Backward(p.active) { // backward, since remove moves the last one to the removed position
		if now.Before(q.next) {
			continue
		}
		p.onTimeout(q, now)
		if r, ok := p.failOver(q, now, context.DeadlineExceeded); ok {
			results = append(results, r)
		}
	}
	p.flush()
	again := p.closeExpired(now) || len(p.active) > 0
	p.ticking = again
	p.mu.Unlock()
	deliver(results)
	if len(results) > 0 {
		p.onIdle()
	}
	if again {
		time.AfterFunc(p.f.tick, p.tick)
	}
}

// onTimeout records that the last attempt at a query has timed out. If the resolver has sent nothing since that
// attempt, onTimeout probes it. It retires TCP connections that have received nothing since the query was sent over
// them.
func (p *pool) onTimeout(q *pendingQuery, now time.Time) {
	last := &q.attempts[q.n-1]
	if p.f.resolvers[last.resolver].timedOut(q.timeout, last.sent) && q.only == nil {
		p.probe(last.resolver, now)
	}
	for i := range q.attempts[:q.n] {
		if s, ok := q.attempts[i].via.(*stream); ok && s.silentSince(q.attempts[i].sent) {
			s.retire()
		}
	}
}
