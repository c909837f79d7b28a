package blocklist

import (
	"net/netip"
	"strings"
	"time"
)

// Scope says what an entry covers.
type Scope uint8

// The four scopes. They keep their meaning on every way: nothing is widened, nothing narrowed.
const (
	ScopeDomain Scope = iota + 1 // a name and every name below it
	ScopeHost                    // that name only
	ScopeURL                     // a path, or everything below it, on a host; invisible to DNS
	ScopeIP                      // an address or a prefix
)

// String returns the word used in commands and counters.
func (s Scope) String() string {
	switch s {
	case ScopeDomain:
		return "domain"
	case ScopeHost:
		return "host"
	case ScopeURL:
		return "url"
	case ScopeIP:
		return "ip"
	}
	return "invalid"
}

// MaxLine is the longest entry line that is read, in bytes without the line end.
const MaxLine = 64 << 10

// Attributes are what an entry says beside its target.
type Attributes struct {
	Category  string    // what it is listed for, such as csam; one word
	Reference string    // the order or decision behind it
	Expires   time.Time // from this moment on the entry matches no more; zero: never
	Review    time.Time // when a person looks at it again; zero: not set
	Added     time.Time // when it was first listed; zero: not recorded
	Monitor   bool      // status=monitor: report a match, do not block
}

// Entry is one listed thing. Entries are made by [ParseEntry] and the constructors, so that target and scope are
// canonical: equal things are equal strings.
type Entry struct {
	Scope Scope
	key   string
	Attributes
}

// DomainEntry lists name and every name below it.
func DomainEntry(name Name) Entry { return Entry{Scope: ScopeDomain, key: string(name)} }

// HostEntry lists name alone.
func HostEntry(name Name) Entry { return Entry{Scope: ScopeHost, key: string(name)} }

// IPEntry lists the addresses of prefix, which is masked first.
func IPEntry(prefix netip.Prefix) Entry {
	return Entry{Scope: ScopeIP, key: prefixText(prefix.Masked())}
}

// Key returns what identifies the entry within its scope: the wire form of a name, the expression of a URL, the text of
// a prefix.
func (e Entry) Key() string { return e.key }

// Name returns the name of a domain or host entry, and false for the other scopes.
func (e Entry) Name() (Name, bool) {
	return Name(e.key), e.Scope == ScopeDomain || e.Scope == ScopeHost
}

// Prefix returns the addresses of an ip entry, and false for the other scopes.
func (e Entry) Prefix() (netip.Prefix, bool) {
	if e.Scope != ScopeIP {
		return netip.Prefix{}, false
	}
	p, err := parsePrefix(e.key)
	return p, err == nil
}

// Target returns the first field of the line: the thing listed, in the spelling that shows its scope.
func (e Entry) Target() string {
	switch e.Scope {
	case ScopeDomain:
		return Name(e.key).String()
	case ScopeHost:
		return "=" + Name(e.key).String()
	case ScopeURL:
		return "https://" + e.key
	case ScopeIP:
		return e.key
	}
	return ""
}

// String returns the canonical line: the target, then the attributes that are set, in the order of FORMAT.md.
func (e Entry) String() string { return string(e.Append(nil)) }

// Append appends the canonical line without a line end.
func (e Entry) Append(dst []byte) []byte {
	dst = append(dst, e.Target()...)
	dst = appendText(dst, "category", e.Category)
	dst = appendText(dst, "ref", e.Reference)
	dst = appendTime(dst, "expires", e.Expires)
	dst = appendTime(dst, "review", e.Review)
	if e.Monitor {
		dst = append(dst, " status=monitor"...)
	}
	return appendTime(dst, "added", e.Added)
}

func appendText(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(append(append(dst, ' '), key...), '=')
	if !strings.ContainsAny(value, " \"\\#") {
		return append(dst, value...)
	}
	dst = append(dst, '"')
	for i := range len(value) {
		if value[i] == '"' || value[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, value[i])
	}
	return append(dst, '"')
}

func appendTime(dst []byte, key string, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	t = t.UTC()
	layout := time.RFC3339
	if t.Equal(t.Truncate(24 * time.Hour)) {
		layout = time.DateOnly
	}
	dst = append(append(append(dst, ' '), key...), '=')
	return t.AppendFormat(dst, layout)
}

// ParseEntry reads one line: a target, then attributes as key=value or key="a value", then perhaps a comment after #.
// Its errors are of type [*EntryError].
func ParseEntry(line string) (Entry, error) {
	fail := func(why string) (Entry, error) {
		return Entry{}, &EntryError{Text: excerpt(line), Why: why}
	}
	if len(line) > MaxLine {
		return fail("longer than 64 KiB")
	}
	target, rest := nextField(line)
	if target == "" {
		return fail("there is no name, URL or address")
	}
	e, why := parseTarget(target)
	if why != "" {
		return fail(why)
	}
	for {
		var field string
		if field, rest = nextField(rest); field == "" {
			return e, nil
		}
		if why := e.setAttribute(field); why != "" {
			return fail(why)
		}
	}
}

