package dnsfilter

import (
	"cmp"
	"net/netip"

	"github.com/argine-dns/argine/blocklist"
)

// Decision is what happens to a name, and why.
type Decision struct {
	Action   Action
	Match    blocklist.Match // what decided; zero if no list of the policy holds the name or address
	rule     *Rule
	indirect bool   // it is on something that the answer leads to, and no chain of aliases shows it
	chain    *chain // that leads from the name asked for to the one that does not exist; nil: it is that one
}

// Blocks reports whether the real answer is withheld.
func (d Decision) Blocks() bool { return d.Action.Blocks() }

// By returns what decided: the list, or the name of the quorum; empty if nothing did.
func (d Decision) By() string {
	if d.rule != nil {
		return d.rule.List
	}
	return d.Match.List
}

// Allows reports whether an allow list holds the name.
func (d *Decision) Allows() bool { return d.Action == Pass && d.Match.List != "" }

// count counts a decision by a list. Names that are on no list are not counted.
func (d *Decision) count(c *counters) {
	if d.rule != nil || d.Match.List != "" {
		c.count(d.By(), d.Action)
	}
}

// usualLists is how many lists may hold one name before a decision allocates.
const usualLists = 8

// Decide decides on a name in lower-case wire form, for a client outside all views. The decision keeps a reference to
// name.
//
// NXDOMAIN says to caches that nothing exists below a name (RFC 8020). If names below a listed domain are allowed, the
// action nodata suits the list better.
func (p *Policy) Decide(store *blocklist.Store, name []byte) Decision {
	v := p.general()
	return v.Decide(store, name)
}

// DecideAddr decides on an address to which an answer leads, for a client outside all views. Entries of scope ip
// decide.
func (p *Policy) DecideAddr(store *blocklist.Store, a netip.Addr) Decision {
	v := p.general()
	return v.DecideAddr(store, a)
}

// decide decides on a question: by the view of its client, on its name, or on the host of url entries that it is. The
// server's decision on every query begins here.
func (v *views) decide(store *blocklist.Store, q *query) Decision {
	view := v.of(q.client)
	d := view.Decide(store, q.name())
	d.count(q.counters)
	if q.allowed = d.Allows(); q.allowed || d.Blocks() || !v.diverts || !isDiverted(q.qtype) {
		return d
	}
	if r := view.diverting(store, q.name()); r != nil {
		d = Decision{Action: Divert, Match: blocklist.Match{List: r.List, Scope: blocklist.ScopeURL}, rule: r}
		d.count(q.counters)
	}
	return d
}

// Decide is [Policy.Decide] for the clients of the view.
func (v *View) Decide(store *blocklist.Store, name []byte) Decision {
	var buf [usualLists]blocklist.Match
	matches := store.AppendMatches(buf[:0], name)
	if len(matches) == 0 {
		return Decision{}
	}
	return v.Choose(matches, func(list string) []blocklist.Match { return store.AppendEntries(nil, list, name) })
}

// DecideAddr is [Policy.DecideAddr] for the clients of the view.
func (v *View) DecideAddr(store *blocklist.Store, a netip.Addr) Decision {
	if _, ok := store.LookupAddr(a); !ok { // nearly always, and cheap
		return Decision{}
	}
	return v.Choose(store.AppendAddrMatches(nil, a), func(list string) []blocklist.Match {
		return store.AppendAddrEntries(nil, list, a)
	})
}

// Choose decides among the matches of one name or address, one of each list. Entries returns all of a list that match,
// the most specific first.
func (v *View) Choose(matches []blocklist.Match, entries func(list string) []blocklist.Match) Decision {
	for _, list := range v.Allow {
		if m := find(matches, list); m != nil && !m.Monitor {
			return Decision{Match: *m}
		}
	}
	var d Decision
	for i := range v.Rules {
		r := &v.Rules[i]
		if m := find(matches, r.List); m != nil && d.consider(r, r.decide(m, entries)) {
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

// ruleResult is what a rule does by an entry.
type ruleResult struct {
	action Action
	match  *blocklist.Match
}

// consider makes the result of a rule the decision if it blocks, or if it is the first that monitors. It reports
// whether it blocks.
func (d *Decision) consider(r *Rule, result ruleResult) (blocks bool) {
	if blocks = result.action.Blocks(); blocks || result.action == Monitor && d.rule == nil {
		d.Action, d.Match, d.rule = result.action, *result.match, r
	}
	return blocks
}

// precedes reports whether a decision to block counts before another one: by the order of the view's rules, then of its
// quorums; of one rule, by the order of the actions.
func (v *View) precedes(d, other *Decision) bool {
	return cmp.Or(cmp.Compare(v.rank(d.rule), v.rank(other.rule)), cmp.Compare(d.Action, other.Action)) < 0
}

// rank returns the place of a rule in the view, its quorums behind its rules.
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

// find returns the match of a list; nil if there is none.
func find(matches []blocklist.Match, list string) *blocklist.Match {
	for i := range matches {
		if matches[i].List == list {
			return &matches[i]
		}
	}
	return nil
}

// decide returns what the rule does by the match of its list, the most specific entry that blocks. If the action for
// the category of that one does not block, those of the less specific ones may: no entry hides behind another one.
func (r *Rule) decide(m *blocklist.Match, entries func(list string) []blocklist.Match) ruleResult {
	v := ruleResult{r.ActionFor(m), m}
	if v.action.Blocks() || len(r.Categories) == 0 {
		return v
	}
	all := entries(r.List)
	for i := range all {
		other := ruleResult{r.ActionFor(&all[i]), &all[i]}
		if other.action.Blocks() {
			return other
		}
		if v.action == Pass {
			v = other
		}
	}
	return v
}

// ActionFor returns what the rule does by an entry. A name that is listed alone, or leads to a listed address, is kept
// from hiding the names below it.
func (r *Rule) ActionFor(m *blocklist.Match) Action {
	a := r.Action
	if by, ok := r.Categories[m.Category]; ok {
		a = by
	}
	switch {
	case m.Monitor && a != Pass:
		return Monitor
	case a == NXDomain && m.Scope != blocklist.ScopeDomain:
		return NoData
	}
	return a
}

// decide returns what the quorum does if enough of its lists match a name or address.
func (q *Quorum) decide(matches []blocklist.Match) ruleResult {
	var first *blocklist.Match
	matched, domains := 0, 0
	for _, list := range q.Lists {
		m := find(matches, list)
		if m == nil || m.Monitor {
			continue
		}
		if matched++; first == nil {
			first = m
		}
		if m.Scope == blocklist.ScopeDomain {
			domains++
		}
	}
	switch {
	case first == nil || matched < q.AtLeast:
		return ruleResult{}
	case q.Action == NXDomain && domains < q.AtLeast:
		return ruleResult{NoData, first}
	}
	return ruleResult{q.Action, first}
}
