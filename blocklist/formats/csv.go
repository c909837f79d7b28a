package formats

import (
	"encoding/csv"
	"net/netip"
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
		r.Comma, r.LazyQuotes, r.TrimLeadingSpace = separator, true, true
		fields, _ = r.Read()
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
	for name, to := range map[string]*time.Time{"expires": &a.Expires, "review": &a.Review, "added": &a.Added} {
		if text := field(name); text != "" {
			at, err := parseTime(text)
			if err != nil {
				return a, name + " is not a day or time"
			}
			*to = at
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

func (c *table) end(*tally, func(blocklist.Entry) bool) {}

// cncpo reads the list of the Italian police's centre against child abuse online: a row with the number and the time of
// the list, then rows of url;domain;ip-url;ip.
type cncpo struct {
	reference string // from the first row
}

func (c *cncpo) line(t *tally, text string) {
	fields := split(text, ';')
	for len(fields) > 0 && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	switch {
	case len(fields) == 0:
	case c.reference == "":
		c.header(t, fields)
	case len(fields) > 4:
		t.bad(notThis)
	default:
		c.row(t, append(fields, "", "", "", "")[:4])
	}
}

func (c *cncpo) header(t *tally, fields []string) {
	if len(fields) != 2 || strings.Trim(fields[0], "0123456789") != "" || strings.Trim(fields[1], "0123456789-/:.TZ+ ") != "" {
		c.reference = "CNCPO"
		t.bad("first row without number and time of the list")
		return
	}
	c.reference = "CNCPO " + fields[0] + " " + fields[1]
}

// row reads url and domain, or the two fields of the same meaning for addresses.
func (c *cncpo) row(t *tally, fields []string) {
	url, name, address := fields[0], fields[1], false
	if url == "" && name == "" {
		url, name, address = fields[2], fields[3], true
	}
	if url == "" {
		url = name
	}
	if strings.Contains(url, "*") {
		t.skip(patternRule)
		return
	}
	e, ok := urlTarget(url)
	if !ok {
		t.bad("not a URL")
		return
	}
	host, path := urlParts(e)
	if name != "" && !sameHost(host, name) {
		t.bad("the URL and the name beside it disagree")
		return
	}
	before := len(t.out)
	switch {
	case path:
		t.add(e)
	case address:
		addIf(t, addressTarget, strings.Trim(host, "[]"), "not an address")
	default:
		t.addName(host, blocklist.DomainEntry)
	}
	for i := range t.out[before:] {
		t.out[before+i].Reference = c.reference
	}
}

func sameHost(host, name string) bool {
	if a, err := netip.ParseAddr(name); err == nil {
		return strings.Trim(host, "[]") == a.Unmap().String()
	}
	n, err := blocklist.ParseName(name)
	h, errHost := blocklist.ParseName(host)
	return err == nil && errHost == nil && n == h
}

func (c *cncpo) end(*tally, func(blocklist.Entry) bool) {}
