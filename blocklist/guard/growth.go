package guard

import "fmt"

// slack is the number of additions that always pass, even in a small list. The same number of removals always passes.
const slack = 10

// growth adds a finding if the list grows or shrinks too much in one update, or is empty after it.
func (g *Guard) growth(u Update, added uint64, found *collector) {
	removed := u.Before + added - u.After
	if u.After == 0 {
		severity, why := SeverityHold, fmt.Sprintf("none of the %s is left; accept it only if the list is to end",
			count(u.Before, "entry", "entries"))
		if u.Before == 0 {
			severity, why = SeverityReport, "the list has no entries yet"
		}
		found.add(Finding{Check: CheckEmpty, Severity: severity, Why: why})
		return
	}
	if u.Before == 0 {
		return
	}
	check := func(name Check, changed uint64, most float64, what string) {
		share := float64(changed) / float64(u.Before)
		if changed > slack && share > most {
			found.add(Finding{Check: name, Severity: SeverityHold, Why: fmt.Sprintf(
				"%d %s a list of %d: %.0f %%, and the limit for one update is %.0f %%", changed, what, u.Before, 100*share,
				100*most)})
		}
	}
	check(CheckGrowth, added, g.limits.MaxGrowth, "additions to")
	check(CheckShrink, removed, g.limits.MaxShrink, "removals from")
}
