package dnsfilter

import (
	"bytes"
	"log/slog"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/batch"
	"github.com/argine-dns/argine/dnsfilter/internal/cache"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// maxWaiting is the maximum number of waiting clients, and also of upstream queries in flight.
const maxWaiting = 4096

// inflight is one upstream query and the clients that wait for its answer. It implements [upstream.Receiver].
type inflight struct {
	server     *Server
	hash       uint64
	query      query   // query sent to the upstream; its key identifies the question
	worker     *worker // worker that reads the replies of the session and flushes late answers; nil: none
	waiters    []waiter
	begun      time.Time
	buckets    buckets
	generation uint64           // number of earlier uses of this value; a timer of an earlier use does nothing
	packet     [maxForward]byte // buffer for the query to the upstream
	reply      []byte           // the reply that Accept has accepted, normalized
}

// waiter is a waiting client: a peer of a UDP socket, or a goroutine with a channel.
type waiter struct {
	query   query
	buckets buckets
	socket  *socket
	peer    batch.Peer
	done    chan<- []byte
}

// inflightTable has the queries in flight, by the hash of their key.
type inflightTable struct {
	mu     sync.Mutex
	by     map[uint64]*inflight
	n      int // number of waiters
	counts bucketCounts
	unused sync.Pool // unused values of type *inflight
}

// attach adds a waiter to the query in flight for the question of q, or for the question that q needs answered first
// (see query.lack). If there is no such query in flight, attach creates and returns it, and the caller has to send it.
// If w is the zero value, attach adds no waiter. If too many clients wait, attach returns false.
func (s *Server) attach(q *query, w waiter) (made *inflight, ok bool) {
	asked := q
	if q.lack != nil {
		asked = q.lack
	}
	hash, at := s.hash(asked.key), bucketsOf(s.seed, q)
	t := &s.inflight
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.by[hash]
	joins := f != nil && bytes.Equal(f.query.key, asked.key)
	if t.isFull(at, joins) {
		q.counters.dropped.Add(1)
		return nil, false
	}
	if !joins {
		made = t.add(s, hash, at, asked)
		if f = made; w.socket != nil {
			f.worker = w.socket.worker
		}
	}
	if w.socket != nil || w.done != nil {
		f.waiters = append(f.waiters, w)
		added := &f.waiters[len(f.waiters)-1]
		q.copyTo(&added.query)
		added.buckets = at
		t.counts.clients[at.client]++
		t.n++
	}
	return made, true
}

// isFull reports whether another waiter would exceed a limit. A waiter that joins a query in flight does not count in
// the bucket of the name's parent.
func (t *inflightTable) isFull(at buckets, joins bool) bool {
	occupied, parent := max(t.n, len(t.by)), int(t.counts.parents[at.parent])
	if joins {
		parent = 0
	}
	return !hasRoom(occupied, maxWaiting, max(int(t.counts.clients[at.client]), parent))
}

// add adds a new query in flight for the query q to the table, and returns it.
func (t *inflightTable) add(s *Server, hash uint64, at buckets, q *query) *inflight {
	f, ok := t.unused.Get().(*inflight)
	if !ok {
		f = new(inflight)
	}
	f.server, f.hash, f.worker, f.buckets = s, hash, nil, at
	q.copyTo(&f.query)
	t.counts.parents[at.parent]++
	t.by[hash] = f
	return f
}

// remove removes a query in flight from the table. No further waiters can join it.
func (t *inflightTable) remove(f *inflight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by[f.hash] == f {
		delete(t.by, f.hash)
	}
	t.counts.parents[f.buckets.parent]--
	f.generation++
	t.uncount(f.waiters)
}

// takeWaiters removes the waiters from a query in flight and returns them. If the value has been reused since the given
// generation, it returns nil.
func (t *inflightTable) takeWaiters(f *inflight, generation uint64) []waiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.generation != generation {
		return nil
	}
	waiters := f.waiters
	f.waiters = nil
	t.uncount(waiters)
	return waiters
}

func (t *inflightTable) uncount(waiters []waiter) {
	t.n -= len(waiters)
	for i := range waiters {
		t.counts.clients[waiters[i].buckets.client]--
	}
}

// Accept implements [upstream.Receiver]. It reports whether the reply can be used, and keeps it for Answer.
func (f *inflight) Accept(reply []byte) (ok bool) {
	defer f.server.recoverPanic()
	m, err := normalizeReply(reply, f.query.asked())
	f.reply = m
	return err == nil
}

// Answer implements [upstream.Receiver]. It answers all waiters with the reply that Accept has kept, or according to
// the error.
func (f *inflight) Answer(_ []byte, err error) {
	defer f.server.recoverPanic()
	reply := f.reply
	f.reply = nil
	f.complete(reply, err)
}

// complete caches the reply or the failure, and answers all waiters.
func (f *inflight) complete(reply []byte, err error) {
	s := f.server
	took := time.Since(f.begun)
	s.latency.Observe(took, 1)
	if err == nil {
		hideFailure(reply)
		ttl := cache.TTL(reply)
		if f.query.lookedUp {
			ttl = max(ttl, lackTTL)
		}
		s.cache.Put(f.query.key, reply, ttl, s.cache.Now())
	} else {
		s.log.Debug("upstream failed", slog.Any("error", err))
		s.cache.Put(f.query.key, f.query.failure(err), cache.NoAnswerTTL, s.cache.Now())
	}
	s.inflight.remove(f)
	for i := range f.waiters {
		w := &f.waiters[i]
		w.query.counters.took.Observe(took, 1)
		w.deliver(s, reply, err)
		if w.socket != nil && w.socket.worker != f.worker {
			w.flush()
		}
	}
	clear(f.waiters)
	f.waiters = f.waiters[:0]
	s.inflight.unused.Put(f)
}

// deliver gives a waiting client its answer. If the client's query needs another answer first, or the reply has only a
// part of the answer, deliver lets the query continue instead. Over UDP, the answer is sent with the next flush at the
// latest.
func (w *waiter) deliver(s *Server, reply []byte, err error) {
	if w.query.lack != nil {
		s.again(w)
		return
	}
	var m []byte
	if w.done == nil {
		m = w.socket.answerLate(w, reply, err)
	} else {
		m = s.answerFrom(nil, &w.query, reply, err)
	}
	w.query.tap.answer(w.query.question, m)
	switch {
	case w.query.goesOn(m):
		s.askTarget(w)
	case w.done != nil:
		w.done <- m
	}
}

func (w *waiter) flush() {
	if w.socket != nil {
		w.socket.flushLate()
	}
}

// answerFrom appends the client's answer, made from the upstream's reply or error. If the upstream has failed, an
// expired answer may be used instead.
func (s *Server) answerFrom(dst []byte, q *query, reply []byte, err error) []byte {
	if err != nil {
		reply = q.failure(err)
	}
	if dnswire.IsFailure(reply) {
		if m, ok := s.instead(dst, q); ok {
			return m
		}
	}
	if err != nil {
		q.counters.failures.Add(1)
	}
	return s.render(s.current.Load(), q, append(dst[:0], reply...), 0)
}

// maxForward is the maximum size of a query to the upstream, in bytes.
const maxForward = dnswire.HeaderSize + blocklist.MaxName + 4 + dnswire.OPTSize
