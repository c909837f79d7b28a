package dnsfilter

import (
	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// A blocked answer that is a CNAME record has to be completed: a stub resolver expects the records of its target in the
// same answer. So the query becomes one for the target (see alias): the local data, the cache or the upstream answers
// it. If it is that of the operator's own sinkhole, no list decides about it any more.

// redirect turns a blocked query whose answer is a CNAME record into one for the target of that record. It returns
// false if the answer has no CNAME record, or if the CNAME record is the whole answer.
func (q *query) redirect(d *Decision) bool {
	target := d.target(q)
	if target == "" || !follows(q.qtype) {
		return false
	}
	why, ttl := d.forged(q), d.rule.ttl()
	if d.Action == LocalData {
		ttl = d.ttlOf(d.hit.alias())
	}
	q.follow(target, []dns.RR{&dns.CNAME{
		Hdr: dns.RR_Header{
			Name: presentation(blocklist.Name(q.name())), Rrtype: dns.TypeCNAME, Class: dns.ClassINET,
			Ttl: ttl,
		},
		Target: presentation(target),
	}})
	q.alias.why, q.allowed, q.zones = why, d.Action != LocalData, zonesDone
	return true
}

// answerTarget is answerNow for a query that redirect has turned into one for the target of a CNAME record.
func (s *Server) answerTarget(c *snapshot, dst []byte, q *query, now uint32) (m []byte, ask bool) {
	q.resolvers = nil
	if z := c.zones.find(q.name()); z != nil {
		if m := s.ownData(c, q, z); m != nil {
			return m, false
		}
	}
	return s.cached(c, dst, q, now)
}

// goesOn reports whether a result m of render is not the complete answer. If so, the upstream has to be asked for the
// target of a CNAME record (query.alias), or about a name server (query.lack).
func (q *query) goesOn(m []byte) bool { return len(m) == 0 && (q.alias != nil || q.lack != nil) }

// askTarget starts another upstream query for a waiting client whose answer is not complete (see goesOn). It returns at
// once, so a session of the upstream may call it while it delivers an answer.
func (s *Server) askTarget(w *waiter) {
	next := waiter{socket: w.socket, peer: w.peer, done: w.done}
	w.query.copyTo(&next.query)
	if w.socket != nil {
		w.socket.pending.Add(1)
	}
	go func() {
		defer s.recoverPanic()
		c := s.current.Load()
		f, ok := s.attach(&next.query, next)
		if !ok {
			next.give(nil)
		}
		s.sendApart(c, f)
	}()
}
