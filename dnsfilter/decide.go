package dnsfilter

import (
	"cmp"
	"net/netip"

	"github.com/argine-dns/argine/blocklist"
)

// Decision says what a policy does about a name or address, and why.
type Decision struct {
	Action   Action
	Match    blocklist.Match // the deciding entry; zero if no list of the policy has the name or address
	rule     *Rule
	hit      *zoneHit // the policy zone's rule that decided; nil: none
	waits    bool     // an earlier policy zone may override the decision once the answer is known
	indirect bool     // the denied name is a target in the answer, but not the end of a CNAME chain
	chain    *chain   // for NXDOMAIN: CNAME chain from the query name to the denied name; nil: none
}

// Blocks reports whether the real answer is withheld.
func (d Decision) Blocks() bool { return d.Action.Blocks() }

// By returns the name of the list or quorum that decided, or an empty string if none did.
func (d Decision) By() string {
	if d.rule != nil {
		return d.rule.List
	}
	return d.Match.List
}

// Notice returns the [Notice] of the list or quorum that decided, or nil if none did. The caller must not change the
// notice.
func (d Decision) Notice() *Notice {
	if d.rule == nil {
		return nil
	}
	return &d.rule.Notice
}

// Reason returns the [Reason] of the list or quorum that decided, or [NoReason] if none did.
func (d Decision) Reason() Reason {
	if d.rule == nil {
		return NoReason
	}
	return d.rule.Reason
}

// Allows reports whether an allow list has the name or address. If so, no other list decides.
func (d *Decision) Allows() bool { return d.Action == Pass && d.Match.List != "" && d.hit == nil }

// Trigger returns the trigger of the policy zone's rule that decided, and the owner name of that rule, relative to the
// zone. It returns false if no policy zone decided.
func (d *Decision) Trigger() (t Trigger, owner string, ok bool) {
	if d.hit == nil {
		return t, "", false
	}
	return d.hit.trigger, d.hit.owner(), true
}

// count counts a decision by a list. Decisions without a list are not counted.
func (d *Decision) count(c *counters) {
	if d.rule != nil || d.Match.List != "" {
		c.count(d.By(), d.Action)
	}
}

// decided counts a decision of a list on a query, and shows it to the taps. The argument matched is the name in wire
// form, or the packed address, that the decision is about.
func (q *query) decided(d *Decision, matched []byte) {
	if q.restarts == 0 || d.Blocks() || d.hit != nil { // else it was counted before
		d.count(q.counters)
	}
	q.tap.decided(d, matched)
}

// usualLists is the number of lists that may match one name before a decision allocates memory.
const usualLists = 8

// Decide returns the decision of the lists on a name in lower-case wire form, for a client outside all views. Policy
// zones decide on queries only. The decision keeps a reference to name.
//
// If the action is NXDOMAIN, caches assume that no names exist below the denied name (RFC 8020). If an allow list has
// names below a listed domain, use the action nodata for the list.
func (p *Policy) Decide(store *blocklist.Store, name []byte) Decision {
	v := p.general()
	return v.Decide(store, name)
}

// DecideAddr returns the decision on an IP address in an answer, for a client outside all views. Only entries of scope
// ip match.
func (p *Policy) DecideAddr(store *blocklist.Store, a netip.Addr) Decision {
	v := p.general()
	return v.DecideAddr(store, a)
}

// Waits reports whether the decision is provisional: a policy zone has made it, and an earlier policy zone may still
// override it by a trigger on the answer.
func (d *Decision) Waits() bool { return d.waits }

// decide returns the decision on a query, in the view of its client, before the answer is known. A list or policy zone
// decides on the query name. If the query is then neither blocked nor allowed, and queries of its type are diverted, it
// is diverted by the first rule that has addresses in Divert and url entries for the host.
func (v *views) decide(store *blocklist.Store, q *query) Decision {
	view := v.of(q.client)
	d := view.decideOn(store, q)
	if d.waits {
		return d
	}
	q.decided(&d, q.name())
	if q.allowed || d.Blocks() || !v.diverts || !isDiverted(q.qtype) {
		return d
	}
	if r := view.diverting(store, q.name()); r != nil {
		d = Decision{Action: Divert, Match: blocklist.Match{List: r.List, Scope: blocklist.ScopeURL}, rule: r}
		q.decided(&d, q.name())
	}
	return d
}

// decideOn returns the decision on the name of a query, by lists and policy zones. It also sets q.allowed and q.zones.
func (v *View) decideOn(store *blocklist.Store, q *query) Decision {
	d := v.Decide(store, q.name())
	q.allowed, q.zones = d.Allows(), zonesDone
	if len(v.zones) == 0 || q.allowed {
		return d
	}
	return v.decideByZones(q, d)
}

// Decide is [Policy.Decide] for the clients of this view.
func (v *View) Decide(store *blocklist.Store, name []byte) Decision {
	var buf [usualLists]blocklist.Match
	matches := store.AppendMatches(buf[:0], name)
	if len(matches) == 0 {
		return Decision{}
	}
	return v.Choose(matches, func(list string) []blocklist.Match { return store.AppendEntries(nil, list, name) })
}

// DecideAddr is [Policy.DecideAddr] for the clients of this view.
func (v *View) DecideAddr(store *blocklist.Store, a netip.Addr) Decision {
	if _, ok := store.LookupAddr(a); !ok { // the usual case, and cheap
		return Decision{}
	}
	return v.Choose(store.AppendAddrMatches(nil, a), func(list string) []blocklist.Match {
		return store.AppendAddrEntries(nil, list, a)
	})
}

// Choose returns the decision for one name or address from its matches, one per list. The function entries returns all
// matching entries of a list, most specific first.
func (v *View) Choose(matches []blocklist.Match, entries func(list string) []blocklist.Match) Decision {
	for _, list := range v.Allow {
		if m := find(matches, list); m != nil && !m.Monitor {
			return Decision{Match: *m}
		}
	}
	var d Decision
	for i := range v.Rules {
		r := &v.Rules[i]
		if m := find(matches, r.List); m != nil && r.Zone == nil && d.consider(r, r.decide(m, entries)) {
			return d
		}
	}
	for i := range v.Quorums {
		q := &v.Quorums[i]
		if d.consider(&q.Rule, q.decide(matches)) {
			return d
		}
	}
	return d
}

// consider replaces d by the result of a rule if the result blocks. It also does so if the result monitors, and d is
// not yet the result of a rule. It reports whether the result blocks.
func (d *Decision) consider(r *Rule, result ruleResult) (blocks bool) {
	if blocks = result.action.Blocks(); blocks || result.action == Monitor && d.rule == nil {
		d.Action, d.Match, d.rule = result.action, *result.match, r
	}
	return blocks
}

// precedes reports whether the blocking decision d takes precedence over the blocking decision other. Decisions of
// rules come first, in the view's order, then those of quorums. Of two decisions of one rule, the one with the lower
// [Action] comes first.
func (v *View) precedes(d, other *Decision) bool {
	return cmp.Or(cmp.Compare(v.rank(d.rule), v.rank(other.rule)), cmp.Compare(d.Action, other.Action)) < 0
}

// rank returns the position of a rule in the view. Quorums rank after all rules.
func (v *View) rank(r *Rule) int {
	for i := range v.Rules {
		if r == &v.Rules[i] {
			return i
		}
	}
	for i := range v.Quorums {
		if r == &v.Quorums[i].Rule {
			return len(v.Rules) + i
		}
	}
	return len(v.Rules) + len(v.Quorums)
}
