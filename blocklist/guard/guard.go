package guard

import (
	"fmt"
	"iter"
	"net/netip"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// Guard checks updates against limits. It is immutable after [New] and safe for concurrent use.
type Guard struct {
	limits      Limits
	builtIn     protected
	protected   protected // protected names and addresses in the operator's limits
	popular     popular
	confusables confusables
	specials    []special
	own         bool // whether the guard is for the operator's own lists, see [Guard.Own]
}

// New returns a guard. It fails with [blocklist.ErrMalformed] on invalid limits.
func New(limits Limits) (*Guard, error) {
	limits, err := limits.withDefaults()
	if err != nil {
		return nil, err
	}
	g := &Guard{limits: limits, popular: newPopular(limits.Popular), specials: specials()}
	if g.protected, err = newProtected(limits.Protected); err != nil {
		return nil, err
	}
	if !limits.NoBuiltIn {
		g.builtIn = builtInIndex()
	}
	g.confusables = newConfusables(g.protected.names, g.popular.names)
	return g, nil
}

// Limits returns the limits of the guard, with defaults instead of zero values.
func (g *Guard) Limits() Limits { return g.limits }

// String returns one line about the data of the checks: the numbers of protected and popular names, and the day of
// the public suffix list.
func (g *Guard) String() string {
	protected := []string{"no built-in names"}
	if !g.limits.NoBuiltIn {
		protected[0] = fmt.Sprintf("%d built-in names", len(BuiltIn()))
	}
	if n := len(g.limits.Protected); n > 0 {
		protected = append(protected, count(uint64(n), "other", "others"))
	}
	popular := "none"
	if n := len(g.limits.Popular); n > 0 {
		popular = count(uint64(n), "name", "names")
	}
	return fmt.Sprintf("protected: %s; popular: %s; public suffixes: of %s", strings.Join(protected, ", "), popular, suffixDate())
}

// Update is a change of a list's state, by a delta or between two snapshots.
type Update struct {
	// Before and After are the numbers of entries before and after the update. Before is 0 for the first state of a
	// list.
	Before, After uint64
	// Changes are the lines of the delta in its order: an entry with changed attributes is removed and added directly
	// afterwards. Removals may be left out; a changed entry then counts as new. [Guard.Check] iterates over the
	// sequence once.
	Changes iter.Seq2[blocklist.Change, error]
	// Entries are the entries after the update, in any order, for [CheckParent]; nil skips that check. [Guard.Check]
	// iterates over the sequence once, and only if an addition could be a parent.
	Entries iter.Seq2[blocklist.Entry, error]
}

// Check runs all checks on an update. It needs about 20 bytes of memory for each added name, plus the report; entries
// that existed before cost nothing. It returns the first error of the update's sequences. It fails with
// [blocklist.ErrMalformed] if Changes is nil, if an entry is not valid, or if the additions don't fit the numbers
// Before and After.
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

// additions checks each new entry in the changes. It returns the number of added entries. A replaced entry does not
// count as added.
func (g *Guard) additions(changes iter.Seq2[blocklist.Change, error], found *collector, parents *parents) (added uint64,
	err error,
) {
	var before blocklist.Entry // the previous line, if it was a removal
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

// invalid returns the error for an entry that is not valid: it would cover nothing, so no check would find it.
func invalid(e blocklist.Entry) error {
	return fmt.Errorf("checking an entry of scope %s: %w: its target is not of that scope; "+
		"make entries with ParseEntry or a constructor", e.Scope, blocklist.ErrMalformed)
}

// entry adds the findings about one addition to found. It adds a name to parents, unless the entry only monitors it.
func (g *Guard) entry(e blocklist.Entry, found *collector, parents *parents) {
	for _, f := range g.Entry(e) {
		found.add(f)
	}
	if name, ok := e.Name(); ok && !e.Monitor {
		parents.add(coverage{name, e.Scope == blocklist.ScopeDomain})
	}
}

// Entry returns the findings about an addition by itself. It leaves out the checks that depend on the rest of the list:
// [CheckParent], [CheckGrowth], [CheckShrink] and [CheckEmpty].
func (g *Guard) Entry(e blocklist.Entry) (found []Finding) {
	severity := SeverityHold
	if e.Monitor {
		severity = SeverityReport
	}
	report := func(check Check, severity Severity, why reason) {
		if why.text != "" {
			found = append(found, Finding{check, severity, e.Target(), why.text, why.example, why.others})
		}
	}
	if prefix, ok := e.Prefix(); ok {
		report(CheckWide, severity, reason{text: wide(prefix)})
		report(CheckSpecial, severity, g.special(prefix))
		report(CheckProtect, severity, g.protected.overlapping(prefix))
		return found
	}
	c, ok := g.coverageOf(e)
	if !ok {
		return found
	}
	suffix, protected, builtIn := locate(c.name), g.protected.why(c), g.builtIn.why(c)
	check, why := suffix.why(c)
	if g.own && isPrivateUse(suffix.text) || check == CheckPrivate && builtIn.text != "" { // the latter says more
		why = ""
	}
	if why == "" && protected.text == "" { // one reason is enough
		protected = builtIn
	}
	if suffix.wild || !c.below && (check == CheckSuffix || check == CheckPrivate) {
		report(check, SeverityReport, reason{text: why})
	} else {
		report(check, severity, reason{text: why})
	}
	report(CheckProtect, severity, protected)
	report(CheckPopular, severity, g.popular.why(c))
	report(CheckLooks, SeverityReport, g.confusables.why(suffix.site))
	return found
}

// ProtectedHost returns the host of an entry for a page, if the host is protected: the guards let the page pass, but
// would hold an entry for the host. It returns an empty text for any other entry.
func (g *Guard) ProtectedHost(e blocklist.Entry) string {
	if _, whole := g.coverageOf(e); whole || e.Scope == blocklist.ScopeIP {
		return ""
	}
	host, _, _ := strings.Cut(e.Key(), "/")
	c, ok := hostCoverage(host)
	if !ok || g.protected.why(c).text == "" && g.builtIn.why(c).text == "" {
		return ""
	}
	return c.name.String()
}

// coverage is the set of DNS names that an entry covers.
type coverage struct {
	name  blocklist.Name
	below bool // whether the names below the name are covered, too
}

// coverageOf returns the names that an entry covers as whole hosts. It returns false for an entry that covers only
// pages of a host, or addresses. If the hosts of URL entries are diverted to a proxy, every URL entry covers its
// whole host.
func (g *Guard) coverageOf(e blocklist.Entry) (coverage, bool) {
	if name, ok := e.Name(); ok {
		return coverage{name, e.Scope == blocklist.ScopeDomain}, true
	}
	host, path, _ := strings.Cut(e.Key(), "/")
	c, ok := hostCoverage(host)
	return c, ok && (path == "*" || c.below || g.limits.Diverts)
}

// hostCoverage returns the names that the host part of a URL entry stands for. It returns false if the host is an
// address.
func hostCoverage(host string) (coverage, bool) {
	host, below := strings.CutPrefix(host, "*.")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return coverage{}, false
	}
	name, err := blocklist.ParseName(host)
	return coverage{name, below}, err == nil
}
