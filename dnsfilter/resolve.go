package dnsfilter

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/miekg/dns"
)

// cached appends the answer that the cache has.
func (s *Server) cached(c *course, dst []byte, q *query, now uint32) ([]byte, bool) {
	m, how := s.cache.get(dst, q, now)
	if how == notFound || how == stale {
		return nil, false
	}
	return s.deliver(c, dst, q, m), true
}

// resolve gets the answer from the upstream; nil means that nothing is to be sent.
func (s *Server) resolve(c *course, q *query) []byte {
	if s.waiting.Add(1) > maxWaiting {
		s.waiting.Add(-1)
		s.stats.dropped.Add(1)
		return nil
	}
	defer s.waiting.Add(-1)
	body, err, _ := s.flights.Do(string(q.key), func() (any, error) { return s.ask(c.upstream, q) })
	if err != nil {
		s.stats.failures.Add(1)
		return q.refuse(nil, dns.RcodeServerFailure, failureCode(err))
	}
	return s.deliver(c, nil, q, slices.Clone(body.([]byte))) //nolint:forcetypeassert // ask returns nothing else
}

// failureCode tells an upstream that was silent (22, No Reachable Authority) from one that could not be spoken to (23,
// Network Error).
func failureCode(err error) uint16 {
	if errors.Is(err, context.DeadlineExceeded) {
		return dns.ExtendedErrorCodeNoReachableAuthority
	}
	return dns.ExtendedErrorCodeNetworkError
}

// ask gets the answer from the upstream and keeps it as long as it may. The clients that wait for it may come and go, so
// it has a time of its own.
func (s *Server) ask(u Upstream, q *query) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	m, err := q.forward()
	if err != nil {
		return nil, err
	}
	reply, err := u.Exchange(ctx, m)
	if err != nil {
		s.log.Debug("upstream failed", slog.Any("error", err))
		return nil, err
	}
	body, err := pack(m.Question, reply)
	if err != nil {
		return nil, err
	}
	s.cache.put(q.key, body, lifetime(body), s.cache.now())
	return body, nil
}

// forward is the query to the upstream: nothing of the client's but the question and what it is told apart by. AD asks to
// be told whether the answer was validated (RFC 6840, section 5.7).
func (q *query) forward() (*dns.Msg, error) {
	name, _, err := dns.UnpackDomainName(q.name(), 0)
	if err != nil {
		return nil, err
	}
	m := new(dns.Msg)
	m.SetQuestion(name, q.qtype)
	m.AuthenticatedData, m.CheckingDisabled = true, q.flags&flagCD != 0
	return m.SetEdns0(udpSize, q.do), nil
}

// pack makes a body of the upstream's reply, under the question that was asked.
func pack(asked []dns.Question, reply *dns.Msg) ([]byte, error) {
	m := dns.Msg{Question: asked, Answer: reply.Answer, Ns: reply.Ns, Compress: true}
	m.AuthenticatedData = reply.AuthenticatedData
	if m.Rcode = reply.Rcode; m.Rcode > maskRcode {
		m.Rcode = dns.RcodeServerFailure
	}
	for _, rr := range reply.Extra {
		switch rr.Header().Rrtype {
		case dns.TypeOPT, dns.TypeTSIG, dns.TypeSIG: // these speak of the message that we got
		default:
			m.Extra = append(m.Extra, rr)
		}
	}
	return m.Pack()
}
