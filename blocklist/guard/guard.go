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
	limits    Limits
	protected protected
	popular   popular
	looks     looks
	specials  []special
	own       bool // for lists of one's own
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
	g.looks = newLooks(g.protected.names, g.popular.names)
	return g, nil
}

// Diverting returns the guard for a list whose url entries lead their hosts to a proxy, with the same limits otherwise: see
// [Limits].Diverts. It shares what the guard knows.
func (g *Guard) Diverting() *Guard {
	d := *g
	d.limits.Diverts = true
	return &d
}

// Limits returns the limits, with the standard ones where none were given.
func (g *Guard) Limits() Limits { return g.limits }

// Update is a change of a list's state, from a delta or between two snapshots.
type Update struct {
	// Before and After are the entries of the state before and after. Before is 0 for the first state of a list.
	Before, After uint64
	// Changes are the lines of the delta, in its order: an entry whose attributes change is removed and right after it added.
	// Removals may be left out; a changed entry then counts as new. It is ranged over once.
	Changes iter.Seq2[blocklist.Change, error]
	// Entries are those of the state after, in any order, for the check of parents; nil leaves that check out. It is ranged
	// over once, and only if an addition could be a parent.
	Entries iter.Seq2[blocklist.Entry, error]
}

// Check looks at every addition. It holds about 20 bytes for each name that is added and what the report keeps, and nothing for
// the entries that were there before. It returns the first error of the update's sequences, and fails with
// [blocklist.ErrMalformed] if the additions can't lead from Before to After.
func (g *Guard) Check(u Update) (*Report, error) {
	found, parents := newCollector(g.limits.Keep), newParents(g.limits.MaxBelow)
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
		return nil, fmt.Errorf("checking an update: %w: %d additions do not lead from %d entries to %d", blocklist.ErrMalformed, added, u.Before, u.After)
	}
	g.sizes(u, added, found)
	return found.finish(), nil
}

// additions checks what is new entry by entry, and counts it.
func (g *Guard) additions(changes iter.Seq2[blocklist.Change, error], found *collector, parents *parents) (added uint64, err error) {
	var before blocklist.Entry // the removal right before
	for c, err := range changes {
		switch {
		case err != nil:
			return 0, err
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

// entry checks one addition.
func (g *Guard) entry(e blocklist.Entry, found *collector, parents *parents) {
	for _, f := range g.Entry(e) {
		found.add(f)
	}
	if name, ok := e.Name(); ok && !e.Monitor {
		parents.add(cover{name, e.Scope == blocklist.ScopeDomain})
	}
}

// Entry returns what an addition trips by itself: all but what the rest of its list decides, that is [CheckParent] and the
// checks of the list as a whole.
func (g *Guard) Entry(e blocklist.Entry) (found []Finding) {
	severity := SeverityHold
	if e.Monitor {
		severity = SeverityReport
	}
	trip := func(check Check, severity Severity, why string) {
		if why != "" {
			found = append(found, Finding{Check: check, Severity: severity, Entry: e.Target(), Why: why})
		}
	}
	if prefix, ok := e.Prefix(); ok {
		trip(CheckWide, severity, g.wide(prefix))
		trip(CheckSpecial, severity, g.special(prefix))
		trip(CheckProtect, severity, g.protected.overlapping(prefix))
		return found
	}
	c, ok := g.coverage(e)
	if !ok {
		return found
	}
	place := locate(c.name)
	check, why := place.why(c)
	if g.own && isPrivateUse(place.text) {
		why = ""
	}
	if place.wild || !c.below && (check == CheckSuffix || check == CheckPrivate) {
		trip(check, SeverityReport, why)
	} else {
		trip(check, severity, why)
	}
	trip(CheckProtect, severity, g.protected.why(c))
	trip(CheckPopular, severity, g.popular.why(c))
	trip(CheckLooks, SeverityReport, g.looks.why(place.site))
	return found
}

// cover is what an entry covers in the DNS.
type cover struct {
	name  blocklist.Name
	below bool // and everything below it
}

// coverage returns what an entry covers whole hosts of: a domain or host entry, a URL entry for all of its host, one for all
// subdomains of a name, whatever its path is, and any URL entry where its host is led to a proxy. False for anything else.
func (g *Guard) coverage(e blocklist.Entry) (cover, bool) {
	if name, ok := e.Name(); ok {
		return cover{name, e.Scope == blocklist.ScopeDomain}, true
	}
	host, path, _ := strings.Cut(e.Key(), "/")
	c, ok := hostCover(host)
	return c, ok && (path == "*" || c.below || g.limits.Diverts)
}

// hostCover reads the host of a URL entry; false if it is an address.
func hostCover(host string) (cover, bool) {
	host, below := strings.CutPrefix(host, "*.")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return cover{}, false
	}
	name, err := blocklist.ParseName(host)
	return cover{name, below}, err == nil
}

// sizes checks the list as a whole.
func (g *Guard) sizes(u Update, added uint64, found *collector) {
	removed := u.Before + added - u.After
	if u.After == 0 {
		severity, why := SeverityHold, fmt.Sprintf("none of the %s is left; accept it only if the list is to end", count(u.Before, "entry", "entries"))
		if u.Before == 0 {
			severity, why = SeverityReport, "the list has no entries yet"
		}
		found.add(Finding{Check: CheckEmpty, Severity: severity, Why: why})
		return
	}
	if u.Before == 0 {
		return
	}
	whole := func(check Check, changed uint64, most float64, what string) {
		share := float64(changed) / float64(u.Before)
		if changed > uint64(g.limits.Slack) && share > most {
			found.add(Finding{Check: check, Severity: SeverityHold, Why: fmt.Sprintf(
				"%d %s a list of %d: %.0f %%, more than the %.0f %% that may pass unseen", changed, what, u.Before, 100*share, 100*most)})
		}
	}
	whole(CheckGrowth, added, g.limits.MaxGrowth, "additions to")
	whole(CheckShrink, removed, g.limits.MaxShrink, "removals from")
}

func count(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
