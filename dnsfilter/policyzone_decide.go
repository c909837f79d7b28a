package dnsfilter

import (
	"bytes"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// zoneSearch is a search in the policy zones of a view for the rule that decides on a query. The first name of the
// CNAME chain that matches a rule decides. If the name matches rules of several zones, the first zone takes precedence;
// within a zone, the order is that of [Trigger].
type zoneSearch struct {
	view  *View
	query *query
	hit   *zoneHit // the rule that takes precedence so far; nil: none
	bound int      // number of zones still searched, from the first one on: those before the zone of hit
	name  []byte   // the name to search for: the query name, or a later name of the CNAME chain
	chain *chain   // CNAME chain up to name; nil: name is the query name

	monitored uint64 // one bit per zone; 1: the zone has a rule for the query, but the action of the zone is Monitor
	buf       [blocklist.MaxName]byte
	kept      zoneHit // memory for the value that hit points to
}

// search begins a search for a name in the given number of policy zones of a view, from the first one on.
func (q *query) search(v *View, zones int, name []byte) *zoneSearch {
	if q.zoneSearch == nil {
		q.zoneSearch = new(zoneSearch)
	}
	s := q.zoneSearch
	s.view, s.query, s.hit, s.bound, s.chain, s.monitored = v, q, nil, zones, nil, 0
	s.at(name)
	return s
}

// at sets the name to search for next.
func (s *zoneSearch) at(name []byte) { s.name = append(s.buf[:0], name...) }

// searchAnswer begins a search in the policy zones on account of the answer m. The caller continues the search with the
// addresses and the CNAME targets in the answer. If a zone has triggers that need the answer, searchAnswer first
// searches for the query name once more.
func (q *query) searchAnswer(v *View, m []byte) *zoneSearch {
	name, _ := dnswire.AppendName(q.reached[:0], m, dnswire.HeaderSize)
	s := q.search(v, len(v.zones), name)
	if q.zones == zonesAnswer {
		s.match(true)
	}
	return s
}

// rule returns the policy rule of a zone. The argument is the zone's index among the policy zones of the view.
func (s *zoneSearch) rule(place int) *Rule { return &s.view.Rules[s.view.zones[place]] }

// found makes a zone's rule the hit, and returns the hit.
func (s *zoneSearch) found(place int, rules *zoneRules, rule zoneRule, trigger Trigger) *zoneHit {
	s.hit, s.bound = &s.kept, place
	s.hit.zones, s.hit.place, s.hit.rule, s.hit.trigger = rules, place, rule, trigger
	s.hit.name = append(s.hit.buf[:0], s.name...)
	return s.hit
}

// take reports whether a zone's rule may become the hit. It returns false if rule is noRule. It also returns false if
// the action of the zone is Monitor, and records the zone, so that [zoneSearch.end] counts a decision for it.
func (s *zoneSearch) take(place int, rule zoneRule) bool {
	if rule == noRule {
		return false
	}
	if s.rule(place).Action == Monitor {
		s.monitored |= 1 << (place % 64)
		return false
	}
	return true
}

// match searches the zones for a rule on the current name or, if the argument first is true, on the client's address.
// The first rule found becomes the hit.
func (s *zoneSearch) match(first bool) {
	for place := range s.bound {
		rules := s.rule(place).Zone.current.Load()
		if first && rules.counts[ClientIP] > 0 {
			if rule, prefix := rules.clients.find(s.query.client); s.take(place, rule) {
				s.found(place, rules, rule, ClientIP).prefix = prefix
				return
			}
		}
		if rule, node, below := rules.names.find(s.name); s.take(place, rule) {
			hit := s.found(place, rules, rule, QName)
			hit.node, hit.below = node, below
			return
		}
	}
}

// addr searches the zones for a rule on an IP address. The first rule found becomes the hit. The trigger is AnswerIP
// for an address in the answer, or NSIP for the address of a name server.
func (s *zoneSearch) addr(a netip.Addr, trigger Trigger) {
	last := s.bound
	if s.hit != nil && s.hit.trigger == trigger {
		last++ // a longer prefix of the same zone counts more
	}
	for place := range last {
		rules := s.rule(place).Zone.current.Load()
		if rules.counts[trigger] == 0 {
			continue
		}
		rule, prefix := rules.prefixes(trigger).find(a)
		if place == s.bound && !precedes(prefix, s.hit.prefix) || !s.take(place, rule) {
			continue
		}
		s.found(place, rules, rule, trigger).prefix = prefix
		return
	}
}

// precedes reports whether the rule for prefix p takes precedence over the rule for another prefix of the same zone:
// the longer prefix does, or, of two equally long ones, the prefix with the smaller address.
func precedes(p, other netip.Prefix) bool {
	return p.Bits() > other.Bits() || p.Bits() == other.Bits() && p.Addr().Less(other.Addr())
}

// waits reports whether one of the zones still searched has triggers that need the answer.
func (s *zoneSearch) waits() bool {
	for place := range s.bound {
		if s.rule(place).Zone.current.Load().wantsAnswer() {
			return true
		}
	}
	return false
}

// end counts a decision for each zone with the action Monitor that has a rule for the query.
func (s *zoneSearch) end() {
	for place := 0; s.monitored != 0; place++ {
		if s.monitored&1 != 0 {
			s.query.counters.count(s.rule(place).List, Monitor)
		}
		s.monitored >>= 1
	}
}

// decision returns the decision by the hit, which must not be nil.
func (s *zoneSearch) decision() Decision {
	r := s.rule(s.hit.place)
	d := Decision{
		Action: s.hit.action(r, s.query), Match: blocklist.Match{List: r.List, Scope: blocklist.ScopeHost},
		rule: r, hit: s.hit,
	}
	if d.Action == NXDomain {
		d.chain = s.chain
	}
	return d
}

// zonesBefore returns the number of policy zones of the view that can override a decision of the lists: all zones or,
// if a list blocks, the zones before that list.
func (v *View) zonesBefore(lists *Decision) int {
	if !lists.Blocks() {
		return len(v.zones)
	}
	n, _ := slices.BinarySearch(v.zones, v.rank(lists.rule))
	return n
}

// action returns the action on a query: the action of the policy rule r or, if that is Pass, the action of the zone's
// record.
func (h *zoneHit) action(r *Rule, q *query) Action {
	a := r.Action
	if a == Pass {
		a = h.said()
	}
	if a == Passthru || a == TCPOnly && q.overStream() {
		return Pass
	}
	return a
}

// said returns the action that the record of the zone specifies.
func (h *zoneHit) said() Action {
	switch h.rule {
	case passRule:
		return Passthru
	case nxdomainRule:
		return NXDomain
	case nodataRule:
		return NoData
	case dropRule:
		return Drop
	case tcpOnlyRule:
		return TCPOnly
	default: // local data
	}
	if to := h.alias(); to != nil && bytes.Equal(to.data, h.name) {
		return Passthru // the form of passthru in early versions of RPZ
	}
	return LocalData
}

// alias returns the CNAME record of the rule's local data, or nil if it has none.
func (h *zoneHit) alias() *localRecord {
	if r := h.zones.records(h.rule); len(r) == 1 && r[0].rrtype == dns.TypeCNAME {
		return &r[0]
	}
	return nil
}

// decideByZones returns the decision on a query by policy zones and lists. The argument lists is the decision of the
// lists alone. If a list blocks, the zones after that list do not count. If no list blocks the query, but a zone does,
// and an earlier zone needs the answer first, the decision is provisional (see [Decision.Waits]).
func (v *View) decideByZones(q *query, lists Decision) Decision {
	s := q.search(v, v.zonesBefore(&lists), q.name())
	s.match(true)
	q.zones = zonesReach
	waits := s.waits()
	if waits {
		q.zones = zonesAnswer
	} else {
		s.end()
	}
	if s.hit == nil {
		return lists
	}
	d := s.decision()
	if waits {
		if lists.Blocks() || !d.Blocks() {
			return lists
		}
		d.waits = true
		return d
	}
	q.zones = zonesDone
	if !d.Blocks() && lists.rule != nil {
		q.decided(&d, nil)
		return lists
	}
	return d
}

// WithZones returns the decision on a name, for a client, by the policy zones of the view and by the lists. The
// argument lists is the decision of the lists alone, and the name is in lower-case wire form. If a zone decides that
// the query passes, the action is Pass, and [Decision.Trigger] returns the trigger.
func (v *View) WithZones(lists Decision, name []byte, client netip.Addr) Decision {
	if len(v.zones) == 0 || lists.Allows() {
		return lists
	}
	q := &query{client: plainAddr(client), counters: new(counters), size: dnswire.UDPSize}
	q.setKey(append(append(q.buf[:0], name...), 0, byte(dns.TypeA), 0, dns.ClassINET))
	d := v.decideByZones(q, lists)
	if s := q.zoneSearch; q.zones == zonesAnswer && s.hit != nil && !lists.Blocks() {
		d = s.decision()
		d.waits = true
	}
	return d
}

// WithZonesAddr returns the decision on an IP address in an answer, by the policy zones of the view and by the lists.
// The argument lists is the decision of the lists alone.
func (v *View) WithZonesAddr(lists Decision, a netip.Addr) Decision {
	q := &query{counters: new(counters), size: dnswire.UDPSize}
	s := q.search(v, v.zonesBefore(&lists), []byte{0})
	if s.addr(plainAddr(a), AnswerIP); s.hit == nil {
		return lists
	}
	return s.decision()
}

// target returns the target of the rule's CNAME record, or an empty name if there is none. In a wildcard target
// (*.example.org), the name to answer for replaces the asterisk. If the result is too long, the target is empty.
func (h *zoneHit) target() blocklist.Name {
	r := h.alias()
	if r == nil {
		return ""
	}
	parent, ok := bytes.CutPrefix(r.data, []byte(wildcardLabel))
	switch {
	case !ok:
		return blocklist.Name(r.data)
	case len(h.name)-1+len(parent) > blocklist.MaxName:
		return ""
	}
	return blocklist.Name(h.name[:len(h.name)-1]) + blocklist.Name(parent)
}

// ttlOf returns the TTL of a local data record in answers: its own TTL, limited by the TTL of the policy rule.
func (d *Decision) ttlOf(r *localRecord) uint32 { return min(r.ttl, d.rule.ttl()) }

// localData appends the answer with the local data of the queried type, or a no-data answer if there is none.
func (d *Decision) localData(dst []byte, q *query) []byte {
	m, n := q.start(dst, dns.RcodeSuccess), 0
	for _, r := range d.hit.zones.records(d.hit.rule) {
		if r.rrtype != q.qtype && r.rrtype != dns.TypeCNAME && q.qtype != dns.TypeANY {
			continue
		}
		data := r.data
		if r.rrtype == dns.TypeCNAME {
			if data = []byte(d.hit.target()); len(data) == 0 { // RFC 6672, section 2.2
				dnswire.SetRcode(m, dns.RcodeYXDomain)
				break
			}
		}
		m = appendRecord(m, r.rrtype, d.ttlOf(&r), data)
		n++
	}
	if dnswire.SetCount(m, dnswire.Answer, n); n == 0 {
		m = d.deny(m, q)
	}
	return q.finish(m, 0, d.forged(q))
}
