package dnsfilter

import "github.com/argine-dns/argine/blocklist"

// Quorum is the action for names and addresses on which several lists agree. A list counts if it has a blocking entry,
// with or without a rule for the list. Entries with status=monitor do not count.
//
// NXDomain becomes NoData unless enough of the matching entries have scope domain: the lists may not agree on the names
// below.
type Quorum struct {
	Rule // Categories are ignored

	Lists   []string // without duplicates; the first list that matches gives the entry
	AtLeast int      // number of lists that must agree
}

// decide returns the action of the quorum if enough of its lists match a name or address.
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
