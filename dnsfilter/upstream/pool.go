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
	tick             = 50 * time.Millisecond   // how often the timeouts of pending queries are checked
	maxAttempts      = 8                       // for one query
	timeLimit        = 4800 * time.Millisecond // of a query: stub resolvers give up after 5 seconds
	maxQuery         = dnswire.HeaderSize + dnswire.MaxName + 4 + dnswire.OPTSize + 6
	portsPerResolver = 8               // sockets that a pool has open to one resolver
	secondaryEvery   = 5 * time.Second // how often a resolver that is not the fastest is asked along with the fastest
)

// Session sends queries without waiting, and hands each reply to a [Receiver].
type Session interface {
	// Ask sends a packed query (one question, an OPT record or none), at the latest with the next Flush. Its ID is
	// replaced, and it is copied.
	Ask(query []byte, to Receiver)
	// Flush sends what Ask has collected.
	Flush()
}

// Receiver receives the reply to a query.
type Receiver interface {
	// Accept reports whether a reply can be used; else another resolver is asked. The reply belongs to the receiver
	// until Answer returns, which is called with the same reply next. The session is locked: Accept must be quick, and
	// not use it.
	Accept(reply []byte) bool
	// Answer is called once, from another goroutine than that of Ask. The error is [context.DeadlineExceeded] if no
	// reply came in time.
	Answer(reply []byte, err error)
}

// Loop reads the sockets of a server, and of its sessions, in one goroutine.
type Loop = batch.Loop

// pool is a [Session] with sockets of its own to the resolvers of a [Forwarder]. Many queries share a socket: a reply
// is matched by the resolver's address, port and ID, which are random, and the question with the random case of its
// letters (see [caseMask]). Sockets are opened on demand, and closed after some seconds, so that ports change.
type pool struct {
	f    *Forwarder
	loop *batch.Loop // of the sockets

	mu          sync.Mutex // guards what follows
	idleFuncs   []func()
	streams     []*stream // by resolver; nil if there is none
	active      []*pendingQuery
	free        []*pendingQuery
	sockets     []*socket  // of resolver r: from r*portsPerResolver on
	unsent      []*socket  // with queries to be sent
	port        int        // which of the sockets to a resolver is used until the next Flush
	entropy     [1024]byte // random bytes
	entropyUsed int
	ticking     bool
}

// NewSession returns a session for one goroutine of a server. Its sockets are read by the given loop; without one, or
// if a resolver is asked over TLS, the session is shared by all, so that connections are few. After replies were handed
// out together by another goroutine than the loop's, idle is called, if it is not nil.
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

// onIdle runs after the last of some replies.
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
		time.AfterFunc(tick, p.tick)
	}
}

func (p *pool) newQuery(query []byte, to Receiver) *pendingQuery {
	var q *pendingQuery
	if n := len(p.free); n > 0 {
		q, p.free = p.free[n-1], p.free[:n-1]
	} else {
		q = new(pendingQuery)
	}
	q.to, q.n, q.failure, q.cause, q.exhausted, q.begun = to, 0, nil, nil, false, time.Now()
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

// random returns n random bytes, until the next call.
func (p *pool) random(n int) []byte {
	if p.entropyUsed+n > len(p.entropy) {
		rand.Read(p.entropy[:])
		p.entropyUsed = 0
	}
	p.entropyUsed += n
	return p.entropy[p.entropyUsed-n : p.entropyUsed]
}

// id returns a random ID.
func (p *pool) id() uint16 { return binary.BigEndian.Uint16(p.random(2)) }

// tick fails over the queries whose timeout has ended, and closes sockets that have expired.
func (p *pool) tick() {
	p.mu.Lock()
	now := time.Now()
	var results []result
	for _, q := range slices.Backward(p.active) { // remove moves the last one, which was visited, to another place
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
		time.AfterFunc(tick, p.tick)
	}
}

// onTimeout notes that no answer to a query came in time. A resolver that has sent nothing at all meanwhile is probed,
// and a connection to it is retired.
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
