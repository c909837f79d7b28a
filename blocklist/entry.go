package blocklist

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Scope is the kind of targets that an entry covers.
type Scope uint8

// The four scopes. Their meaning is the same everywhere, from the list to the answer.
const (
	ScopeDomain Scope = iota + 1 // a name and all names below it
	ScopeHost                    // one name only
	ScopeURL                     // a path on a host, or a path and everything below it; a resolver can't enforce it
	ScopeIP                      // an address or a prefix
)

// String returns the name of the scope in commands and counters.
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

// MaxLine is the maximum length of an entry line, in bytes, without its line end.
const MaxLine = 64 << 10

// Entry is one line of a list. [ParseEntry] and the constructors return canonical entries: entries with the same target
// have equal target strings.
type Entry struct {
	Scope Scope
	key   string
	Attributes
}

// DomainEntry returns an entry for a name and all names below it.
func DomainEntry(name Name) Entry { return Entry{Scope: ScopeDomain, key: string(name)} }

// HostEntry returns an entry for one name only.
func HostEntry(name Name) Entry { return Entry{Scope: ScopeHost, key: string(name)} }

// IPEntry returns an entry for the addresses of a valid prefix. The prefix is masked, and IPv4-mapped addresses become
// IPv4 addresses.
func IPEntry(prefix netip.Prefix) Entry {
	if a := prefix.Addr(); a.Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(a.Unmap(), prefix.Bits()-96)
	}
	return Entry{Scope: ScopeIP, key: prefixText(prefix.Masked())}
}

// IsValid reports whether the entry has a target that fits its scope, like all entries from [ParseEntry] and the
// constructors. It returns false for the zero Entry, and if a program has set Scope to a value that does not fit the
// target, such as ScopeIP for a name.
func (e *Entry) IsValid() bool {
	if e.key == "" {
		return false
	}
	isName := e.key[len(e.key)-1] == 0 // URLs and prefixes never end in the root label
	switch e.Scope {
	case ScopeDomain, ScopeHost:
		return isName
	case ScopeURL:
		return !isName && strings.IndexByte(e.key, '/') > 0
	case ScopeIP:
		_, ok := parsePrefix(e.key)
		return ok
	}
	return false
}

// Key returns the text that identifies the entry within its scope: a name in wire form, a URL expression, or a prefix.
func (e Entry) Key() string { return e.key }

// Name returns the name of a domain or host entry, and false for the other scopes.
func (e Entry) Name() (Name, bool) {
	if e.Scope != ScopeDomain && e.Scope != ScopeHost {
		return "", false
	}
	return Name(e.key), true
}

// Prefix returns the addresses of an ip entry, and false for the other scopes.
func (e Entry) Prefix() (netip.Prefix, bool) {
	if e.Scope != ScopeIP {
		return netip.Prefix{}, false
	}
	return parsePrefix(e.key)
}

// Target returns the first field of the line: the target, in the notation of its scope.
func (e Entry) Target() string { return string(e.appendTarget(nil)) }

func (e Entry) appendTarget(dst []byte) []byte {
	switch e.Scope {
	case ScopeDomain:
		return appendNameTarget(dst, Name(e.key))
	case ScopeHost:
		return appendNameTarget(append(dst, '='), Name(e.key))
	case ScopeURL:
		return append(append(dst, "https://"...), e.key...)
	case ScopeIP:
		return append(dst, e.key...)
	}
	return dst
}

// appendNameTarget appends a name. It escapes the first digit of a name that looks like a number or an address.
func appendNameTarget(dst []byte, n Name) []byte {
	if n.numeric() {
		dst = appendDecimal(dst, n[1])
		text := n.Append(nil)
		return append(dst, text[1:]...)
	}
	return n.Append(dst)
}

// String returns the canonical line: the target, then the attributes that are set, in the order of FORMAT.md.
func (e Entry) String() string { return string(e.Append(nil)) }

// Append appends the canonical line, without a line end. Control characters in attributes become spaces, so the result
// is always one line.
func (e Entry) Append(dst []byte) []byte { return e.Attributes.append(e.appendTarget(dst)) }