// nextField cuts the next field off: up to white space outside double quotes. A field that begins with # ends the line.
func nextField(s string) (field, rest string) {
	s = strings.TrimLeft(s, " \t\r\n")
	if s == "" || s[0] == '#' {
		return "", ""
	}
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// parseTarget reads the first field of a line.
func parseTarget(text string) (e Entry, why string) {
	switch {
	case strings.Contains(text, "://"):
		return parseURLTarget(text)
	case text[0] == '=':
		return parseNameTarget(text[1:], HostEntry)
	}
	if p, err := parsePrefix(text); err == nil {
		if p != p.Masked() {
			return e, "bits are set outside the prefix; write " + prefixText(p.Masked())
		}
		return IPEntry(p), ""
	}
	return parseNameTarget(text, DomainEntry)
}

func parseNameTarget(text string, make func(Name) Entry) (e Entry, why string) {
	if text == "" || text == "." {
		return e, "an entry needs a name; the root and the empty name cannot be listed"
	}
	digits := true
	for i := 0; i < len(text); i++ {
		c := lower(text[i])
		switch {
		case c == '\\':
			_, n := unescape(text[i:])
			i += max(n-1, 0)
		case c == '/':
			return e, "a path needs https:// in front of the host"
		case c == '*':
			return e, "a name without a star covers all names below it; =name covers the name alone"
		case c < 0x80 && !plain(c) && c != '.':
			return e, "character " + string(rune(c)) + " in a name must be written as a backslash and three digits"
		}
		digits = digits && (c == '.' || c >= '0' && c <= '9')
	}
	if digits && strings.Contains(text, ".") {
		return e, "neither an address nor a name"
	}
	name, err := ParseName(text)
	if err != nil {
		return e, err.Error()
	}
	return make(name), ""
}

// setAttribute reads one key=value field.
func (e *Entry) setAttribute(field string) (why string) {
	key, value, ok := strings.Cut(field, "=")
	if !ok {
		return "field " + excerpt(field) + " is not key=value; a value with spaces needs double quotes"
	}
	if value, ok = unquote(value); !ok {
		return "attribute " + key + " has a value that is empty, badly quoted or holds control characters"
	}
	a := &e.Attributes
	switch key {
	case "category":
		return setText(&a.Category, key, value)
	case "ref":
		return setText(&a.Reference, key, value)
	case "expires":
		return setTime(&a.Expires, key, value)
	case "review":
		return setTime(&a.Review, key, value)
	case "added":
		return setTime(&a.Added, key, value)
	case "status":
		if value != "block" && value != "monitor" {
			return "status must be block or monitor"
		}
		a.Monitor = value == "monitor"
		return ""
	}
	return "unknown attribute " + excerpt(key) + "; there are category, ref, expires, review, status and added"
}

func setText(dst *string, key, value string) (why string) {
	if *dst != "" {
		return "attribute " + key + " is given twice"
	}
	*dst = value
	return ""
}

func setTime(dst *time.Time, key, value string) (why string) {
	if !dst.IsZero() {
		return "attribute " + key + " is given twice"
	}
	t, err := ParseTime(value)
	if err != nil {
		return "attribute " + key + " needs a day (2027-05-01) or a time (2027-05-01T08:00:00Z)"
	}
	*dst = t
	return ""
}

// ParseTime reads a day, which means 00:00 UTC, or an RFC 3339 time in whole seconds.
func ParseTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, err
	}
	return t.UTC().Truncate(time.Second), nil
}

// unquote returns the value without its quotes and backslashes; it must not be empty nor hold control characters.
func unquote(s string) (string, bool) {
	quoted := len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"'
	if quoted {
		s = s[1 : len(s)-1]
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < ' ' || c == 0x7f || c == '"' || c == '\\' && !quoted {
			return "", false
		}
		if c == '\\' {
			if i++; i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", false
			}
			c = s[i]
		}
		b.WriteByte(c)
	}
	return b.String(), b.Len() > 0 && strings.ToValidUTF8(s, "") == s
}

// parsePrefix reads an address or a prefix in CIDR notation. IPv4-mapped addresses become IPv4; zones are refused.
func parsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err == nil && p.Addr().Is4In6() {
		return netip.Prefix{}, &EntryError{Text: excerpt(text), Why: "write the IPv4 prefix"}
	}
	return p, err
}

func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
