package dnsfilter

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// resolve answers from the cache, else from the upstream. False means that nothing is to be sent.
func (s *Server) resolve(u Upstream, q *query) (answer, bool) {
	var buf [blocklist.MaxName + 5]byte
	key := q.key(buf[:0])
	if body := s.cache.get(key); body != nil {
		s.stats.hits.Add(1)
		return answer{body: body}, true
	}
	if s.waiting.Add(1) > maxWaiting {
		s.waiting.Add(-1)
		s.stats.dropped.Add(1)
		return answer{}, false
	}
	defer s.waiting.Add(-1)
	body, err, shared := s.flights.Do(string(key), func() (any, error) { return s.ask(u, q, key) })
	if err != nil {
		s.stats.failures.Add(1)
		a := q.message(dns.RcodeServerFailure, nil, nil)
		a.ede = []uint16{failureCode(err)}
		return a, true
	}
	a := answer{body: body.([]byte)} //nolint:forcetypeassert // ask returns nothing else
	if shared {
		a.body = slices.Clone(a.body)
	}
	return a, true
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
func (s *Server) ask(u Upstream, q *query, key []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	reply, err := u.Exchange(ctx, q.forward())
	if err != nil {
		s.log.Debug("upstream failed", slog.Any("error", err))
		return nil, err
	}
	body, err := q.pack(reply)
	if err != nil {
		return nil, err
	}
	s.cache.put(key, body, lifetime(body))
	return body, nil
}

// forward is the query to the upstream: nothing of the client's but the question and what it is told apart by. AD asks to
// be told whether the answer was validated (RFC 6840, section 5.7).
func (q *query) forward() *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(dns.CanonicalName(q.msg.Question[0].Name), q.qtype)
	m.AuthenticatedData, m.CheckingDisabled = true, q.msg.CheckingDisabled
	return m.SetEdns0(udpSize, q.do)
}

// pack makes a body of the upstream's reply, under the question that was asked, with room for an OPT record.
func (q *query) pack(reply *dns.Msg) ([]byte, error) {
	m := dns.Msg{Answer: reply.Answer, Ns: reply.Ns, Compress: true}
	m.Question = []dns.Question{{Name: dns.CanonicalName(q.msg.Question[0].Name), Qtype: q.qtype, Qclass: q.class}}
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
