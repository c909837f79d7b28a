package formats

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// table parses a CSV file whose first row names the columns. It ignores unknown columns. But it refuses a table in
// which an unknown column may say that a row does not apply, see [mayLimit].
type table struct {
	now       time.Time
	begun     bool
	separator rune
	width     int            // number of columns in the header
	columns   map[string]int // index of each column, by the column's meaning
	limits    []limit
	strangers []stranger
	wrong     string // why no row is usable; empty: rows are usable

	// meanings of the columns that the options name; the keys are column names in the form of [plainColumn]
	read map[string]string
}

func (c *table) end(*lineSink, func(blocklist.Entry) bool) {}

func (c *table) line(t *lineSink, text string) {
	switch text = strings.TrimRight(text, " "); {
	case strings.TrimSpace(text) == "" || text[0] == '#':
	case !c.begun && c.separator == 0 && separatorLine(text) != 0:
		c.separator = separatorLine(text)
	case !c.begun:
		c.begun = true
		names := c.header(text)
		if c.wrong != "" {
			t.bad(c.wrong)
		}
		t.refusal = c.absent(names)
	case c.wrong != "":
		t.bad(c.wrong)
	default:
		c.row(t, split(text, c.separator))
	}
}

// maxColumns is the maximum number of columns.
const maxColumns = 256

// header parses the first row, and returns the column names in it. If the separator is unknown, it uses the candidate
// that occurs most often in the row.
func (c *table) header(text string) (names []string) {
	if c.separator == 0 {
		c.separator = mostFrequent(text)
	}
	names = split(text, c.separator)
	c.width, c.columns = len(names), map[string]int{}
	if len(names) > maxColumns {
		c.wrong = "header with more than 256 columns"
		return names
	}
	for i, name := range names {
		meaning, given := c.meaning(name)
		if meaning == Ignored {
			continue
		}
		if _, twice := c.columns[meaning]; !twice || given {
			c.columns[meaning] = i
		}
		switch meaning {
		case removedColumn, activeColumn, expiresColumn, startingColumn:
			c.limits = append(c.limits, limit{i, meaning, shorten(name)})
		case "":
			if !isHarmless(name) {
				c.strangers = append(c.strangers, stranger{field: i, name: shorten(name)})
			}
			if mayLimit(name) && c.wrong == "" {
				c.wrong = fmt.Sprintf("column %q is not known and may say that a row counts no more; "+
					"call it removed, expires or active, or take it out", shorten(name))
			}
		}
	}
	if !c.hasTarget() {
		c.wrong = noTarget(names)
	}
	return names
}

// meaning returns the kind of column that a name in the header stands for, or an empty string if the name is unknown.
// It also reports whether the caller's options named the column.
func (c *table) meaning(name string) (meaning string, given bool) {
	read, given := c.read[plainColumn(name)]
	switch {
	case !given:
		return columnMeaning(name), false
	case read == Ignored:
		return Ignored, true
	}
	return columnMeaning(read), true
}

// absent returns an error text if the header lacks a column that the caller's options name, and otherwise an empty
// string.
func (c *table) absent(names []string) string {
	for _, name := range slices.Sorted(maps.Keys(c.read)) {
		if !slices.ContainsFunc(names, func(n string) bool { return plainColumn(n) == name }) {
			return fmt.Sprintf("no column %q in it; its columns are %s", shorten(name), shorten(strings.Join(names, ", ")))
		}
	}
	return ""
}

// separatorLine returns the separator in a first line for Excel (sep=;), or 0 for any other line.
func separatorLine(line string) rune {
	rest, ok := strings.CutPrefix(strings.ToLower(strings.Trim(line, "\" \r")), "sep=")
	if !ok || len(rest) != 1 || !strings.Contains(",;\t|", rest) {
		return 0
	}
	return rune(rest[0])
}

// noTarget returns the error text for a header in which no column names a target.
func noTarget(names []string) string {
	return fmt.Sprintf("none of its columns (%s) is one of %s; rename the column that has them", shorten(strings.Join(names, ", ")),
		strings.Join(TargetColumns(), ", "))
}

