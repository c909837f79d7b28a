package formats

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// candidateFormats are the formats that are tried where nothing signs a file, in the order in which they are
// preferred if several read it equally well. Tables are not among them: they are known by their header, or not at
// all.
func candidateFormats() []Format {
	return []Format{Domains, Hosts, RPZ, Adblock, Dnsmasq, Unbound, Argine, Dnscrypt}
}

// recognize finds out the format from the first lines, or checks the one that is named against them.
func recognize(prefix []byte, whole bool, o Options, s settings) (candidate, error) {
	if what := notText(prefix); what != "" {
		return candidate{}, fmt.Errorf("%w: it is %s, not a list", blocklist.ErrMalformed, what)
	}
	text := sample(prefix, whole)
	format := o.Format
	if format == Auto {
		format = signature(text)
	}
	if format == "" && isBlank(text) {
		format = Domains
	}
	if format == "" {
		t, err := guess(text, s)
		if err != nil {
			return candidate{}, err
		}
		return t, t.refuse(whole)
	}
	if err := checkTable(format, text); err != nil {
		return candidate{}, err
	}
	t := try(format, text, s, false)
	if o.MayBeEmpty && len(text) > 0 && (isBlank(text) || t.sink.records == 0) {
		return t, nil
	}
	return t, t.refuse(whole)
}

// checkTable refuses a table that is named as a format which would read its rows as URLs.
func checkTable(format Format, text []string) error {
	signed := signature(text)
	if signed == format || signed != CSV && signed != CNCPO || !readsURLs(format) || separates(text) == 0 {
		return nil
	}
	return fmt.Errorf("%w: it is a table, of the format %s by its first row; as %s, its rows would be URLs",
		blocklist.ErrMalformed, signed, format)
}

func isBlank(text []string) bool { return !slices.ContainsFunc(text, significant) }

func significant(line string) bool { return !blank(line) }

// notText says what a file is that can't be a list.
func notText(prefix []byte) string {
	start := bytes.ToLower(bytes.TrimLeft(prefix[:min(len(prefix), 512)], " \t\r\n"))
	switch {
	case bytes.HasPrefix(prefix, []byte("\x1f\x8b")), bytes.HasPrefix(prefix, []byte("\x28\xb5\x2f\xfd")):
		return "compressed (decompress it first)"
	case bytes.HasPrefix(prefix, []byte("\xff\xfe")), bytes.HasPrefix(prefix, []byte("\xfe\xff")):
		return "UTF-16 (convert it to UTF-8 first)"
	case bytes.IndexByte(prefix, 0) >= 0:
		return "binary"
	case bytes.IndexByte(prefix, '\n') < 0 && bytes.IndexByte(bytes.TrimRight(prefix, "\r"), '\r') >= 0:
		return "text whose lines end in CR alone (convert them to LF)"
	case bytes.HasPrefix(start, []byte("<!doctype")), bytes.HasPrefix(start, []byte("<html")),
		bytes.HasPrefix(start, []byte("<?xml")):
		return "an HTML or XML page"
	case bytes.HasPrefix(start, []byte("{")), bytes.HasPrefix(start, []byte("[{")),
		bytes.HasPrefix(start, []byte(`["`)):
		return "JSON"
	}
	return ""
}

// signature recognises a file by its first line that says something, where only one format has such a line. What
// follows has no say then: one odd row must not turn a table into a list of something else.
func signature(text []string) Format {
	if len(text) > 0 && text[0] == ownMagic {
		return Argine
	}
	i := slices.IndexFunc(text, significant)
	if i < 0 {
		return ""
	}
	switch first := strings.TrimSpace(text[i]); {
	case strings.HasPrefix(first, "[Adblock"):
		return Adblock
	case orderHeader(first) != "":
		return Domains
	case cncpoHeader(split(first, ';')) != "":
		return CNCPO
	case isHeader(first):
		return CSV
	case beginsZone(first):
		return RPZ
	case cutComment(first) == "server:":
		return Unbound
	}
	return ""
}

// beginsZone reports whether a line is what zones in master file syntax begin with (RFC 1035, section 5.1).
func beginsZone(line string) bool {
	fields := strings.Fields(strings.ToUpper(line))
	return fields[0] == "$TTL" || fields[0] == "$ORIGIN" || slices.Contains(fields[1:min(4, len(fields))], "SOA")
}

