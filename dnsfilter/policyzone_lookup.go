package dnsfilter

import (
	"bytes"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/cache"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// What policy zones have to know of name servers is looked up while a client waits, see serverCache. Its query then
// begins again.

// lookUp implements [serverCache] by the cache and the upstream of the server.
func (s *Server) lookUp(q *query, name []byte, qtype uint16) []byte {
	c := s.current.Load()
	l := &query{
		counters: q.counters, client: q.client, size: dnswire.UDPSize, qtype: qtype, class: dns.ClassINET,
		lookedUp: true,
	}
	l.setKey(append(append(l.buf[:0], name...), byte(qtype>>8), byte(qtype), 0, dns.ClassINET))
	l.question = bytes.Clone(l.asked())
	if z := c.zones.find(l.name()); z != nil {
		if z.forward == nil {
			return empty[:] // its name servers are not those of the Internet
		}
		l.resolvers = z.forward
	}
	m, state := s.cache.Get(nil, l.key, l.question, s.cache.Now())
	if state != cache.NotFound && (state != cache.Stale || q.restarts > 0) {
		return m
	}
	if q.lack == nil {
		q.lack = l // the client waits for this one
	} else {
		s.lookUpSoon(c, l)
	}
	return empty[:]
}

// empty is a message without records.
var empty [dnswire.HeaderSize]byte //nolint:gochecknoglobals // never written to

// lookUpSoon sends query l to the upstream, without waiting. A later search finds the answer in the cache.
func (s *Server) lookUpSoon(c *snapshot, l *query) {
	go func() {
		defer s.recoverPanic()
		f, _ := s.attach(l, waiter{})
		s.sendApart(c, f)
	}()
}

// again processes a client's query from the beginning, after the query that it waited for was answered, see query.lack.
func (s *Server) again(w *waiter) {
	next := &waiter{socket: w.socket, peer: w.peer, done: w.done}
	q := &next.query
	w.query.copyTo(q)
	q.lack = nil
	q.restarts++
	q.alias = nil
	tail := [5]byte(q.key[len(q.key)-5:])
	q.key = append(append(q.buf[:0], q.question[:len(q.question)-4]...), tail[:]...)
	dnswire.Lower(q.name())
	go func() {
		defer s.recoverPanic()
		c := s.current.Load()
		m, wait := s.answerOrAsk(c, nil, q)
		if !wait {
			next.give(m)
			return
		}
		f, ok := s.attach(q, *next)
		if !ok {
			next.give(nil)
		}
		s.sendApart(c, f)
	}()
}

// sendApart sends a new query in flight from a goroutine that is no worker. It does nothing if f is nil.
func (s *Server) sendApart(c *snapshot, f *inflight) {
	if f == nil {
		return
	}
	f.worker = nil // its session does not read the reply
	if f.send(c, c.general.session) {
		c.general.session.Flush()
	}
}

// give sends a client the packed answer m at once. If m is empty, nothing is sent.
func (w *waiter) give(m []byte) {
	w.query.tap.answer(w.query.question, m)
	if w.done != nil {
		w.done <- m
		return
	}
	w.socket.send(m, &w.peer)
	w.socket.pending.Add(-1)
}
