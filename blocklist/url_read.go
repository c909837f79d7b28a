package blocklist

import (
	"bytes"
	"fmt"
	"strings"
)

// IsURL reports whether a text is to be parsed as a URL ([ParseURL]) rather than as a host ([ParseHost]): it has a
// scheme, a path, a query or a fragment.
func IsURL(text string) bool {
	text = withoutBreaks(trimBlanks(text))
	_, rest := cutScheme(text)
	return rest != text || strings.ContainsAny(text, "/?#")
}

// CheckURL returns an error that wraps [ErrMalformed] if a URL has no host, or a host that browsers refuse. A program
// that lets unlisted URLs pass must check them, too. CheckURL does not allocate for a URL of usual length.
func CheckURL(url string) error {
	var buf [1024]byte
	dst := buf[:0]
	if len(url) > cap(dst)*3/4 {
		dst = make([]byte, 0, 3*len(url)+16)
	}
	e, ok := canonicalURL(dst, url)
	// the forbidden host code points of the URL standard that are not escaped at this point
	if !ok || bytes.ContainsAny(e.text[:e.path], "%<>^|") {
		return fmt.Errorf("URL %q: %w: there is no host, or none that a browser would take", excerpt(url), ErrMalformed)
	}
	return nil
}

// withoutBreaks removes tabs and line ends, which URLs ignore.
func withoutBreaks(s string) string {
	if strings.ContainsAny(s, "\t\r\n") {
		return strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(s)
	}
	return s
}
