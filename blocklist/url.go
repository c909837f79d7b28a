package blocklist

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

// MaxURL is the maximum length of a URL, in bytes.
const MaxURL = 8 << 10

// URL is a URL in the canonical form of Google Safe Browsing ("Canonicalization", v5): all spellings that lead to the
// same page become one. Port, user name and fragment are removed. FORMAT.md lists the cases in which this form is
// stricter.
type URL struct {
	Scheme string // lower case; http if the text has none
	// Host is in lower case, with A-labels. An address is in dotted decimal form or in brackets. Unusual bytes are
	// percent-encoded.
	Host     string
	Path     string // begins with a slash
	Query    string // without the question mark
	HasQuery bool   // whether there is a question mark, even if nothing follows it
}

// String returns the canonical form.
func (u URL) String() string { return u.Scheme + "://" + u.Host + u.pathQuery() }

func (u URL) pathQuery() string {
	if u.HasQuery {
		return u.Path + "?" + u.Query
	}
	return u.Path
}

// ParseURL canonicalises a URL. Like browsers, it accepts a missing scheme, tabs and line ends within the text,
// backslashes instead of slashes, and multiple levels of escapes. It fails with [ErrMalformed] if there is no host, and
// with [ErrTooLarge] if the text or its canonical form is longer than [MaxURL].
func ParseURL(raw string) (URL, error) {
	if len(raw) > MaxURL {
		return URL{}, fmt.Errorf("URL %q: %w", excerpt(raw), ErrTooLarge)
	}
	c, ok := canonicalURL(make([]byte, 0, len(raw)+16), raw)
	if !ok {
		return URL{}, fmt.Errorf("URL %q: %w: there is no host, or none that a browser would take", excerpt(raw),
			ErrMalformed)
	}
	u := URL{Scheme: strings.ToLower(c.scheme)}
	if len(u.Scheme)+len("://")+len(c.text) > MaxURL {
		return URL{}, fmt.Errorf("URL %q: canonical form: %w", excerpt(raw), ErrTooLarge)
	}
	text := string(c.text)
	u.Host, u.Path = text[:c.path], text[c.path:c.query]
	if u.HasQuery = c.query < len(text); u.HasQuery {
		u.Query = text[c.query+1:]
	}
	return u, nil
}

// expression is a canonical URL without its scheme, in the form of url entries.
type expression struct {
	scheme string     // as given, in upper or lower case
	text   []byte     // host and path, then, if there is a query, a question mark and the query
	addr   netip.Addr // valid if the host is an address
	path   int        // offset of the path
	query  int        // offset of the question mark, or the length of the text
}

