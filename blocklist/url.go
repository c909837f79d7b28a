package blocklist

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxURL is the longest URL that is read, in bytes.
const MaxURL = 8 << 10

// URL is a URL in canonical form by the rules of Google Safe Browsing ("Canonicalization", v4): one spelling for every
// spelling that reaches the same page. Port, user name and fragment don't count. FORMAT.md names where it is stricter.
type URL struct {
	Scheme   string // lower case; http where the text had none
	Host     string // lower case, A-labels, dotted decimal or bracketed address, percent-escapes where a name has odd octets
	Path     string // begins with a slash
	Query    string // without the question mark
	HasQuery bool   // a question mark stood there, if with nothing behind it
}

// String returns the canonical spelling.
func (u URL) String() string { return u.Scheme + "://" + u.Host + u.pathQuery() }

func (u URL) pathQuery() string {
	if u.HasQuery {
		return u.Path + "?" + u.Query
	}
	return u.Path
}

// ParseURL canonicalises a URL. It takes what browsers take: missing schemes, tabs and line ends inside, backslashes for
// slashes, any mix of escapes. It fails with [ErrMalformed] where there is no host, and with [ErrTooLarge] where the text
// or its canonical form exceeds [MaxURL].
func ParseURL(raw string) (URL, error) {
	if len(raw) > MaxURL {
		return URL{}, fmt.Errorf("URL %q: %w", excerpt(raw), ErrTooLarge)
	}
	text := strings.TrimFunc(raw, func(r rune) bool { return r <= ' ' })
	if strings.ContainsAny(text, "\t\r\n") {
		text = strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(text)
	}
	text, _, _ = strings.Cut(text, "#")
	u := URL{Scheme: "http"}
	if scheme, rest, ok := cutScheme(text); ok {
		u.Scheme, text = scheme, rest
	}
	var query string
	text, query, u.HasQuery = strings.Cut(text, "?")
	authority, path := text, ""
	if i := strings.IndexAny(text, `/\`); i >= 0 {
		authority, path = text[:i], text[i:]
	}
	if u.Host = parseAuthority(authority); u.Host == "" {
		return URL{}, fmt.Errorf("URL %q: %w: there is no host, or none that a browser would take", excerpt(raw), ErrMalformed)
	}
	u.Path = escape(cleanPath(unescapeAll(path)), "?")
	u.Query = escape(unescapeAll(query), "")
	if len(u.Scheme)+len("://")+len(u.Host)+len(u.Path)+len("?")+len(u.Query) > MaxURL {
		return URL{}, fmt.Errorf("URL %q: canonical form: %w", excerpt(raw), ErrTooLarge)
	}
	return u, nil
}

// cutScheme splits off a scheme and the slashes behind it. As in browsers, http and https need none and take any number.
func cutScheme(s string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(s, ":")
	scheme = strings.ToLower(scheme)
	switch {
	case !ok:
		return "", s, false
	case scheme == "http" || scheme == "https":
		return scheme, strings.TrimLeft(rest, `/\`), true
	case len(rest) < 2 || !isSlash(rest[0]) || !isSlash(rest[1]) || !isScheme(scheme):
		return "", s, false
	}
	return scheme, rest[2:], true
}

// isScheme tells whether s is a scheme by RFC 3986, section 3.1, in lower case.
func isScheme(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (i == 0 || strings.IndexByte("0123456789+-.", c) < 0) {
			return false
		}
	}
	return s != ""
}

func isSlash(c byte) bool { return c == '/' || c == '\\' }

// parseAuthority returns the canonical host of user:password@host:port, and nothing where there is none.
func parseAuthority(s string) (host string) {
	s = s[strings.LastIndexByte(s, '@')+1:]
	if i := strings.LastIndexByte(s, ':'); i >= 0 && strings.Trim(s[i+1:], "0123456789") == "" {
		s = s[:i]
	}
	s = unescapeAll(s)
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		return canonicalIPv6(s[1 : len(s)-1])
	}
	return canonicalHost(s)
}

func canonicalIPv6(s string) string {
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil || !a.Is6() || a.Zone() != "":
		return ""
	case a.Is4In6():
		return a.Unmap().String()
	}
	return "[" + a.String() + "]"
}

// canonicalHost returns a name or an IPv4 address in its one spelling. What a name with Unicode letters may not hold makes
// it no host; octets that are not UTF-8 are escaped.
func canonicalHost(s string) string {
	if !isASCII(s) && utf8.ValidString(s) {
		ascii, why := toASCII(s)
		if why != "" {
			return ""
		}
		s = ascii
	}
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '.' }), ".")
	if a, ok := parseIPv4(s); ok {
		return a.String()
	}
	b := []byte(s)
	for i, c := range b {
		b[i] = lower(c)
	}
	return escape(string(b), `/\?@:[]`)
}

// parseIPv4 reads an IPv4 address in any form that inet_aton takes: up to four parts, each decimal, octal or hexadecimal,
// the last one filling what is left. What follows a space is ignored.
func parseIPv4(s string) (netip.Addr, bool) {
	s, _, _ = strings.Cut(s, " ")
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var v uint32
	for i, p := range parts {
		n, ok := parseIPv4Part(p)
		if !ok {
			return netip.Addr{}, false
		}
		if i < len(parts)-1 {
			v |= uint32(n&0xff) << (24 - 8*i)
			continue
		}
		v |= uint32(n & (1<<(32-8*i) - 1))
	}
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), true
}

func parseIPv4Part(p string) (uint64, bool) {
	base := 10
	switch {
	case len(p) > 2 && p[0] == '0' && lower(p[1]) == 'x':
		base, p = 16, p[2:]
	case len(p) > 1 && p[0] == '0':
		base = 8
	}
	n, err := strconv.ParseUint(p, base, 64)
	return n, err == nil
}

// cleanPath resolves dot segments and runs of slashes; a backslash counts as a slash, as in browsers.
func cleanPath(p string) string {
	var segments []string
	last := ""
	for s := range strings.FieldsFuncSeq(p, func(r rune) bool { return r == '/' || r == '\\' }) {
		switch last = s; s {
		case ".":
		case "..":
			segments = segments[:max(len(segments)-1, 0)]
		default:
			segments = append(segments, s)
		}
	}
	out := "/" + strings.Join(segments, "/")
	open := p != "" && isSlash(p[len(p)-1]) || last == "." || last == ".."
	if open && len(segments) > 0 {
		out += "/"
	}
	return out
}

// unescapeAll removes percent-escapes until none is left. No two escapes overlap, so one pass that looks back gives what
// repeated passes give, in linear time.
func unescapeAll(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		out = append(out, s[i])
		for n := len(out); n >= 3 && out[n-3] == '%'; n = len(out) {
			hi, lo := unhex(out[n-2]), unhex(out[n-1])
			if hi > 15 || lo > 15 {
				break
			}
			out = append(out[:n-3], hi<<4|lo)
		}
	}
	return string(out)
}

// unhex returns the value of a hexadecimal digit, and 255 for anything else.
func unhex(c byte) byte {
	switch c = lower(c); {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

// escape writes what may not stand in a canonical URL, and the octets of also, as %XX in upper case.
func escape(s, also string) string {
	const hex = "0123456789ABCDEF"
	plain := func(c byte) bool {
		return c > ' ' && c < 0x7f && c != '#' && c != '%' && strings.IndexByte(also, c) < 0
	}
	i := 0
	for i < len(s) && plain(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	b := append(make([]byte, 0, len(s)+16), s[:i]...)
	for ; i < len(s); i++ {
		if c := s[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

// parseURLTarget reads https://host/path, with *. before the host for its subdomains and /* at the end for everything
// below the path.
func parseURLTarget(text string) (e Entry, why string) {
	scheme, rest, ok := cutScheme(text)
	if !ok || scheme != "http" && scheme != "https" {
		return e, "a URL begins with https:// or http://"
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return e, "control characters in a URL must be written as a percent sign and two digits"
	}
	prefix, suffix := "", ""
	if after, ok := strings.CutPrefix(rest, "*."); ok {
		prefix, rest = "*.", after
	}
	if before, ok := strings.CutSuffix(rest, "/*"); ok && !strings.ContainsAny(before, "?#") {
		suffix, rest = "/*", before
	}
	u, err := ParseURL("https://" + rest)
	if err != nil {
		return e, err.Error()
	}
	path := u.pathQuery()
	if suffix != "" {
		path = strings.TrimSuffix(path, "/") + suffix
	} else if !u.HasQuery && strings.HasSuffix(path, "/*") {
		return e, "a last segment that is an escaped star cannot be told from /*"
	}
	return Entry{Scope: ScopeURL, key: prefix + u.Host + path}, badURLHost(u.Host, prefix != "")
}

// badURLHost says why host can't be listed as the host of a URL.
func badURLHost(host string, below bool) (why string) {
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		if below {
			return "an address has no subdomains"
		}
		return ""
	}
	if _, err := ParseName(host); err != nil || strings.Contains(host, "*") {
		return "the host of the URL is not a name"
	}
	return ""
}
