package dnsfilter

import "github.com/argine-dns/argine/blocklist"

// ruleResult is the action of a rule, and the match that leads to it.
type ruleResult struct {
	action Action
	match  *blocklist.Match
}

// find returns the match of the list with the given name, or nil.
func find(matches []blocklist.Match, list string) *blocklist.Match {
	for i := range matches {
		if matches[i].List == list {
			return &matches[i]
		}
	}
	return nil
}

// decide returns the action of the rule and the match that leads to it. It begins with m, the match of the rule's list.
// If the action for the category of m does not block, it tries the other entries, from the most specific one on.
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

// ActionFor returns the action of the rule for an entry. NXDomain becomes NoData for entries that do not cover the
// names below: entries of scope host or ip.
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
