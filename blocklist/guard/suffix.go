package guard

import (
	"cmp"
	"fmt"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/argine-dns/argine/blocklist"
)

// suffixDate returns the day of the public suffix list, or "unknown age" if the list does not name its day.
func suffixDate() string {
	_, date, _ := strings.Cut(publicsuffix.List.String(), "(")
	day, _, _ := strings.Cut(date, "T")
	return cmp.Or(day, "unknown age")
}

// suffixInfo has the public suffix of a name.
type suffixInfo struct {
	text string // the name
	// suffix is the public suffix at or above the name. If all names below the name are suffixes, it is one label longer
	// than the name.
	suffix string
	wild   bool // whether the name is a suffix by a wildcard rule (*.ck); such a name usually belongs to one customer
	// icann is true if the suffix belongs to a registry. Otherwise it belongs to a company, or is a top-level domain
	// without rules.
	icann bool
	site  string // the suffix and one more label: the domain of one owner; empty if the name is a suffix
}

// locate looks up the public suffix of a name. It queries a child of the name, whose first label is *, to distinguish a
// suffix from a name above suffixes. No rule lists that label literally, so only wildcard rules match it.
func locate(name blocklist.Name) suffixInfo {
	below := belowText(name)
	p := suffixInfo{text: below[len("*."):]}
	p.suffix, p.icann = publicsuffix.PublicSuffix(below)
	if _, above, ok := strings.Cut(p.text, "."); ok && p.suffix == p.text {
		neighbour := "*." + above
		suffix, _ := publicsuffix.PublicSuffix(neighbour)
		p.wild = suffix == neighbour
	}
	if len(p.suffix) < len(p.text) {
		above := p.text[:len(p.text)-len(p.suffix)-1]
		p.site = p.text[strings.LastIndexByte(above, '.')+1:]
	}
	return p
}

// isPrivateUse reports whether a name is a top-level domain for private networks, which no registry has (RFC 6762,
// section 3 and appendix G).
func isPrivateUse(name string) bool {
	switch name {
	case "corp", "home", "internal", "intranet", "lan", "local", "private":
		return true
	}
	return false
}

// belowText returns the text of a name with the label * in front of it, with one allocation.
func belowText(name blocklist.Name) string {
	var buf [2 + 4*blocklist.MaxName]byte
	return string(name.Append(append(buf[:0], "*."...)))
}

// why returns the check that an entry with this name trips, and the reason. Both are empty if it trips none.
func (p suffixInfo) why(c coverage) (Check, string) {
	switch {
	case c.name.IsRoot():
		return CheckRoot, "the root of the DNS is above every name"
	case c.name.Labels() == 1 && c.below:
		return CheckLabel, "a single label: it covers a whole top-level domain; list the name below it that is meant"
	case c.name.Labels() == 1:
		return CheckLabel, "a single label is no site; it may come from a line that was cut short"
	case p.suffix == p.text && p.wild:
		_, above, _ := strings.Cut(p.text, ".")
		return CheckSuffix, fmt.Sprintf("names directly below %s often have many owners each; fine if this one has one owner", above)
	case p.suffix == p.text && p.icann:
		return CheckSuffix, "a public suffix: anyone can register names below it; list the name below it that is meant"
	case p.suffix == p.text:
		return CheckPrivate, "names below it belong to the customers of a company; list the one that is meant"
	case len(p.suffix) > len(p.text) && !p.icann:
		return CheckPrivate, fmt.Sprintf("every name below %s belongs to another customer; list the name that is meant",
			p.text)
	case len(p.suffix) > len(p.text):
		return CheckSuffix, fmt.Sprintf("every name below %s is a public suffix; list the name that is meant", p.text)
	}
	return "", ""
}
