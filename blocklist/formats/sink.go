package formats

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// Report says what became of the lines of a list.
type Report struct {
	Format  Format
	Lines   int    // lines read
	Entries int    // entries yielded
	URLs    int    // of these, URLs: a resolver enforces none of them by its answers alone
	Skipped []Skip // what is not among the entries, by reason
	// Reference is the number and day of the order in the first line of a list of domains (0000351_2025.30.08), or
	// empty. It is not an attribute of the entries.
	Reference string
}

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

// parser reads one format. It is given the lines one after the other, and lastly end.
type parser interface {
	line(t *lineSink, text string)
	// end yields what could not be told before the last line was seen.
	end(t *lineSink, yield func(blocklist.Entry) bool)
}

// lineParser is a parser of lines that stand for themselves.
type lineParser func(t *lineSink, text string)

func (p lineParser) line(t *lineSink, text string)                 { p(t, text) }
func (p lineParser) end(_ *lineSink, _ func(blocklist.Entry) bool) {}

// lineSink collects what a parser finds.
type lineSink struct {
	scope     blocklist.Scope   // the override, or zero
	guessed   bool              // the format is neither signed nor named
	number    int               // of the current line
	out       []blocklist.Entry // found on the current line
	reference string            // of the list
	records   int               // that were found: entries, and whatever was passed over
	unusable  int               // things that are not of the format at all
	skipped   []Skip
	refusal   string // why the list can't be used as a whole, found by the parser at its end
	names     packedStrings
	wire      [blocklist.MaxName]byte // of the name that is being read
}

// add reports an entry.
func (t *lineSink) add(e blocklist.Entry) {
	t.records++
	t.out = append(t.out, t.scoped(e))
}

// scoped returns an entry with the scope that names are to have.
func (t *lineSink) scoped(e blocklist.Entry) blocklist.Entry {
	if n, ok := e.Name(); ok && t.scope != 0 && t.scope != e.Scope {
		attributes := e.Attributes
		e = blocklist.DomainEntry(n)
		if t.scope == blocklist.ScopeHost {
			e = blocklist.HostEntry(n)
		}
		e.Attributes = attributes
	}
	return e
}

// addName reports a name as text, as an entry made by its constructor.
func (t *lineSink) addName(text string, entry func(blocklist.Name) blocklist.Entry) {
	n, labels := t.hostName(text)
	switch labels {
	case 0:
		t.addDotted(text, entry)
	case 1:
		t.bad(oneLabel)
	default:
		t.add(entry(n))
	}
}

// addDotted reports what is no name as it stands. A dot in front means the name and all below it, as in Squid and
// dnsmasq; that is no entry where names stand for themselves alone.
func (t *lineSink) addDotted(text string, entry func(blocklist.Name) blocklist.Entry) {
	rest, dotted := strings.CutPrefix(text, ".")
	n, labels := t.hostName(rest)
	switch {
	case !dotted || labels == 0:
		t.bad(notName)
	case labels == 1:
		t.bad(oneLabel)
	case entry(n).Scope != blocklist.ScopeDomain:
		t.bad(leadingDot)
	default:
		t.add(entry(n))
	}
}

// skip counts something that is as it should be, and is no entry.
func (t *lineSink) skip(why string) {
	t.records++
	t.note(why, t.number)
}

// bad counts something that has no place in the format.
func (t *lineSink) bad(why string) {
	t.unusable++
	t.skip(why)
}

// count returns how often something was passed over for a reason.
func (t *lineSink) count(why string) int {
	if i := t.find(why); i >= 0 {
		return t.skipped[i].Count
	}
	return 0
}

// skippedAll returns how often something was passed over.
func (t *lineSink) skippedAll() (n int) {
	for _, s := range t.skipped {
		n += s.Count
	}
	return n
}

func (t *lineSink) find(why string) int {
	return slices.IndexFunc(t.skipped, func(s Skip) bool { return s.Reason == why })
}

