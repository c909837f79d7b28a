package formats

import (
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// settings are the options of a parser.
type settings struct {
	zone  blocklist.Name       // name of the RPZ zone; empty: not known
	stop  map[destination]bool // stop pages named by the caller
	allow bool

	// meanings of the columns that the options name; the keys are column names in the form of [plainColumn]
	columns map[string]string
}

// parser parses one format. The reader calls line with each line, then end.
type parser interface {
	line(t *lineSink, text string)
	// end yields the entries that are known only at the end of the file.
	end(t *lineSink, yield func(blocklist.Entry) bool)
}

// lineParser is a parser that parses each line on its own.
type lineParser func(t *lineSink, text string)

func (p lineParser) line(t *lineSink, text string)                 { p(t, text) }
func (p lineParser) end(_ *lineSink, _ func(blocklist.Entry) bool) {}

// lineSink collects the results of a parser.
type lineSink struct {
	scope     blocklist.Scope   // scope that names get instead of the scope that the format gives them; zero: no override
	guessed   bool              // whether the format was guessed: neither the options nor the first line identify it
	number    int               // number of the current line
	out       []blocklist.Entry // entries of the current line
	reference string            // number and date of the order that the list is from
	records   int               // number of entries and skips
	unusable  int               // number of skips of text that is invalid in the format
	skipped   []Skip
	refusal   string // why the whole list is refused; empty: not refused
	names     packedStrings
	wire      [blocklist.MaxName]byte // buffer for the current name
}

// add adds an entry of the current line.
func (t *lineSink) add(e blocklist.Entry) {
	t.records++
	t.out = append(t.out, t.scoped(e))
}

// scoped returns the entry with the scope that the caller's options set for names, if they do.
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

// addName parses a name and adds the entry that the function entry returns for it.
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

// addDotted adds a name with a leading dot, or counts other text as bad. The leading dot means the name and all names
// below it, as in Squid and dnsmasq. In a format whose names have scope host, such a name is bad, too.
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

// skip counts valid text that is not listed, with the reason.
func (t *lineSink) skip(why string) {
	t.records++
	t.note(why, t.number)
}

// bad counts invalid text, with the reason.
func (t *lineSink) bad(why string) {
	t.unusable++
	t.skip(why)
}

// count returns the number of skips for a reason.
func (t *lineSink) count(why string) int {
	if i := t.find(why); i >= 0 {
		return t.skipped[i].Count
	}
	return 0
}

// skippedAll returns the number of all skips.
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

// hostName parses a host name as [hostWire] does. It returns 0 labels if the text is not a host name.
func (t *lineSink) hostName(text string) (n blocklist.Name, labels int) {
	wire, labels := hostWire(t.wire[:0], text)
	if labels == 0 {
		return "", 0
	}
	return blocklist.Name(t.names.add(wire)), labels
}