// ParseEntry parses one line: a target, then attributes as key=value or key="a value", then optionally a comment after
// #. The keys are
//
//	category=csam            Category: why it is listed
//	ref="order 2026/17"      Reference: the order or decision that it is based on
//	expires=2027-05-01       Expires: a day, or a time as in 2027-05-01T08:00:00Z (RFC 3339)
//	review=2026-12-01        Review: a day or a time, as for expires
//	status=monitor           Monitor: report a match, do not block; status=block is the default
//	added=2026-11-03         Added: a day or a time, as for expires
//	source=de.example/wol@41 Source: the list that it was taken over from, and its serial
//
// in any order, each at most once. Its errors are of type [*EntryError].
func ParseEntry(line string) (Entry, error) {
	e, why := parseEntry(line)
	if why != "" {
		return Entry{}, &EntryError{Text: excerpt(line), Why: why, Meant: meantBy(line)}
	}
	return e, nil
}

func parseEntry(line string) (e Entry, why string) {
	if len(line) > MaxLine {
		return e, "longer than 64 KiB"
	}
	target, rest := cutTarget(line)
	if target == "" {
		return e, "there is no name, URL or address"
	}
	if e, why = parseTarget(target); why != "" {
		why, _ = meant(target, why)
		return e, why
	}
	if why = e.Attributes.parse(rest); why != "" {
		return e, why
	}
	// Escapes and quotes can make the canonical line longer than the input.
	if len(line) > MaxLine/2 && len(e.Append(nil)) > MaxLine {
		return e, "longer than 64 KiB in canonical form"
	}
	return e, ""
}

const blanks = " \t\r\n"

// cutTarget splits a line after its first field. The field is empty for a blank line or a comment.
func cutTarget(line string) (target, rest string) {
	line = strings.TrimLeft(line, blanks)
	if strings.HasPrefix(line, "#") {
		return "", ""
	}
	if i := strings.IndexAny(line, blanks); i >= 0 {
		return line[:i], line[i:]
	}
	return line, ""
}

// parseTarget parses the target of a line. It returns the reason if the target is invalid.
func parseTarget(text string) (e Entry, why string) {
	if strings.Contains(text, "://") {
		return parseURLTarget(text)
	}
	if text[0] == '=' {
		return parseNameTarget(text[1:], HostEntry)
	}
	if p, ok := parsePrefix(text); ok {
		if e = IPEntry(p); p != p.Masked() {
			return e, meantPrefix(p)
		}
		return e, ""
	}
	return parseNameTarget(text, DomainEntry)
}

func parseNameTarget(text string, entry func(Name) Entry) (e Entry, why string) {
	var buf [MaxName]byte
	escapes := false
	wire, labels := AppendHostname(buf[:0], text)
	if labels == 0 {
		if escapes, why = checkNameText(text); why != "" {
			return e, why
		}
		if wire, why = appendName(buf[:0], text); why != "" {
			return e, why
		}
	}
	name := Name(wire)
	switch {
	case name.IsRoot():
		return e, "the root of the DNS cannot be listed"
	case !escapes && name.numeric():
		return e, "neither an address nor a name"
	}
	return entry(name), ""
}

// checkNameText refuses characters that a name may have but that are probably typing errors, such as a slash or a
// star. It returns the reason, or an empty string. It also reports whether the text has escapes.
func checkNameText(text string) (escapes bool, why string) {
	for i := 0; i < len(text); i++ {
		switch c := lower(text[i]); {
		case plain(c) || c == '.' || c >= utf8.RuneSelf:
		case c == '\\':
			escapes = true
			_, n := unescape(text[i:])
			i += max(n-1, 0)
		case c == '/':
			return escapes, "a path needs https:// in front of the host"
		case c == '*':
			return escapes, "a name without a star covers all names below it; =name covers the name alone"
		default:
			return escapes, "character " + strconv.QuoteRune(rune(c)) +
				" in a name must be written as a backslash and three digits"
		}
	}
	return escapes, ""
}

// parsePrefix parses an address or a prefix in CIDR notation, without a zone.
func parsePrefix(text string) (netip.Prefix, bool) {
	last := text[len(text)-1]
	if (last < '0' || last > '9') && !strings.Contains(text, ":") { // cheap test for most names: building an error is slow
		return netip.Prefix{}, false
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), a.Zone() == ""
	}
	p, err := netip.ParsePrefix(text)
	return p, err == nil
}

func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
