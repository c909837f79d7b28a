package dnsfilter

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/batch"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// staleAfter is how long a client waits that could have an expired answer instead (RFC 8767, section 5).
const staleAfter = 1800 * time.Millisecond

// errFault is what waiting clients get of an upstream that panicked.
var errFault = errors.New("the upstream failed")

// flight is one question that the upstream is asked, and the clients that wait for the answer.
type flight struct {
	server  *Server
	hash    uint64
	query   query // whose key counts
	home    *core // that flushes its late answers itself when the session is idle
	waiters []waiter
	begun   time.Time
	place   crowdPlace
	number  uint64 // flights that this one was before; for timers, since flights are used again
	body    []byte // of the reply that was accepted
}

// waiter is a client that waits: at a UDP socket, or a goroutine at a channel.
type waiter struct {
	query  query
	place  crowdPlace
	socket *socket
	peer   batch.Peer
	done   chan<- []byte
}

// flights are the questions that wait for the upstream, by the hash of their key.
type flights struct {
	mu sync.Mutex
	by map[uint64]*flight
	n  int // waiters

	crowd crowd
}

// join adds a waiter, if there is one, to the flight for a query. If it is the first, the flight is returned, to be begun. False
// means that too many wait.
func (s *Server) join(q *query, w waiter) (begun *flight, ok bool) {
	hash, place := s.cache.hash(q.key), s.crowdPlace(q)
	f := &s.flights
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.by[hash]
	joins := at != nil && bytes.Equal(at.query.key, q.key)
	if f.isFull(place, joins) {
		q.counters.dropped.Add(1)
		return nil, false
	}
	if !joins {
		begun = s.spare.Get().(*flight) //nolint:forcetypeassert // nothing else is put in
		begun.server, begun.hash, begun.home = s, hash, nil
		if w.socket != nil {
			begun.home = w.socket.core
		}
		q.copyTo(&begun.query)
		at = begun
		at.place = place
		f.crowd.parents[place.parent]++
		f.by[hash] = at
	}
	if w.socket != nil || w.done != nil {
		at.waiters = append(at.waiters, w)
		q.copyTo(&at.waiters[len(at.waiters)-1].query)
		at.waiters[len(at.waiters)-1].place = place
		f.crowd.clients[place.client]++
		f.n++
	}
	return begun, true
}

// leave ends a flight: from now on nobody joins it.
func (f *flights) leave(at *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by[at.hash] == at {
		delete(f.by, at.hash)
	}
	f.crowd.parents[at.place.parent]--
	at.number++
	f.leaveAll(at.waiters)
}

// leaveAll takes waiters out of the count.
func (f *flights) leaveAll(waiters []waiter) {
	f.n -= len(waiters)
	for i := range waiters {
		f.crowd.clients[waiters[i].place.client]--
	}
}

// begin asks the upstream: by the session, which is then to be flushed, or in a goroutine if there is none.
func (at *flight) begin(c *course, session upstream.Session) (flush bool) {
	at.begun = time.Now()
	if at.query.stale {
		server, number := at.server, at.number // at may be another flight by then
		time.AfterFunc(staleAfter, func() { server.standIn(at, number) })
	}
	if session == nil {
		at.home = nil // nobody tells when it is idle
		go at.exchange(c.upstream)
		return false
	}
	var buf [maxForward]byte
	session.Ask(at.query.appendForward(buf[:0]), at)
	return true
}

// Accept implements [upstream.Receiver].
func (at *flight) Accept(reply []byte) (ok bool) {
	defer at.server.survive()
	body, err := adopt(reply, at.query.key)
	at.body = body
	return err == nil
}

// Answer implements [upstream.Receiver].
func (at *flight) Answer(_ []byte, err error) {
	defer at.server.survive()
	body := at.body
	at.body = nil
	at.land(body, err)
}

// land keeps the answer, or the failure, and gives it to all who wait.
func (at *flight) land(body []byte, err error) {
	s := at.server
	s.latency.Observe(time.Since(at.begun))
	if err == nil {
		takeOver(body)
		s.cache.put(at.query.key, body, lifetime(body), s.cache.now())
	} else {
		s.log.Debug("upstream failed", slog.Any("error", err))
		s.cache.put(at.query.key, at.query.failure(err), noAnswerTTL, s.cache.now())
	}
	s.flights.leave(at)
	for i := range at.waiters {
		at.deliver(&at.waiters[i], body, err)
	}
	clear(at.waiters)
	at.waiters = at.waiters[:0]
	s.spare.Put(at)
}

