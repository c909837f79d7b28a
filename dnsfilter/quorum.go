package dnsfilter

import "github.com/argine-dns/argine/blocklist"

// Quorum is the action for names and addresses on which several lists agree. A list counts if it has a blocking entry,
// even if the policy has no rule for the list. Entries with status=monitor do not count.
//
// If fewer than AtLeast of the matching entries have scope domain, NXDomain becomes NoData, since the lists may not
// agree on the names below the denied name.
type Quorum struct {
	Rule // action of the quorum; List is the name of the quorum, and Categories are ignored

	// names of lists, without duplicates; the first one that matches provides the Match of the decision
	Lists   []string
	AtLeast int // number of lists that must agree
}

// decide returns the action of the quorum for the matches of a name or address. The result is zero if too few of the
// lists match.
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
