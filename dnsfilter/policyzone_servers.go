package dnsfilter

import (
	"bytes"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// The triggers on name servers need to know them, and an answer does not say. So they are looked up like other names:
// the NS records of the names from the one asked for up to two labels, and the addresses of the servers. Until the
// cache has them, the query waits for the first that is missing, and is then answered from the beginning. What can't be
// looked up triggers nothing.

const (
	maxServers  = 16 // maximum number of name servers that are searched for, per name
	maxRestarts = 16 // maximum number of times that a query is processed again
	// Minimum TTL in the cache, in seconds, of answers about name servers: a query that waits for such an answer has to
	// find it there.
	lackTTL = 5
)

// serverCache looks up the NS records and addresses of name servers for a zoneSearch.
type serverCache interface {
	// lookUp returns the cached answer for a name and type. If there is none, it returns a message without records,
	// and sets q.lack to a query that fetches the answer: q has to wait for that query. If q.lack is set already, the
	// answer is fetched in the background.
	lookUp(q *query, name []byte, qtype uint16) []byte
}

// servers searches the policy zones for rules on the name servers of the zones that contain the current name: on their
// names, and on their addresses.
func (s *zoneSearch) servers() {
	if !s.wantsServers() || s.query.servers == nil {
		return
	}
	found := s.nameServers()
	slices.SortFunc(found, func(a, b []byte) int { return compareNames(b, a) }) // the last in canonical order counts
	for _, server := range found {
		s.serverName(server)
	}
	for _, server := range found {
		if s.wants(NSIP) && s.query.lack == nil || s.hit != nil && s.hit.trigger == NSIP {
			s.serverAddrs(server)
		}
	}
	if s.query.lack != nil && s.query.restarts == maxRestarts {
		s.query.lack = nil
	}
}

// wantsServers reports whether one of the zones still searched has triggers on name servers.
func (s *zoneSearch) wantsServers() bool { return s.wants(NSDName) || s.wants(NSIP) }

// wants reports whether one of the zones still searched has rules with a trigger.
func (s *zoneSearch) wants(t Trigger) bool {
	for place := range s.bound {
		if s.rule(place).Zone.current.Load().counts[t] > 0 {
			return true
		}
	}
	return false
}

// nameServers returns the names of the name servers of the zones that contain the current name. It leaves out those of
// top-level domains and of the root. If an answer is not cached yet, it sets query.lack, and the result is incomplete.
func (s *zoneSearch) nameServers() (found [][]byte) {
	for zone := s.name; zone[0] != 0 && zone[1+zone[0]] != 0; {
		m := s.query.servers.lookUp(s.query, zone, dns.TypeNS)
		if s.query.lack != nil {
			return found
		}
		zone = zone[1+zone[0]:]
		for r := range dnswire.Records(m) {
			switch name, end := dnswire.AppendName(nil, m, r.At); {
			case r.Type == dns.TypeNS && r.Section == dnswire.Answer && end != 0 && len(found) < maxServers:
				found = append(found, name)
			case r.Type == dns.TypeSOA && r.Section == dnswire.Authority: // there is no zone in between
				if apex, end := dnswire.AppendName(nil, m, r.Owner); end != 0 && len(apex) < len(zone) &&
					dnswire.IsWithin(zone, apex) {
					zone = apex
				}
			}
		}
	}
	return found
}

// serverName searches the zones for a rule on the name of a name server (trigger NSDName).
func (s *zoneSearch) serverName(name []byte) {
	for place := range s.bound {
		rules := s.rule(place).Zone.current.Load()
		if rule, node, below := rules.servers.find(name); s.take(place, rule) {
			hit := s.found(place, rules, rule, NSDName)
			hit.node, hit.below = node, below
			return
		}
	}
}

// serverAddrs searches the zones for a rule on an address of a name server (trigger NSIP). The argument is the server's
// name.
func (s *zoneSearch) serverAddrs(name []byte) {
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		m := s.query.servers.lookUp(s.query, name, qtype)
		for r := range dnswire.Records(m) {
			if a, ok := netip.AddrFromSlice(r.Data); ok && r.Type == qtype && r.Section == dnswire.Answer {
				s.addr(a, NSIP)
			}
		}
	}
}

// compareNames compares names in wire form by the canonical order of RFC 4034, section 6.1.
func compareNames(a, b []byte) int {
	return slices.CompareFunc(reversedLabels(a), reversedLabels(b), bytes.Compare)
}

// reversedLabels returns the labels of a name, from the last to the first.
func reversedLabels(name []byte) (labels [][]byte) {
	for name[0] != 0 {
		labels = append(labels, name[1:1+name[0]])
		name = name[1+name[0]:]
	}
	slices.Reverse(labels)
	return labels
}