// deliver gives a client its answer.
func (at *flight) deliver(w *waiter, body []byte, err error) {
	if w.done != nil {
		w.done <- at.server.complete(nil, &w.query, body, err)
		return
	}
	w.socket.deliver(w, body, err)
	if w.socket.core != at.home {
		w.socket.flushLate()
	}
}

// complete makes the client's answer of the upstream's, or of its failure.
func (s *Server) complete(dst []byte, q *query, body []byte, err error) []byte {
	if err != nil {
		body = q.failure(err)
	}
	if isFailure(body) {
		switch m, how := s.cache.get(dst, q, s.cache.now()); {
		case how == notFound || isFailure(m):
		case how >= stale:
			return s.deliver(s.current.Load(), q, m, outdate(m))
		default: // it has come meanwhile
			return s.deliver(s.current.Load(), q, m, 0)
		}
	}
	if err != nil {
		q.counters.failures.Add(1)
	}
	return s.deliver(s.current.Load(), q, append(dst[:0], body...), 0)
}

// standIn gives those who wait for a flight the expired answer that is held (RFC 8767, section 5). The flight goes on, and nobody
// else who asks for this name is made to wait for it.
func (s *Server) standIn(at *flight, number uint64) {
	defer s.survive()
	f := &s.flights
	f.mu.Lock()
	if at.number != number || len(at.waiters) == 0 {
		f.mu.Unlock()
		return
	}
	waiters := at.waiters
	at.waiters = nil
	f.leaveAll(waiters)
	f.mu.Unlock()
	s.cache.rest(waiters[0].query.key, 0, s.cache.now())
	for i := range waiters {
		w := &waiters[i]
		if w.done != nil {
			w.done <- s.complete(nil, &w.query, nil, context.DeadlineExceeded)
			continue
		}
		w.socket.deliver(w, nil, context.DeadlineExceeded)
		w.socket.flushLate()
	}
}

// failure is the body of the answer that an upstream's failure makes.
func (q *query) failure(err error) []byte {
	code := failureCode(err) + 1
	body := []byte{byte(code >> 8), byte(code), flagQR >> 8, dns.RcodeServerFailure, 0, 1, 0, 0, 0, 0, 0, 0}
	return append(body, q.key[:len(q.key)-1]...)
}

// takeOver makes of any failure of an upstream ours: passed on as it is, REFUSED would say that we refuse the client, and FORMERR
// that its question is malformed.
func takeOver(body []byte) {
	if !isFailure(body) || count(body, 2)&maskRcode == dns.RcodeServerFailure {
		return
	}
	body[3] = body[3]&^maskRcode | dns.RcodeServerFailure
	if count(body, 0) == 0 {
		binary.BigEndian.PutUint16(body, dns.ExtendedErrorCodeNoReachableAuthority+1)
	}
}

// failureCode tells an upstream that was silent (22, No Reachable Authority) from one that could not be spoken to (23,
// Network Error).
func failureCode(err error) uint16 {
	if errors.Is(err, context.DeadlineExceeded) {
		return dns.ExtendedErrorCodeNoReachableAuthority
	}
	return dns.ExtendedErrorCodeNetworkError
}

// AsyncUpstream is an [Upstream] that takes packed queries without waiting for their replies. A server asks it by its sessions instead
// of Exchange, so that no question has a goroutine, nor an allocation: one session for each goroutine that reads sockets, with the loop
// that reads them, and one without a loop (nil) for everything else. An [upstream.Forwarder] is one.
//
// A type that wraps a Forwarder has to implement NewSession as well: with Exchange alone it is asked in a goroutine for each question,
// and if it embeds the Forwarder and has an Exchange of its own, that one is not called.
type AsyncUpstream interface {
	Upstream

	// NewSession is described at [upstream.Forwarder.NewSession].
	NewSession(loop *upstream.Loop, idle func()) upstream.Session
}

// type check.
var _ AsyncUpstream = (*upstream.Forwarder)(nil)

// exchange asks an upstream of any other kind.
func (at *flight) exchange(u Upstream) {
	var body []byte
	err := errFault
	defer func() { at.land(body, err) }()
	defer at.server.survive()
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	body, err = ask(ctx, u, &at.query)
}

// ask returns what the upstream has to say, packed.
func ask(ctx context.Context, u Upstream, q *query) ([]byte, error) {
	m, err := q.forward()
	if err != nil {
		return nil, err
	}
	asked := slices.Clone(m.Question)
	reply, err := u.Exchange(ctx, m)
	if err != nil {
		return nil, err
	}
	return pack(asked, reply)
}
