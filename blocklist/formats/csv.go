package formats

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/argine-dns/argine/blocklist"
)

// table reads a CSV file whose first row names the columns. Columns that it does not know are left aside, unless they
// may limit what a row says.
type table struct {
	now       time.Time
	begun     bool
	separator rune
	width     int            // of the header
	columns   map[string]int // the first one of each meaning
	limits    []limit
	strangers []stranger
	wrong     string // why no row can be read
}

func (c *table) end(*lineSink, func(blocklist.Entry) bool) {}

func (c *table) line(t *lineSink, text string) {
	switch text = strings.TrimRight(text, " "); {
	case strings.TrimSpace(text) == "" || text[0] == '#':
	case !c.begun:
		c.begun = true
		if c.header(text); c.wrong != "" {
			t.bad(c.wrong)
		}
	case c.wrong != "":
		t.bad(c.wrong)
	default:
		c.row(t, split(text, c.separator))
	}
}

// maxColumns is how many columns a header may have.
const maxColumns = 256

// header takes the first row, with the separator that it has most of.
func (c *table) header(text string) {
	c.separator = mostFrequent(text)
	names := split(text, c.separator)
	c.width, c.columns = len(names), map[string]int{}
	if len(names) > maxColumns {
		c.wrong = "header with more than 256 columns"
		return
	}
	for i, name := range names {
		meaning := columnMeaning(name)
		if _, twice := c.columns[meaning]; !twice {
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
		c.wrong = "header without a column url, host, domain or ip"
	}
}

func (c *table) hasTarget() bool {
	return slices.ContainsFunc(targetColumns(), func(name string) bool { _, ok := c.columns[name]; return ok })
}

// isHeader reports whether a line is the header of a table: words, of which one names a target.
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

// limited says why a row does not count now, or what of that can't be read. Without its end an entry would block for
// longer than was said.
func (c *table) limited(at func(int) string, status string, a *blocklist.Attributes) (out, wrong string) {
	out = statusOut(status)
	for _, l := range c.limits {
		outToo, wrongToo := l.apply(at(l.field), c.now, a)
		out, wrong = cmp.Or(out, outToo), cmp.Or(wrong, wrongToo)
	}
	return out, wrong
}

// target reports what a row lists, and counts what else it names.
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

// attributes reads the columns other than the target, but for those that limit it. What can't be read makes the row
// unusable.
func attributes(field func(string) string) (a blocklist.Attributes, why string) {
	a.Category, a.Reference = field("category"), field("ref")
	if !oneLine(a.Category) || !oneLine(a.Reference) {
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

// maxText is the longest category or reference that is taken from a foreign file, in bytes.
const maxText = 1 << 10

func oneLine(s string) bool {
	return len(s) <= maxText && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
	})
}
