package dnsfilter

import (
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/cache"
	"github.com/argine-dns/argine/dnsfilter/internal/cookie"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// The way of an answer, from the top: admit (rate limit, cookie, access list), then answerNow (decide by name,
// special-use zones, cache), and where the upstream has to be asked, inflight.go; then render (inspect what the answer
// leads to, and write it for the client). All queries take this way, whether they come from udp.go, tcp.go or
// slowpath.go.

// admit reports whether a query may be answered, and makes the cookie that the answer is to have. If not, it appends to
// dst what is sent instead, or nothing. The rate limit is not for connections, nor for clients whose cookie proves
// their address.
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
	if !serves(c.clients, q.client) {
		return q.refuse(dst, dns.RcodeRefused, dns.ExtendedErrorCodeProhibited), false
	}
	return nil, true
}

// setCookie verifies the cookie of a query and sets that of the answer: the same one as long as it is good.
func (q *query) setCookie(secrets []CookieSecret, client netip.Addr, now uint32) {
	valid, replace := cookie.Verify(secrets, q.sentCookie, client, now)
	q.hasCookie, q.cookieValid = true, valid
	if replace {
		q.cookie = secrets[0].Make(q.sentCookie, client, now)
	} else {
		q.cookie = cookie.Cookie(q.sentCookie)
	}
}

// limited appends what a query beyond the rate limit gets: now and then a request to come again with a cookie of ours
// (RFC 7873, section 5.2.3), or over TCP; neither can be done with a forged address.
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

// answerNow appends the answer to a query that can be given at once: by a decision, or from the cache. It reports
// whether the upstream is to be asked: for the answer if there is none yet, else because the given one has expired, or
// is about to. No answer and nothing to ask means that nothing is sent.
func (s *Server) answerNow(c *snapshot, dst []byte, q *query, now uint32) (m []byte, ask bool) {
	if s.store != nil {
		if d := c.views.decide(s.store, q); d.Blocks() {
			s.enumeration.record(q, &d, now, s.log)
			m, _ := d.appendAnswer(dst, q)
			return m, false
		}
	}
	if zone := c.special.find(q.name()); zone != "" {
		if m, ok := q.specialUseAnswer(dst, zone); ok {
			return m, false
		}
	}
	if q.qtype == dns.TypeANY && (!q.do || !q.overStream()) {
		return q.minimalAny(dst), false
	}
	return s.cached(c, dst, q, now)
}

// cached is answerNow for what the cache has. An expired answer is given at once only if the upstream fails (see
// stale.go).
func (s *Server) cached(c *snapshot, dst []byte, q *query, now uint32) (m []byte, ask bool) {
	m, state := s.cache.Get(dst, q.key, q.question, now)
	q.hasStale = state == cache.Stale && !c.isDown()
	if state == cache.NotFound || q.hasStale {
		return nil, true
	}
	q.counters.hits.Add(1)
	if state >= cache.Stale {
		return s.render(c, q, m, markStale(m)), state != cache.HeldDown
	}
	return s.render(c, q, m, 0), state == cache.Prefetch
}

// render writes the answer of the cache or the upstream for a client, in its memory, or that of a decision to block one
// of its records. An extended error goes with the former, unless code is 0, and so does the upstream's, which the
// message has in place of its ID. No bytes mean that nothing is sent.
func (s *Server) render(c *snapshot, q *query, m []byte, code uint16) []byte {
	if s.store != nil {
		if d := q.inspect(s.store, c.views.of(q.client), m); d.Blocks() {
			s.enumeration.recordReached(q, &d, s.cache.Now(), s.log)
			m, _ := d.appendAnswer(m[:0], q)
			return m
		}
	}
	codes := [2]uint16{code}
	if theirs := binary.BigEndian.Uint16(m); theirs > 1 && theirs-1 != code {
		codes[1] = theirs - 1
	}
	q.personalize(m)
	return q.finish(m, 0, ede{codes: codes})
}
