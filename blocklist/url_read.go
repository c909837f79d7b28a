package blocklist

import (
	"bytes"
	"fmt"
	"strings"
)

// IsURL reports whether a text is to be read as a URL, by [ParseURL], and not as a host, by [ParseHost]: it has a
// scheme, or a path, a query or a fragment.
func IsURL(text string) bool {
	text = withoutBreaks(trimBlanks(text))
	_, rest := cutScheme(text)
	return rest != text || strings.ContainsAny(text, "/?#")
}

// CheckURL fails with [ErrMalformed] where the host that a URL leads to is unclear: there is none, or none that a
// browser takes. What is looked up and not found is free to pass only if it was checked. It costs no allocation for a
// URL of usual length.
func CheckURL(url string) error {
	var buf [1024]byte
	dst := buf[:0]
	if len(url) > cap(dst)*3/4 {
		dst = make([]byte, 0, 3*len(url)+16)
	}
	e, ok := canonicalURL(dst, url)
	// the URL standard's forbidden host code points; most are escaped by now
	if !ok || bytes.ContainsAny(e.text[:e.path], "%<>^|") {
		return fmt.Errorf("URL %q: %w: there is no host, or none that a browser would take", excerpt(url), ErrMalformed)
	}
	return nil
}

// withoutBreaks takes out tabs and line ends, which count for nothing in a URL.
func withoutBreaks(s string) string {
	if strings.ContainsAny(s, "\t\r\n") {
		return strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(s)
	}
	return s
}
