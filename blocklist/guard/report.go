package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"

	"github.com/argine-dns/argine/blocklist"
)

// Check is the name of one check.
type Check string

// The checks, in the order of a report.
const (
	CheckEmpty   Check = "empty"           // list without entries after the update
	CheckGrowth  Check = "growth"          // too many additions in one update
	CheckShrink  Check = "shrink"          // too many removals in one update
	CheckRoot    Check = "root"            // entry for the root of the DNS
	CheckLabel   Check = "single-label"    // entry for a single label, such as a top-level domain
	CheckSuffix  Check = "public-suffix"   // entry for a public suffix: names below it belong to different people
	CheckPrivate Check = "private-suffix"  // entry for a company's suffix: names below it belong to its customers
	CheckProtect Check = "protected"       // entry that touches a protected name or address
	CheckPopular Check = "popular"         // entry that covers a popular name
	CheckParent  Check = "parent"          // entry with many other entries below it
	CheckWide    Check = "wide-address"    // entry that covers too many addresses
	CheckSpecial Check = "special-address" // entry that covers special-purpose addresses (IANA) or multicast
	CheckLooks   Check = "lookalike"       // entry that looks like a protected or popular name, but is another name
)

// Checks returns all checks in the order of a report.
func Checks() []Check {
	return []Check{
		CheckEmpty, CheckGrowth, CheckShrink, CheckRoot, CheckLabel, CheckSuffix, CheckPrivate, CheckProtect, CheckPopular,
		CheckParent,
		CheckWide, CheckSpecial, CheckLooks,
	}
}

// Common reports whether existing lists often have entries that trip the check. It is true for [CheckPrivate], since
// lists block some hosters as a whole, and for [CheckParent], since lists have names above other entries. In the first
// state of a list, findings of such a check are only reported and do not hold the update: there is no earlier state to
// keep, and the subscriber chose to trust the list.
func (c Check) Common() bool { return c == CheckPrivate || c == CheckParent }

// Severity is the effect of a finding.
type Severity string

// The severities.
const (
	SeverityHold   Severity = "hold"   // the update waits for a person
	SeverityReport Severity = "report" // the finding is only shown; the update passes
)

// Finding is one problem that a check found.
type Finding struct {
	Check    Check    `json:"check"`
	Severity Severity `json:"severity"`
	// Entry is the target of the entry, as in a release. It is empty for a finding about the whole list.
	Entry string `json:"entry,omitempty"`
	Why   string `json:"why"` // a sentence with the evidence
	// Example is what the entry touches or looks like: the first protected or popular name or network that it covers, or
	// the first entry below it. Others is the number of further ones. Example is empty and Others is 0 for a check
	// without such evidence.
	Example string `json:"example,omitempty"`
	Others  uint64 `json:"others,omitempty"`
}

// reason is why a check has a finding. If the text is empty, there is no finding.
type reason struct {
	text    string
	example string // the example of the [Finding]
	others  uint64
}

// Report contains the findings about one update.
type Report struct {
	// Findings are sorted: first those that hold the update, then the others. Each of these two parts has the order of
	// [Checks]. The findings of one check have the order of the release. There are at most 100 for each check and
	// severity.
	Findings []Finding        `json:"findings"`
	Held     uint64           `json:"held"`     // number of all findings that hold the update
	Reported uint64           `json:"reported"` // number of all other findings
	Counts   map[Check]uint64 `json:"counts"`   // number of all findings by check; without checks that have none
	// Digest is the SHA-256 of all findings that hold the update, in hexadecimal; empty if there are none.
	Digest string `json:"digest"`
}

// maxShown is the maximum number of findings of each check and severity in a report. Further findings are only
// counted.
const maxShown = 100

// collector gathers findings: it counts all findings, and keeps the first [maxShown] of each check and severity.
type collector struct {
	first  bool // whether the update creates the first state of a list: see [Check.Common]
	kept   map[Severity]map[Check][]Finding
	report Report
	sum    hash.Hash
}

func newCollector() *collector {
	return &collector{
		kept:   map[Severity]map[Check][]Finding{SeverityHold: {}, SeverityReport: {}},
		report: Report{Findings: []Finding{}, Counts: map[Check]uint64{}},
		sum:    sha256.New(),
	}
}

func (c *collector) add(f Finding) {
	if c.first && f.Check.Common() {
		f.Severity = SeverityReport
	}
	c.report.Counts[f.Check]++
	if f.Severity == SeverityHold {
		c.report.Held++
		// The lengths make the text unambiguous: the end of each part is known.
		fmt.Fprintf(c.sum, "%s %d %s %d %s\n", f.Check, len(f.Entry), f.Entry, len(f.Why), f.Why)
	} else {
		c.report.Reported++
	}
	if kept := c.kept[f.Severity]; len(kept[f.Check]) < maxShown {
		kept[f.Check] = append(kept[f.Check], f)
	}
}

func (c *collector) finish() *Report {
	for _, severity := range []Severity{SeverityHold, SeverityReport} {
		for _, check := range Checks() {
			c.report.Findings = append(c.report.Findings, c.kept[severity][check]...)
		}
	}
	if c.report.Held > 0 {
		c.report.Digest = hex.EncodeToString(c.sum.Sum(nil))
	}
	return &c.report
}

// HeldError is a report of a held change, as an error. It wraps [blocklist.ErrHeld].
type HeldError struct{ *Report }

// Error implements error. It returns the finding that holds the change, or the number of such findings if there are
// several.
func (e *HeldError) Error() string {
	if e.Held == 1 && len(e.Findings) > 0 {
		return fmt.Sprintf("%v: %s", blocklist.ErrHeld, e.Findings[0])
	}
	return fmt.Sprintf("%v: %s", blocklist.ErrHeld, count(e.Held, "finding", "findings"))
}

// Unwrap returns [blocklist.ErrHeld].
func (e *HeldError) Unwrap() error { return blocklist.ErrHeld }

// String returns the finding as one line: check, entry and reason.
func (f Finding) String() string {
	if f.Entry == "" {
		return fmt.Sprintf("%s: %s", f.Check, f.Why)
	}
	return fmt.Sprintf("%s: %s: %s", f.Check, f.Entry, f.Why)
}

// Hold returns a [*HeldError] with the findings about these entries that would hold an update, or nil if there are
// none. It fails with [blocklist.ErrMalformed] for an entry that is not valid.
func (g *Guard) Hold(entries []blocklist.Entry) error {
	c := newCollector()
	for _, e := range entries {
		if !e.IsValid() {
			return invalid(e)
		}
		for _, f := range g.Entry(e) {
			if f.Severity == SeverityHold {
				c.add(f)
			}
		}
	}
	if report := c.finish(); report.Held > 0 {
		return &HeldError{report}
	}
	return nil
}

// Line returns the finding with its severity, as one line.
func (f Finding) Line() string {
	if f.Severity == SeverityHold {
		return "held: " + f.String()
	}
	return "note: " + f.String()
}
