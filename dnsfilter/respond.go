package dnsfilter

import (
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/cache"
	"github.com/argine-dns/argine/dnsfilter/internal/cookie"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// The path of a query, in order: admit (rate limit, cookie, access list); answerNow (decision on the name, zones of
// its own, cache); if the upstream has to be asked, inflight.go; render (inspect the targets in the answer, and write
// it for the client). Queries from udp.go, tcp.go and slowpath.go all take this path.

// admit applies the rate limit, the cookie check and the access list. It reports whether the query may be answered, and
// prepares the cookie of the answer. If the query may not be answered, it appends the reply to send instead, or
// nothing. The rate limit does not apply to streams, nor to clients whose cookie proves their address.
func (s *Server) admit(c *snapshot, dst []byte, q *query, client netip.Addr, stream bool) (m []byte, ok bool) {
	if q.sentCookie != nil {
		q.setCookie(c.secrets, client, s.unix())
	} else {
		q.cookieValid = false
	}
	if !stream && !q.cookieValid && c.limiter != nil && !c.limiter.Allow(networkKey(client)) {
		return c.limited(dst, q), false
	}
	q.client = plainAddr(client)
	if code := c.policy.StructuredErrors; code != 0 && dnswire.HasOption(q.options, code) {
		q.structured = true
	}
	if c.id.NSID != "" && dnswire.HasOption(q.options, dns.EDNS0NSID) {
		q.nsid = c.id.NSID
	}
	if !serves(c.clients, q.client) {
		return q.refuse(dst, dns.RcodeRefused, dns.ExtendedErrorCodeProhibited), false
	}
	return nil, true
}

// setCookie verifies the cookie of a query and sets the cookie of the answer. This is the cookie of the query if it is
// valid and recent, else a new one.
func (q *query) setCookie(secrets []CookieSecret, client netip.Addr, now uint32) {
	valid, replace := cookie.Verify(secrets, q.sentCookie, client, now)
	q.hasCookie, q.cookieValid = true, valid
	if replace {
		q.cookie = secrets[0].Make(q.sentCookie, client, now)
	} else {
		q.cookie = cookie.Cookie(q.sentCookie)
	}
}

// limited appends the reply to a query beyond the rate limit. Most queries get no reply. Every Slip-th query gets
// BADCOOKIE with a server cookie (RFC 7873, section 5.2.3) or, if it has no cookie, an empty reply with TC. These
// replies are useless to an attacker who forges the client's address.
func (c *snapshot) limited(dst []byte, q *query) []byte {
	q.counters.limited.Add(1)
	if !c.limiter.Slip() {
		return nil
	}
	q.counters.slipped.Add(1)
	if q.hasCookie {
		return q.refuse(dst, dns.RcodeBadCookie, 0)
	}
	return q.truncated(dst)
}

// answerNow appends the answer to a query if it can be given without waiting: a blocked answer, an answer from the
// server's own zones, or a cached answer. If ask is true, the upstream has to be asked: for the answer if m is empty,
// or else to refresh a cached answer that has expired or is about to. If m is empty and ask is false, nothing is sent.
func (s *Server) answerNow(c *snapshot, dst []byte, q *query, now uint32) (m []byte, ask bool) {
	q.resolvers, q.alias, q.lack = nil, nil, nil
	var d Decision
	if s.store != nil {
		if d = c.views.decide(s.store, q); d.Blocks() && !d.waits {
			s.enumeration.record(q, &d, now, s.log)
			return s.block(c, dst, q, &d, now)
		}
	}
	isAny := q.qtype == dns.TypeANY && (!q.do || !q.overStream())
	z := c.zones.find(q.name())
	if d.waits && (isAny || z != nil && z.forward == nil) { // no answer of an upstream follows
		q.decided(&d, nil)
		return s.block(c, dst, q, &d, now)
	}
	if z != nil {
		if m, ok := s.ownAnswer(c, dst, q, z); ok {
			return m, false
		}
	}
	if isAny {
		return q.minimalAny(dst), false
	}
	return s.cached(c, dst, q, now)
}

// block is answerNow for a query that d blocks.
func (s *Server) block(c *snapshot, dst []byte, q *query, d *Decision, now uint32) (m []byte, ask bool) {
	if q.redirect(d) {
		return s.answerTarget(c, dst, q, now)
	}
	m, _ = d.appendAnswer(dst, q)
	return m, false
}

// cached is answerNow for a query that only the cache or the upstream can answer. It gives an expired answer at once
// only if the upstream is down or the last refresh has failed (see stale.go).
func (s *Server) cached(c *snapshot, dst []byte, q *query, now uint32) (m []byte, ask bool) {
	m, state := s.cache.Get(dst, q.key, q.question, now)
	q.hasStale = state == cache.Stale && !c.resolversFor(q).isDown()
	if state == cache.NotFound || q.hasStale {
		return nil, true
	}
	q.counters.hits.Add(1)
	if state >= cache.Stale {
		q.counters.stale.Add(1)
		m = s.render(c, q, m, markStale(m))
		return m, state != cache.HeldDown || q.goesOn(m)
	}
	m = s.render(c, q, m, 0)
	return m, state == cache.Prefetch || q.goesOn(m)
}

// render turns an answer of the cache or the upstream into the client's answer, in the memory of m. If a target in the
// answer is blocked, it writes the blocked answer instead. The argument code is an extended error to add, or 0. The ID
// field of m has the upstream's own extended error, which is added, too. An empty result means that nothing is sent, or
// that the query goes on: see goesOn.
func (s *Server) render(c *snapshot, q *query, m []byte, code uint16) []byte {
	var why ede
	if q.alias != nil {
		why = q.alias.why
		m = q.join(m)
	}
	if s.store != nil {
		if q.servers = s; dnswire.IsFailure(m) {
			q.servers = nil
		}
		d := q.inspect(s.store, c.views.of(q.client), m)
		if q.lack != nil {
			return m[:0]
		}
		if d.Blocks() {
			s.enumeration.recordReached(q, &d, s.cache.Now(), s.log)
			if q.redirect(&d) {
				m, _ := s.answerTarget(c, m[:0], q, s.cache.Now())
				return m
			}
			m, _ := d.appendAnswer(m[:0], q)
			return m
		}
	}
	if why.codes[0] == 0 {
		why.codes[0] = code
		if theirs := binary.BigEndian.Uint16(m); theirs > 1 && theirs-1 != code {
			why.codes[1] = theirs - 1
		}
	}
	q.personalize(m)
	return q.finish(m, 0, why)
}

// ownAnswer appends the answer from one of the server's own zones. It returns false if the upstream has to be asked. In
// that case, it stores in q which upstream to ask, and for which name.
func (s *Server) ownAnswer(c *snapshot, dst []byte, q *query, z *zone) (m []byte, ok bool) {
	itself := len(q.name()) == len(z.name)
	switch {
	case z.primary != nil:
		return q.primaryAnswer(dst, z), true
	case z.local.answers(itself) && !z.isDelegation(itself, q.qtype):
		m := s.ownData(c, q, z)
		return m, m != nil
	case z.forward != nil:
		q.resolvers = z.forward
	case z.canary != Pass:
		return q.canaryAnswer(dst, z), true
	case z.special:
		return q.specialUseAnswer(dst, z.name)
	}
	return nil, false
}

// ownData returns the answer of the local data for a query in a zone. It returns nil if the local data has no answer,
// or if its CNAME records lead to another name. In that case, it stores in q which upstream to ask, and for which name.
func (s *Server) ownData(c *snapshot, q *query, z *zone) []byte {
	if z.local.answers(len(q.name()) == len(z.name)) {
		if m := c.zones.localAnswer(q, z); m != nil {
			return s.render(c, q, m, 0)
		}
		z = c.zones.find(q.name())
	}
	if z != nil {
		q.resolvers = z.forward
	}
	return nil
}