func (c *table) hasTarget() bool {
	return slices.ContainsFunc(targetColumns(), func(name string) bool { _, ok := c.columns[name]; return ok })
}

// isHeader reports whether a line is a table header: all fields are words, and at least one names a target column.
func isHeader(line string) bool {
	c := table{}
	c.header(line)
	return c.hasTarget() && !slices.ContainsFunc(split(line, c.separator), func(name string) bool {
		return name != "" && (plainColumn(name) == "" || strings.Contains(name, "/") || isURLHost(name))
	})
}

func (c *table) row(t *lineSink, fields []string) {
	if fields == nil {
		t.bad(badQuotes)
		return
	}
	for len(fields) > c.width && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	if len(fields) > c.width {
		t.bad("row with more fields than the header")
		return
	}
	at := func(i int) string {
		if i < len(fields) {
			return fields[i]
		}
		return ""
	}
	field := func(name string) string {
		if i, ok := c.columns[name]; ok {
			return at(i)
		}
		return ""
	}
	for i := range c.strangers {
		t.refusal = cmp.Or(t.refusal, c.strangers[i].see(at(c.strangers[i].field), t.number))
	}
	a, wrong := attributes(field)
	out, unreadable := c.limited(at, field("status"), &a)
	switch wrong = cmp.Or(wrong, unreadable); {
	case out != "":
		t.skip(out)
		return
	case wrong != "":
		t.bad(wrong)
		return
	}
	before := len(t.out)
	c.target(t, field)
	for i := range t.out[before:] {
		t.out[before+i].Attributes = a
	}
}

// limited applies the status and the limiting columns of a row. It returns why the row does not apply now, or why a
// value is unusable. A row with an unusable limit is not listed: without its expiry, the entry would block for too
// long.
func (c *table) limited(at func(int) string, status string, a *blocklist.Attributes) (out, wrong string) {
	out = statusOut(status)
	for _, l := range c.limits {
		outToo, wrongToo := l.apply(at(l.field), c.now, a)
		out, wrong = cmp.Or(out, outToo), cmp.Or(wrong, wrongToo)
	}
	return out, wrong
}

// target adds the target of a row: the URL, host or domain, or else the address. An address next to another target is
// counted, but not listed.
func (c *table) target(t *lineSink, field func(string) string) {
	url, host, domain, address := field("url"), field("host"), field("domain"), field("ip")
	switch {
	case hasFragment(url):
		t.skip(withFragment)
	case url != "":
		addIf(t, urlTarget, url, "not a URL")
	case host != "":
		t.addName(host, blocklist.HostEntry)
	case domain != "":
		t.addName(domain, blocklist.DomainEntry)
	case address != "":
		addIf(t, addressTarget, address, "not an address")
		return
	default:
		t.bad("row without url, host, domain and ip")
		return
	}
	if address != "" {
		t.note(addressBeside, t.number)
	}
}

// attributes reads category, reference, review, added and status of a row. It returns why a value makes the row
// unusable, or an empty string.
func attributes(field func(string) string) (a blocklist.Attributes, why string) {
	a.Category, a.Reference = field("category"), field("ref")
	if !isText(a.Category) || !isText(a.Reference) {
		return a, "category or reference too long or not plain text"
	}
	for _, column := range []struct {
		name string
		to   *time.Time
	}{{"review", &a.Review}, {"added", &a.Added}} {
		if text := field(column.name); text != "" {
			at, err := parseTime(text)
			if err != nil {
				return a, column.name + " is not a day or time"
			}
			*column.to = at
		}
	}
	switch strings.ToLower(field("status")) {
	case "", "block", "blocked", "active", "listed":
	case "monitor":
		a.Monitor = true
	default:
		return a, "status is neither block nor monitor"
	}
	return a, ""
}

// maxText is the maximum length of a category or reference, in bytes.
const maxText = 1 << 10

// isText reports whether a text is valid as a category or reference.
func isText(s string) bool {
	turned := func(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }
	return utf8text.IsLine(s, maxText) && !strings.ContainsFunc(s, turned)
}