// canonicalURL appends the canonical expression of a URL to dst. It returns false if the URL has no host. The time is
// linear.
func canonicalURL(dst []byte, raw string) (e expression, ok bool) {
	text := withoutBreaks(trimBlanks(raw))
	text, _, _ = strings.Cut(text, "#")
	e.scheme, text = cutScheme(text)
	text, query, hasQuery := strings.Cut(text, "?")
	authority, path := text, "/"
	if i := strings.IndexAny(text, `/\`); i >= 0 {
		authority, path = text[:i], text[i:]
	}
	if dst, e.addr = appendHost(dst, authority); len(dst) == 0 {
		return e, false
	}
	e.path = len(dst)
	dst = appendUnescaped(dst, path)
	dst = escape(dst[:e.path+cleanPath(dst[e.path:])], e.path, "?")
	e.query = len(dst)
	if hasQuery {
		dst = escape(appendUnescaped(append(dst, '?'), query), e.query+1, "")
	}
	e.text = dst
	return e, true
}

// trimBlanks removes spaces and control characters at both ends.
func trimBlanks(s string) string {
	for s != "" && s[0] <= ' ' {
		s = s[1:]
	}
	for s != "" && s[len(s)-1] <= ' ' {
		s = s[:len(s)-1]
	}
	return s
}

// cutScheme splits off a scheme and the slashes after it. As in browsers, http and https may have any number of
// slashes.
func cutScheme(s string) (scheme, rest string) {
	i := strings.IndexByte(s, ':')
	if i < 0 || !isScheme(s[:i]) {
		return "http", s
	}
	scheme, rest = s[:i], s[i+1:]
	switch {
	case strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"):
		return scheme, strings.TrimLeft(rest, `/\`)
	case len(rest) < 2 || !isSlash(rest[0]) || !isSlash(rest[1]):
		return "http", s
	}
	return scheme, rest[2:]
}

func isScheme(s string) bool {
	for i := range len(s) {
		if c := lower(s[i]); (c < 'a' || c > 'z') && (i == 0 || strings.IndexByte("0123456789+-.", c) < 0) {
			return false
		}
	}
	return s != ""
}

func isSlash(c byte) bool { return c == '/' || c == '\\' }

// cleanPath removes dot segments and repeated slashes from a path, in place, and returns the new length. The path
// begins with a slash. As in browsers, backslashes are slashes.
func cleanPath(p []byte) int {
	if bytes.IndexByte(p, '\\') < 0 && !bytes.Contains(p, []byte("//")) && !bytes.Contains(p, []byte("/.")) {
		return len(p)
	}
	done, open := 0, false // p[:done] is clean, without a slash at its end; open: a slash follows
	for next := 0; next < len(p); {
		var segment []byte
		segment, next = nextSegment(p, next)
		switch string(segment) {
		case "", ".":
			open = true
		case "..":
			done, open = max(bytes.LastIndexByte(p[:done], '/'), 0), true
		default:
			p[done] = '/'
			done += 1 + copy(p[done+1:], segment)
			open = false
		}
	}
	if open || done == 0 {
		p[done] = '/'
		done++
	}
	return done
}

// nextSegment skips the slashes at i. It returns the next segment of the path and its end.
func nextSegment(p []byte, i int) (segment []byte, next int) {
	for i < len(p) && isSlash(p[i]) {
		i++
	}
	for next = i; next < len(p) && !isSlash(p[next]); {
		next++
	}
	return p[i:next], next
}

// appendUnescaped appends s with its percent-encoding decoded. If decoding yields another escape, that is decoded, too.
// One pass that looks back is enough, since escapes do not overlap. So the time is linear in the length of s.
func appendUnescaped(dst []byte, s string) []byte {
	start := len(dst)
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return append(dst, s...)
	}
	dst = append(dst, s[:i]...)
	for ; i < len(s); i++ {
		dst = append(dst, s[i])
		for n := len(dst); n >= start+3 && dst[n-3] == '%'; n = len(dst) {
			hi, lo := unhex(dst[n-2]), unhex(dst[n-1])
			if hi > 15 || lo > 15 {
				break
			}
			dst = append(dst[:n-3], hi<<4|lo)
		}
	}
	return dst
}

// unhex returns the value of a hexadecimal digit, or 255 for other bytes.
func unhex(c byte) byte {
	switch c = lower(c); {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

// escape percent-encodes bytes of b, from the offset in the argument start on: those that must be encoded in all parts
// of a canonical URL, and those in extra.
func escape(b []byte, start int, extra string) []byte {
	const hex = "0123456789ABCDEF"
	odd := 0
	for _, c := range b[start:] {
		if never(c) {
			odd++
		}
	}
	for i := range len(extra) {
		odd += bytes.Count(b[start:], []byte{extra[i]})
	}
	from := len(b) - 1
	b = slices.Grow(b, 2*odd)[:len(b)+2*odd]
	for to := len(b) - 1; to > from; from-- { // from the end, so that bytes are read before they are overwritten
		c := b[from]
		if !never(c) && strings.IndexByte(extra, c) < 0 {
			b[to] = c
			to--
			continue
		}
		b[to-2], b[to-1], b[to] = '%', hex[c>>4], hex[c&15]
		to -= 3
	}
	return b
}

// never reports whether c must be percent-encoded in all parts of a canonical URL.
func never(c byte) bool { return c <= ' ' || c >= 0x7f || c == '#' || c == '%' }

// anyOrder is the suffix of a url entry that matches the parts of its query in any order. A canonical URL has no number
// sign.
const anyOrder = "#any-order"

// parseURLTarget parses the target of a url entry: https://host/path. The host may begin with *. for its subdomains.
// The end may be /*, for everything below the path, or #any-order after a query.
func parseURLTarget(text string) (e Entry, why string) {
	scheme, rest := cutScheme(text)
	if rest == text || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return e, "a URL begins with https:// or http://"
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return e, "control characters in a URL must be written as a percent sign and two digits"
	}
	rest, below := strings.CutPrefix(rest, "*.")
	rest, mark := cutMark(rest)
	if _, fragment, _ := strings.Cut(rest, "#"); fragment != "" {
		return e, "what follows # never leaves the browser, so it can't be listed; without it the entry covers the whole page"
	}
	u, err := ParseURL("https://" + rest)
	if err != nil {
		return e, err.Error()
	}
	key, why := u.marked(mark)
	if why != "" {
		return e, why
	}
	key = u.Host + key
	if below {
		key = "*." + key
	}
	return Entry{Scope: ScopeURL, key: key}, badURLHost(u.Host, below)
}

// cutMark splits a mark such as /* off the end of a URL.
func cutMark(s string) (rest, mark string) {
	if before, ok := strings.CutSuffix(s, "/*"); ok && !strings.ContainsAny(before, "?#") {
		return before, "/*"
	}
	if before, ok := strings.CutSuffix(s, anyOrder); ok {
		return before, anyOrder
	}
	return s, ""
}

// marked returns path and query with the mark, as in an entry line. If they can't have the mark, it returns the
// reason.
func (u URL) marked(mark string) (text, why string) {
	switch {
	case mark == "/*":
		return strings.TrimSuffix(u.Path, "/") + mark, ""
	case mark == anyOrder && !u.HasQuery:
		return "", anyOrder + " needs a query in front of it"
	case mark == anyOrder && strings.Contains(u.Query, "&"):
		return u.Path + "?" + sortedQuery(u.Query) + mark, ""
	case !u.HasQuery && strings.HasSuffix(u.Path, "/*"):
		return "", "a last segment that is an escaped star cannot be told from /*"
	}
	return u.pathQuery(), ""
}

// sortedQuery returns the query with its parts sorted. The result is the same for every order of the parts.
func sortedQuery(query string) string {
	parts := strings.Split(query, "&")
	slices.Sort(parts)
	return strings.Join(parts, "&")
}

// badURLHost returns why a host can't be the host of a url entry, or an empty string. The argument below is true if the
// entry is for the host's subdomains.
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
