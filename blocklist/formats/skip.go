package formats

// Skip counts what was skipped for one reason: lines, or names in lines.
type Skip struct {
	Reason string
	Count  int
	Lines  []int  // numbers of the first lines, at most 100
	Hint   string // advice to the user; empty: none
}

// Missed reports whether the skipped lines may have been meant to block something. It returns false for lines with
// another purpose (local names of a machine, settings, cosmetic rules) and for exceptions.
func (s Skip) Missed() bool {
	switch s.Reason {
	case ownMachine, otherSetting, cosmetic, excepted, takesBack, noName, fitsNames:
		return false
	}
	return true
}

// skipLines is the maximum number of line numbers in a Skip: some lines for a person to look at.
const skipLines = 100

// Skip reasons of several formats.
const (
	notName       = "not a domain name"
	oneLabel      = "a single label"
	notFormat     = "not a line of this format"
	tooLong       = "line longer than 64 KiB"
	patternRule   = "pattern, unsupported"
	wildcardOnly  = "wildcard without the name itself, unsupported"
	wildcardName  = "wildcard *.name, which the format dnscrypt reads"
	otherSetting  = "other setting"
	withFragment  = "URL with a fragment, unsupported"
	scheduled     = "rule with a schedule, unsupported"
	leadingDot    = "a dot in front of the name"
	addressBeside = "address beside a name or URL, not listed"
	ownMachine    = "name of the machine itself"
	cosmetic      = "cosmetic rule, unsupported"
	nameInProse   = "name in prose without https:// or www., not listed"
	badQuotes     = "quotation mark out of place"
)

// Skip reasons because of exceptions. They are known at the end of the file only.
const (
	excepted       = "allowed by an exception"
	noName         = "exception that names no domain, unsupported"
	fitsNames      = "exception by a pattern, kept for the listed names that it fits, not below them"
	takesBack      = "rule that is taken back, or takes one back"
	exceptionBelow = "has exceptions below it, unsupported"
	exceptedNames  = "address beside exceptions for names, which may lead to it, unsupported"
)
