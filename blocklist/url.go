package blocklist

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

// MaxURL is the longest URL that is read, in bytes.
const MaxURL = 8 << 10

// URL is a URL in canonical form by the rules of Google Safe Browsing ("Canonicalization", v5): one spelling for every
// spelling that reaches the same page. Port, user name and fragment don't count. FORMAT.md names where it is stricter.
type URL struct {
	Scheme string // lower case; http where the text had none
	// lower case, A-labels, dotted decimal or bracketed address, percent-escapes where a name has odd octets
	Host     string
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

// ParseURL canonicalises a URL. It takes what browsers take: missing schemes, tabs and line ends inside, backslashes
// for slashes, any mix of escapes. It fails with [ErrMalformed] where there is no host, and with [ErrTooLarge] where
// the text or its canonical form exceeds [MaxURL].
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

// expression is a canonical URL without its scheme, as url entries have it.
type expression struct {
	scheme string     // in any case
	text   []byte     // host, path, and a question mark with the query where there is one
	addr   netip.Addr // the host, if it is an address
	path   int        // where the path begins
	query  int        // where the question mark stands: the end of the text if there is none
}

// canonicalURL appends the canonical expression of a URL to dst, in linear time. It returns false if the URL has no host.
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

// trimBlanks cuts off spaces and control characters at both ends.
func trimBlanks(s string) string {
	for s != "" && s[0] <= ' ' {
		s = s[1:]
	}
	for s != "" && s[len(s)-1] <= ' ' {
		s = s[:len(s)-1]
	}
	return s
}

// cutScheme splits off a scheme and the slashes behind it. As in browsers, http and https need none and take any
// number.
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

// cleanPath resolves dot segments and runs of slashes in a path that begins with a slash, in place, and returns its new
// length. A backslash counts as a slash, as in browsers.
func cleanPath(p []byte) int {
	if bytes.IndexByte(p, '\\') < 0 && !bytes.Contains(p, []byte("//")) && !bytes.Contains(p, []byte("/.")) {
		return len(p)
	}
	done, open := 0, false // p[:done] is clean and has no slash at its end; open: one belongs there
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

// nextSegment skips the slashes at i. It returns the segment of the path up to the next slash, and its end.
func nextSegment(p []byte, i int) (segment []byte, next int) {
	for i < len(p) && isSlash(p[i]) {
		i++
	}
	for next = i; next < len(p) && !isSlash(p[next]); {
		next++
	}
	return p[i:next], next
}

// appendUnescaped appends s without its percent-escapes, and without those that then appear. No two escapes overlap, so
// one pass that looks back gives what repeated passes give, in linear time.
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

// escape percent-encodes, from start on, all octets that a canonical URL must not contain, and those of also.
func escape(b []byte, start int, also string) []byte {
	const hex = "0123456789ABCDEF"
	odd := 0
	for _, c := range b[start:] {
		if never(c) {
			odd++
		}
	}
	for i := range len(also) {
		odd += bytes.Count(b[start:], []byte{also[i]})
	}
	from := len(b) - 1
	b = slices.Grow(b, 2*odd)[:len(b)+2*odd]
	for to := len(b) - 1; to > from; from-- { // from the end, so that nothing is overwritten before it is read
		c := b[from]
		if !never(c) && strings.IndexByte(also, c) < 0 {
			b[to] = c
			to--
			continue
		}
		b[to-2], b[to-1], b[to] = '%', hex[c>>4], hex[c&15]
		to -= 3
	}
	return b
}

// never reports whether c is percent-encoded in every part of a canonical URL.
func never(c byte) bool { return c <= ' ' || c >= 0x7f || c == '#' || c == '%' }

// anyOrder at the end of a url entry lets the parts of its query come in any order. No canonical URL holds a number
// sign.
const anyOrder = "#any-order"

// parseURLTarget reads https://host/path, with *. before the host for its subdomains, and at the end /* for everything
// below the path, or #any-order behind a query.
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

// cutMark cuts the mark of coverage, such as /*, off the end of a URL.
func cutMark(s string) (rest, mark string) {
	if before, ok := strings.CutSuffix(s, "/*"); ok && !strings.ContainsAny(before, "?#") {
		return before, "/*"
	}
	if before, ok := strings.CutSuffix(s, anyOrder); ok {
		return before, anyOrder
	}
	return s, ""
}

// marked returns path and query followed by the mark, as an entry line has them.
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

// sortedQuery returns the query that stands for all orders of its parts.
func sortedQuery(query string) string {
	parts := strings.Split(query, "&")
	slices.Sort(parts)
	return strings.Join(parts, "&")
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
