package guard

import (
	"fmt"
	"iter"
	"net/netip"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// Guard checks updates against limits. It does not change after [New]; any number of goroutines may use it.
type Guard struct {
	limits      Limits
	protected   protected
	popular     popular
	confusables confusables
	specials    []special
	own         bool // for lists of one's own
}

// New makes a guard. It fails with [blocklist.ErrMalformed] on limits that make no sense.
func New(limits Limits) (*Guard, error) {
	limits, err := limits.withDefaults()
	if err != nil {
		return nil, err
	}
	g := &Guard{limits: limits, popular: newPopular(limits.Popular), specials: specials()}
	if g.protected, err = newProtected(limits.Protected); err != nil {
		return nil, err
	}
	g.confusables = newConfusables(g.protected.names, g.popular.names)
	return g, nil
}

// Limits returns the limits, with the standard ones where none were given.
func (g *Guard) Limits() Limits { return g.limits }

// Update is a change of a list's state, from a delta or between two snapshots.
type Update struct {
	// Before and After are the entries of the state before and after. Before is 0 for the first state of a list.
	Before, After uint64
	// Changes are the lines of the delta, in its order: an entry whose attributes change is removed and right after
	// it added. Removals may be left out; a changed entry then counts as new. It is ranged over once.
	Changes iter.Seq2[blocklist.Change, error]
	// Entries are those of the state after, in any order, for the check of parents; nil leaves that check out. It is
	// ranged over once, and only if an addition could be a parent.
	Entries iter.Seq2[blocklist.Entry, error]
}

// Check looks at every addition. It holds about 20 bytes for each name that is added and what the report keeps, and
// nothing for the entries that were there before. It returns the first error of the update's sequences, and fails
// with [blocklist.ErrMalformed] if Changes is nil, if an entry is not valid, or if the additions can't lead from
// Before to After.
func (g *Guard) Check(u Update) (*Report, error) {
	if u.Changes == nil {
		return nil, fmt.Errorf("checking an update: %w: Changes is nil; an update without changes yields none",
			blocklist.ErrMalformed)
	}
	found, parents := newCollector(), newParents()
	found.first = u.Before == 0
	added, err := g.additions(u.Changes, found, parents)
	if err != nil {
		return nil, err
	}
	if u.Entries != nil && !parents.empty() {
		if err := parents.walk(u.Entries); err != nil {
			return nil, err
		}
		parents.findings(found)
	}
	if u.After > u.Before+added {
		return nil, fmt.Errorf("checking an update: %w: %d additions do not lead from %d entries to %d",
			blocklist.ErrMalformed, added, u.Before, u.After)
	}
	g.growth(u, added, found)
	return found.finish(), nil
}

// additions checks what is new entry by entry, and counts it.
func (g *Guard) additions(changes iter.Seq2[blocklist.Change, error], found *collector, parents *parents) (added uint64,
	err error) {
	var before blocklist.Entry // the removal right before
	for c, err := range changes {
		switch {
		case err != nil:
			return 0, err
		case !c.Entry.IsValid():
			return 0, invalid(c.Entry)
		case c.Removed:
			before = c.Entry
			continue
		}
		same := before.Scope == c.Entry.Scope && before.Key() == c.Entry.Key()
		if !same {
			added++
		}
		if !same || before.Monitor && !c.Entry.Monitor {
			g.entry(c.Entry, found, parents)
		}
	}
	return added, nil
}

// invalid refuses an entry that covers nothing, and so would trip nothing.
func invalid(e blocklist.Entry) error {
	return fmt.Errorf("checking an entry of scope %s: %w: its target is not of that scope; "+
		"make entries with ParseEntry or a constructor", e.Scope, blocklist.ErrMalformed)
}

// entry checks one addition.
func (g *Guard) entry(e blocklist.Entry, found *collector, parents *parents) {
	for _, f := range g.Entry(e) {
		found.add(f)
	}
	if name, ok := e.Name(); ok && !e.Monitor {
		parents.add(coverage{name, e.Scope == blocklist.ScopeDomain})
	}
}

// Entry returns what an addition trips by itself: all but what the rest of its list decides, that is [CheckParent]
// and the checks of the list as a whole.
func (g *Guard) Entry(e blocklist.Entry) (found []Finding) {
	severity := SeverityHold
	if e.Monitor {
		severity = SeverityReport
	}
	report := func(check Check, severity Severity, why string) {
		if why != "" {
			found = append(found, Finding{Check: check, Severity: severity, Entry: e.Target(), Why: why})
		}
	}
	if prefix, ok := e.Prefix(); ok {
		report(CheckWide, severity, wide(prefix))
		report(CheckSpecial, severity, g.special(prefix))
		report(CheckProtect, severity, g.protected.overlapping(prefix))
		return found
	}
	c, ok := g.coverageOf(e)
	if !ok {
		return found
	}
	suffix := locate(c.name)
	check, why := suffix.why(c)
	if g.own && isPrivateUse(suffix.text) {
		why = ""
	}
	if suffix.wild || !c.below && (check == CheckSuffix || check == CheckPrivate) {
		report(check, SeverityReport, why)
	} else {
		report(check, severity, why)
	}
	report(CheckProtect, severity, g.protected.why(c))
	report(CheckPopular, severity, g.popular.why(c))
	report(CheckLooks, SeverityReport, g.confusables.why(suffix.site))
	return found
}

// coverage is what an entry covers in the DNS.
type coverage struct {
	name  blocklist.Name
	below bool // and everything below it
}

// coverage returns what an entry covers whole hosts of: a domain or host entry, a URL entry for all of its host, one
// for all subdomains of a name, whatever its path is, and any URL entry where its host is led to a proxy. False for
// anything else.
func (g *Guard) coverageOf(e blocklist.Entry) (coverage, bool) {
	if name, ok := e.Name(); ok {
		return coverage{name, e.Scope == blocklist.ScopeDomain}, true
	}
	host, path, _ := strings.Cut(e.Key(), "/")
	c, ok := hostCoverage(host)
	return c, ok && (path == "*" || c.below || g.limits.Diverts)
}

// hostCoverage reads the host of a URL entry; false if it is an address.
func hostCoverage(host string) (coverage, bool) {
	host, below := strings.CutPrefix(host, "*.")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return coverage{}, false
	}
	name, err := blocklist.ParseName(host)
	return coverage{name, below}, err == nil
}
