package formats

import (
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// settings is what parsers know besides the text.
type settings struct {
	zone  blocklist.Name       // of an RPZ zone; empty if nothing is known
	stop  map[destination]bool // the stop pages that the caller names
	allow bool
}

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
