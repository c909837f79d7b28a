package dnsfilter

import (
	"fmt"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// Expect returns what the server does with a query, as far as that needs no upstream: the decision on the name, and the
// answer that a client gets by it or because the name is in a special zone. The answer is nil if none is sent ([Drop]),
// or the upstream has to be asked. It counts nothing. It fails with [blocklist.ErrMalformed] for a message without one
// question.
func (s *Server) Expect(m *dns.Msg, client netip.Addr, stream bool) (Decision, *dns.Msg, error) {
	q, err := parseExpected(m, stream)
	if err != nil {
		return Decision{}, nil, err
	}
	c := s.current.Load()
	if s.store != nil {
		if d := c.views.of(plainAddr(client)).Decide(s.store, q.name()); d.Blocks() {
			answer, err := d.Answer(m, stream)
			return d, answer, err
		}
	}
	zone := c.special.find(q.name())
	if zone == "" {
		return Decision{}, nil, nil
	}
	wire, ok := q.specialUseAnswer(nil, zone)
	if !ok {
		return Decision{}, nil, nil
	}
	answer := new(dns.Msg)
	return Decision{}, answer, answer.Unpack(wire)
}

// Answer returns the answer that a [Server] gives to a query by a decision that blocks; nil where it sends none
// ([Drop]). It fails with [blocklist.ErrMalformed] for a message without one question.
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

// SpecialZone returns which of the zones in SpecialUse a name in lower-case wire form is in; empty if in none.
func (c *Config) SpecialZone(name []byte) blocklist.Name {
	z := newSpecialUseZones(c.SpecialUse)
	return z.find(name)
}
