package formats

import (
	"encoding/csv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/argine-dns/argine/blocklist"
)

// split cuts a row into its fields, which are trimmed. It is nil for a row that is badly quoted.
func split(row string, separator rune) []string {
	var fields []string
	if strings.Contains(row, `"`) {
		r := csv.NewReader(strings.NewReader(row))
		r.Comma, r.TrimLeadingSpace = separator, true
		var err error
		if fields, err = r.Read(); err != nil {
			return nil
		}
	} else {
		fields = strings.Split(row, string(separator))
	}
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	return fields
}

// table reads a CSV file whose first row names the columns. Columns it does not know are left aside.
type table struct {
	separator rune
	columns   map[string]int // of what is known; nil before the header
}

// columnNames maps the names that columns have in the wild to what they mean here.
func columnNames(name string) string {
	switch strings.ToLower(name) {
	case "domain", "domain_name", "domainname", "fqdn":
		return "domain"
	case "host", "hostname", "host_name":
		return "host"
	case "url", "uri":
		return "url"
	case "ip", "ip_address", "ipaddress", "cidr":
		return "ip"
	case "category":
		return "category"
	case "ref", "reference":
		return "ref"
	case "expires", "expiry", "expires_at", "valid_until":
		return "expires"
	case "review":
		return "review"
	case "added", "added_at", "date_added", "dateadded":
		return "added"
	case "status":
		return "status"
	}
	return ""
}

func (c *table) end(*tally, func(blocklist.Entry) bool) {}

func (c *table) line(t *tally, text string) {
	switch text = strings.TrimSpace(text); {
	case text == "" || text[0] == '#':
	case c.columns == nil:
		c.header(t, text)
	default:
		c.row(t, split(text, c.separator))
	}
}

// header takes the first row, with the separator that it has most of. Without a column that names a target no row can be
// read.
func (c *table) header(t *tally, text string) {
	c.separator = ','
	for _, s := range ";\t|" {
		if strings.Count(text, string(s)) > strings.Count(text, string(c.separator)) {
			c.separator = s
		}
	}
	c.columns = map[string]int{}
	for i, name := range split(text, c.separator) {
		if known := columnNames(name); known != "" {
			if _, twice := c.columns[known]; !twice {
				c.columns[known] = i
			}
		}
	}
	for _, name := range []string{"domain", "host", "url", "ip"} {
		if _, ok := c.columns[name]; ok {
			return
		}
	}
	t.bad("header without a column url, host, domain or ip")
}

func (c *table) row(t *tally, fields []string) {
	field := func(name string) string {
		if i, ok := c.columns[name]; ok && i < len(fields) {
			return fields[i]
		}
		return ""
	}
	a, why := attributes(field)
	if why != "" {
		t.bad(why)
		return
	}
	before := len(t.out)
	switch {
	case hasFragment(field("url")):
		t.skip(withFragment)
	case field("url") != "":
		addIf(t, urlTarget, field("url"), "not a URL")
	case field("host") != "":
		t.addName(field("host"), blocklist.HostEntry)
	case field("domain") != "":
		t.addName(field("domain"), blocklist.DomainEntry)
	case field("ip") != "":
		addIf(t, addressTarget, field("ip"), "not an address")
	default:
		t.bad("row without url, host, domain and ip")
	}
	for i := range t.out[before:] {
		t.out[before+i].Attributes = a
	}
}

func addIf(t *tally, read func(string) (blocklist.Entry, bool), text, otherwise string) {
	if e, ok := read(text); ok {
		t.add(e)
		return
	}
	t.bad(otherwise)
}

func addressTarget(text string) (e blocklist.Entry, ok bool) {
	e, ok = target(text)
	return e, ok && e.Scope == blocklist.ScopeIP
}

// attributes reads the columns beside the target. What can't be read makes the row unusable: without its expiry an entry
// would block for longer than was said.
func attributes(field func(string) string) (a blocklist.Attributes, why string) {
	a.Category, a.Reference = field("category"), field("ref")
	if !oneLine(a.Category) || !oneLine(a.Reference) {
		return a, "category or reference too long or not plain text"
	}
	for _, column := range []struct {
		name string
		to   *time.Time
	}{{"expires", &a.Expires}, {"review", &a.Review}, {"added", &a.Added}} {
		if text := field(column.name); text != "" {
			at, err := parseTime(text)
			if err != nil {
				return a, column.name + " is not a day or time"
			}
			*column.to = at
		}
	}
	switch status := strings.ToLower(field("status")); status {
	case "", "block":
	case "monitor":
		a.Monitor = true
	default:
		return a, "status is neither block nor monitor"
	}
	return a, ""
}

func parseTime(text string) (time.Time, error) {
	if len(text) == len(time.DateTime) { // 2026-03-05 08:00:00, taken as UTC
		text = strings.Replace(text, " ", "T", 1) + "Z"
	}
	return blocklist.ParseTime(text)
}

// maxText is the longest category or reference that is taken from a foreign file, in bytes.
const maxText = 1 << 10

func oneLine(s string) bool {
	return len(s) <= maxText && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
	})
}