// guess finds the format that leaves least of the sample unused.
func guess(text []string, s settings) (candidate, error) {
	separator := separates(text)
	best := candidate{}
	for _, f := range candidateFormats() {
		if separator != 0 && readsURLs(f) {
			continue
		}
		if t := try(f, text, s, true); t.better(best) {
			best = t
		}
	}
	first := text[slices.IndexFunc(text, significant)]
	switch {
	case best.format != "":
		return best, nil
	case separator != 0:
		return best, fmt.Errorf("%w: it is a table with columns separated by %q, but its first row %q names none of "+
			"the columns domain, host, url and ip; name the format if it has one of %s",
			blocklist.ErrMalformed, separator, shorten(first), words(Readable()[1:]))
	}
	plain := try(Domains, text, s, true)
	return best, fmt.Errorf("%w: no format is recognised in it (as domains: %s); name the format if it has one of %s",
		blocklist.ErrMalformed, reasons(&plain.sink), words(Readable()[1:]))
}

// readsURLs reports whether a format takes a whole row of a table for the URL that it begins with.
func readsURLs(f Format) bool { return f == Domains || f == Argine || f == Dnscrypt }

// tableShare is one line in how many may lack the separator of a table.
const tableShare = 10

// separates returns what separates the columns of a table, 0 if the lines are none: a mark that is in nearly every
// first word, of two lines at least.
func separates(text []string) rune {
	lines := 0
	found := map[rune]int{}
	for _, line := range text {
		if blank(line) {
			continue
		}
		lines++
		for _, separator := range ";,|" {
			if strings.ContainsRune(strings.Trim(strings.Fields(line)[0], "|"), separator) {
				found[separator]++
			}
		}
	}
	for _, separator := range ";,|" {
		if lines > 1 && (lines-found[separator])*tableShare <= lines {
			return separator
		}
	}
	return 0
}

// candidate is what comes of reading the sample as one format.
type candidate struct {
	format   Format
	sink     lineSink
	entries  int
	seen     singleEntry
	specific bool // there is something that only this format has
}

// try reads the sample. Guessed means that neither a first line nor the caller names the format.
func try(f Format, text []string, s settings, guessed bool) candidate {
	out, p := candidate{format: f, sink: lineSink{guessed: guessed}}, newParser(f, s)
	// the plain lines of these two are those of other formats, which are stricter about them
	specific := f != Argine && f != Dnscrypt
	count := func(e blocklist.Entry) bool {
		out.entries++
		out.seen.entry(&e)
		specific = specific || e.Scope == blocklist.ScopeHost || f == Argine &&
			(e.Attributes != blocklist.Attributes{} || strings.Contains(e.Key(), "*"))
		return true
	}
	for i, line := range text {
		out.sink.number, out.sink.out = i+1, out.sink.out[:0]
		p.line(&out.sink, line)
		for _, e := range out.sink.out {
			count(e)
		}
	}
	p.end(&out.sink, count)
	out.specific = specific || out.sink.count(scheduled) > 0
	return out
}

// better compares by the share that is left unused, then by what could be read.
func (t candidate) better(than candidate) bool {
	unused, otherwise := t.unused()*than.sink.records, than.unused()*t.sink.records
	switch {
	case !t.fits():
		return false
	case than.format == "":
		return true
	case (t.entries > 0) != (than.entries > 0):
		return t.entries > 0
	case unused != otherwise:
		return unused < otherwise
	}
	return t.entries > than.entries
}

// fits reports whether there is something in the sample that speaks for the format: entries, or what it knows by name
// and does not support.
func (t candidate) fits() bool {
	if t.entries == 0 {
		return t.unused() < t.sink.skippedAll()
	}
	return t.specific
}

// unused counts what did not become an entry. Where nothing did, it counts what is not known by name.
func (t candidate) unused() int {
	if t.entries > 0 {
		return t.sink.skippedAll()
	}
	return t.sink.unusable + t.sink.count(patternRule) + t.sink.count(otherSetting)
}

// refuse is for a sample what it is for the whole list; of less than the whole, only what is unusable counts.
func (t candidate) refuse(whole bool) error {
	if !whole { // what the parser says at its end may be otherwise at the end of the list
		t.sink.refusal = ""
	}
	if whole || t.sink.unusable > 0 || t.sink.count(wildcardName) > 0 {
		entries := t.entries
		if !whole {
			entries = max(entries, 1)
		}
		return refuse(t.format, &t.sink, entries, t.seen)
	}
	return nil
}