func (t *lineSink) note(why string, line int) {
	i := t.find(why)
	if i < 0 {
		i = len(t.skipped)
		t.skipped = append(t.skipped, Skip{Reason: why})
	}
	s := &t.skipped[i]
	s.Count++
	if len(s.Lines) < skipLines && !slices.Contains(s.Lines, line) {
		s.Lines = append(s.Lines, line)
	}
}

// hostName reads a name as [hostWire] does; without labels it is none.
func (t *lineSink) hostName(text string) (n blocklist.Name, labels int) {
	wire, labels := hostWire(t.wire[:0], text)
	if labels == 0 {
		return "", 0
	}
	return blocklist.Name(t.names.add(wire)), labels
}

// hostWire reads a name as lists of host names have them: letters, digits, hyphens and underscores, and no number as
// the top-level domain, which would be an address or a version. It counts the labels: none if it is no such name.
func hostWire(dst []byte, text string) (wire []byte, labels int) {
	wire, labels = blocklist.AppendHostname(dst, text)
	if labels == 0 {
		wire, labels = unusualHostWire(dst, text)
	}
	if labels == 0 || endsInNumber(wire) {
		return nil, 0
	}
	return wire, labels
}

// unusualHostWire is for names with escapes or Unicode letters.
func unusualHostWire(dst []byte, text string) (wire []byte, labels int) {
	wire, err := blocklist.AppendName(dst, text)
	if err != nil {
		return nil, 0
	}
	for rest := wire; len(rest) > 1; labels++ {
		label := rest[1 : 1+int(rest[0])]
		rest = rest[1+len(label):]
		for _, c := range label {
			if !isPlain(c) {
				return nil, 0
			}
		}
	}
	return wire, labels
}

// endsInNumber reports whether the top-level domain of a name in wire form is a number; that of the root is.
func endsInNumber[T ~string | ~[]byte](wire T) bool {
	number := true
	for len(wire) > 1 {
		end := 1 + int(wire[0])
		number = true
		for i := 1; i < end && number; i++ {
			number = isDigit(wire[i])
		}
		wire = wire[end:]
	}
	return number
}

func isDigit(c byte) bool { return c-'0' < 10 }

// isPlain says which are the characters of host names.
func isPlain(c byte) bool { return c|0x20-'a' < 26 || isDigit(c) || c == '-' || c == '_' }

// target reads a URL, an address or a prefix.
func target(text string) (e blocklist.Entry, ok bool) {
	if strings.ContainsAny(text, " \t") { // what follows would be taken for attributes
		return e, false
	}
	e, err := blocklist.ParseEntry(text)
	if err == nil && e.Scope == blocklist.ScopeURL {
		host, _ := urlParts(e)
		return e, isURLHost(strings.TrimPrefix(host, "*."))
	}
	return e, err == nil && e.Scope == blocklist.ScopeIP
}

// urlParts returns the host of a URL entry, and whether it says more than the host.
func urlParts(e blocklist.Entry) (host string, path bool) {
	host, rest, _ := strings.Cut(e.Key(), "/")
	return host, rest != ""
}

// isURLHost reports whether a host is an address or a name of at least two labels.
func isURLHost(host string) bool {
	if isAddress(host) {
		return true
	}
	var buf [blocklist.MaxName]byte
	_, labels := hostWire(buf[:0], host)
	return labels > 1
}

// isAddress reports whether the host of a URL is an address.
func isAddress(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}

// urlTarget is target for a URL whose scheme may be missing. A network, or a mistake in one, is none.
func urlTarget(text string) (e blocklist.Entry, ok bool) {
	if !strings.Contains(text, "://") {
		if isNetwork(text) {
			return e, false
		}
		text = "https://" + text
	}
	return target(text)
}

// hasFragment reports whether a URL stands for a part of a page, or a view of an application: no entry can say that.
func hasFragment(url string) bool {
	_, fragment, _ := strings.Cut(url, "#")
	return fragment != ""
}

// cutComment removes a # at the beginning or after white space, and what follows it.
func cutComment(line string) string {
	if strings.IndexByte(line, '#') < 0 {
		return strings.TrimSpace(line)
	}
	for i := range len(line) {
		if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			line = line[:i]
			break
		}
	}
	return strings.TrimSpace(line)
}
