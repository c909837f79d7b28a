package formats

// Skip counts what was passed over for one reason.
type Skip struct {
	Reason string
	Count  int
	Lines  []int  // the first few line numbers
	Hint   string // what can be done about it, or empty
}

// Missed reports whether it may have been meant to be listed. It is false for what a file says of other matters
// (names that every machine gives itself, settings, cosmetic rules) and for what takes something off the list: the
// file's own exceptions.
func (s Skip) Missed() bool {
	switch s.Reason {
	case ownMachine, otherSetting, cosmetic, excepted, takesBack, noName, fitsNames:
		return false
	}
	return true
}

// skipLines is how many line numbers a Skip remembers: enough to look up by hand.
const skipLines = 100

// Reasons for passing something over that several formats share.
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
	badQuotes     = "quotation mark out of place"
)

// Reasons of exceptions. They are known only when the whole file was read.
const (
	excepted       = "allowed by an exception"
	noName         = "exception that names no domain, unsupported"
	fitsNames      = "exception by a pattern, kept for the listed names that it fits, not below them"
	takesBack      = "rule that is taken back, or takes one back"
	exceptionBelow = "has exceptions below it, unsupported"
	exceptedNames  = "address beside exceptions for names, which may lead to it, unsupported"
)
