package formats

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/argine-dns/argine/blocklist"
)

// candidateFormats are the formats to try on a file whose first line does not identify its format, in order of
// preference. Tables are not included: only a header identifies them.
func candidateFormats() []Format {
	return []Format{Domains, Hosts, RPZ, Adblock, Dnsmasq, Unbound, Argine, Dnscrypt}
}

// recognize determines the format from the first lines. If the options name a format, it checks that format instead.
func recognize(prefix []byte, whole bool, o Options, s settings) (candidate, error) {
	if what := notText(prefix); what != "" {
		return candidate{}, fmt.Errorf("%w: it is %s, not a list", blocklist.ErrMalformed, what)
	}
	c, err := recognizeText(sample(prefix, whole), whole, o, s)
	if err != nil && !utf8.Valid(trimRune(prefix)) {
		err = fmt.Errorf("%w; it is not UTF-8, perhaps Latin-1 or Windows-1252: iconv -f windows-1252 -t utf-8 FILE converts it", err)
	}
	return c, err
}

// trimRune cuts the bytes of the last character, which may be incomplete.
func trimRune(text []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if utf8.RuneStart(text[len(text)-i]) {
			return text[:len(text)-i]
		}
	}
	return text
}

// recognizeText determines the format as [recognize] does, from lines of a text file.
func recognizeText(text []string, whole bool, o Options, s settings) (candidate, error) {
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

// checkTable returns an error if the lines are a table, but the format would read its rows as URLs.
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

// notText returns what kind of file begins with a prefix, if it is one that can't be a list. Otherwise it returns an
// empty string.
func notText(prefix []byte) string {
	start := beginning(prefix)
	switch {
	case bytes.HasPrefix(prefix, []byte("\x1f\x8b")), bytes.HasPrefix(prefix, []byte("\x28\xb5\x2f\xfd")):
		return "compressed (decompress it first)"
	case bytes.HasPrefix(prefix, []byte("\xff\xfe")), bytes.HasPrefix(prefix, []byte("\xfe\xff")):
		return "UTF-16 (convert it first: iconv -f utf-16 -t utf-8 FILE)"
	case bytes.HasPrefix(prefix, []byte("PK\x03\x04")), bytes.HasPrefix(prefix, []byte("\xd0\xcf\x11\xe0")):
		return "a spreadsheet such as .xlsx, or an archive (save it as CSV, or unpack it, first)"
	case len(prefix) > 3 && prefix[0] != 0 && prefix[1] == 0 && prefix[2] != 0 && prefix[3] == 0:
		return "UTF-16 (convert it first: iconv -f utf-16le -t utf-8 FILE)"
	case isEncrypted(prefix):
		return "encrypted with OpenPGP (decrypt it first: gpg --decrypt FILE)"
	case bytes.IndexByte(prefix, 0) >= 0:
		return "binary"
	case bytes.IndexByte(prefix, '\n') < 0 && bytes.IndexByte(bytes.TrimRight(prefix, "\r"), '\r') >= 0:
		return "text whose lines end in CR alone (convert them to LF)"
	case isPage(prefix):
		return "an HTML or XML page"
	case bytes.HasPrefix(start, []byte("{")), bytes.HasPrefix(start, []byte("[{")),
		bytes.HasPrefix(start, []byte(`["`)):
		return "JSON"
	}
	return ""
}

// beginning returns at most the first 512 bytes of a file, in lower case and without leading white space.
func beginning(prefix []byte) []byte {
	return bytes.ToLower(bytes.TrimLeft(prefix[:min(len(prefix), 512)], " \t\r\n"))
}

// isPage reports whether a file begins as an HTML or XML page.
func isPage(prefix []byte) bool {
	start := beginning(prefix)
	return bytes.HasPrefix(start, []byte("<!doctype")) || bytes.HasPrefix(start, []byte("<html")) ||
		bytes.HasPrefix(start, []byte("<?xml"))
}

// isEncrypted reports whether a file begins like an OpenPGP message encrypted to a recipient (RFC 9580, sections 5.1
// and 6.2): with armor, or with an encrypted session key of version 3 or 6.
func isEncrypted(prefix []byte) bool {
	if bytes.HasPrefix(prefix, []byte("-----BEGIN PGP MESSAGE-----")) {
		return true
	}
	if len(prefix) < 4 {
		return false
	}
	version := prefix[2] // behind a length of one byte, or the second of two
	if prefix[0] == 0x85 || prefix[0] == 0xc1 && prefix[1] >= 192 {
		version = prefix[3]
	}
	return (prefix[0] == 0x84 || prefix[0] == 0x85 || prefix[0] == 0xc1) && (version == 3 || version == 6)
}

// signature returns the format that the first non-blank line identifies, or an empty string. It ignores the other
// lines: one odd row must not make a table a list of another format.
func signature(text []string) Format {
	if len(text) > 0 && text[0] == ownMagic {
		return Argine
	}
	i := slices.IndexFunc(text, significant)
	if i < 0 {
		return ""
	}
	if separatorLine(text[i]) != 0 {
		return CSV
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

// beginsZone reports whether a line is a typical beginning of a zone file (RFC 1035, section 5.1).
func beginsZone(line string) bool {
	fields := strings.Fields(strings.ToUpper(line))
	return fields[0] == "$TTL" || fields[0] == "$ORIGIN" || slices.Contains(fields[1:min(4, len(fields))], "SOA")
}

// guess returns the format with the smallest share of unused lines in the sample.
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
		return best, fmt.Errorf("%w: it is a table with columns separated by %q, but %s",
			blocklist.ErrMalformed, separator, noTarget(split(first, separator)))
	}
	plain := try(Domains, text, s, true)
	return best, fmt.Errorf("%w: no format is recognised in it (as domains: %s); name the format if it has one of %s",
		blocklist.ErrMalformed, reasons(&plain.sink), words(Readable()[1:]))
}

// readsURLs reports whether a format would read the row of a table as one URL, if the row begins with a URL.
func readsURLs(f Format) bool { return f == Domains || f == Argine || f == Dnscrypt }

// tableShare limits the lines of a table that lack the separator: at most one in tableShare lines.
const tableShare = 10

// separates returns the column separator if the lines are a table, or else 0. A separator must occur in the first word
// of nearly every line, and in at least two lines.
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

// candidate is the result of parsing the sample as one format.
type candidate struct {
	format   Format
	sink     lineSink
	entries  int
	seen     singleEntry
	specific bool // whether the sample has syntax that only this format has
}

// try parses the sample as one format. The argument guessed is true if neither the options nor the first line of the
// file identify the format.
func try(f Format, text []string, s settings, guessed bool) candidate {
	out, p := candidate{format: f, sink: lineSink{guessed: guessed}}, newParser(f, s)
	// plain lines in these two formats also belong to other formats, which are stricter
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

// better reports whether t is a better candidate than rival. A candidate with entries is better than one without.
// Otherwise the smaller share of unused lines decides, then the number of entries.
func (t candidate) better(rival candidate) bool {
	unused, otherwise := t.unused()*rival.sink.records, rival.unused()*t.sink.records
	switch {
	case !t.fits():
		return false
	case rival.format == "":
		return true
	case (t.entries > 0) != (rival.entries > 0):
		return t.entries > 0
	case unused != otherwise:
		return unused < otherwise
	}
	return t.entries > rival.entries
}

// fits reports whether the sample is evidence for the format: it has entries, or known but unsupported syntax.
func (t candidate) fits() bool {
	if t.entries == 0 {
		return t.unused() < t.sink.skippedAll()
	}
	return t.specific
}

// unused returns the number of lines without an entry. If there are no entries at all, it returns the number of lines
// with unknown syntax.
func (t candidate) unused() int {
	if t.entries > 0 {
		return t.sink.skippedAll()
	}
	return t.sink.unusable + t.sink.count(patternRule) + t.sink.count(otherSetting)
}

// refuse returns an error if the sample is not plausible as a list in its format. If the sample is only a part of the
// list, it considers only unusable lines and wildcards.
func (t candidate) refuse(whole bool) error {
	if !whole { // the parser's result at the end of the list may differ
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
