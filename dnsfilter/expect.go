package dnsfilter

import (
	"fmt"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// Expect returns what the server does with a query before it asks the upstream. It returns the decision on the name,
// and the answer if the name is blocked, or if the server answers it from its own zones. The answer is nil if none is
// sent ([Drop]), or if the upstream has to be asked. The argument stream is false for a query over UDP. No counter
// changes. The error is [blocklist.ErrMalformed] unless the message has exactly one question.
func (s *Server) Expect(m *dns.Msg, client netip.Addr, stream bool) (Decision, *dns.Msg, error) {
	q, err := parseExpected(m, stream)
	if err != nil {
		return Decision{}, nil, err
	}
	c := s.current.Load()
	q.client, q.counters = plainAddr(client), new(counters) // for policy zones, and the inspection of local data
	if s.store != nil {
		d := c.views.of(q.client).decideOn(s.store, q)
		if d.waits || d.Action == LocalData && q.redirect(&d) {
			return d, nil, nil
		}
		if d.Blocks() {
			answer, err := d.Answer(m, stream)
			return d, answer, err
		}
	}
	zone := c.zones.find(q.name())
	if zone == nil {
		return Decision{}, nil, nil
	}
	wire, ok := s.ownAnswer(c, nil, q, zone)
	if !ok || len(wire) == 0 {
		return Decision{}, nil, nil
	}
	answer := new(dns.Msg)
	return Decision{}, answer, answer.Unpack(wire)
}

// Answer returns the answer of a [Server] to the query m if d is its blocking decision. The answer is nil if none is
// sent ([Drop]). The argument stream is false for a query over UDP. The error is [blocklist.ErrMalformed] unless the
// message has exactly one question.
func (d *Decision) Answer(m *dns.Msg, stream bool) (*dns.Msg, error) {
	q, err := parseExpected(m, stream)
	if err != nil {
		return nil, err
	}
	wire, ok := d.appendAnswer(nil, q)
	if !ok {
		return nil, nil //nolint:nilnil // see above
	}
	answer := new(dns.Msg)
	return answer, answer.Unpack(wire)
}

func parseExpected(m *dns.Msg, stream bool) (*query, error) {
	q := new(query)
	if !q.parseMessage(m, stream) {
		return nil, fmt.Errorf("reading a query: %w", blocklist.ErrMalformed)
	}
	return q, nil
}
