// Package utf8text reads small text files from people's hands: editors and shells on Windows write a byte order mark
// (BOM), or UTF-16, where plain UTF-8 is meant. [Plain] is the way back: text from outside, made fit for logs and
// terminals.
package utf8text

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/argine-dns/argine/blocklist"
)

// Decode returns the text without a byte order mark. It fails with [blocklist.ErrMalformed] for UTF-16, with or
// without a mark, and says so: such a file looks right in every editor.
func Decode(b []byte) ([]byte, error) {
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) ||
		bytes.IndexByte(b[:min(len(b), 64)], 0) >= 0 {
		return nil, fmt.Errorf("%w: it is UTF-16 or binary; save it as UTF-8 (in PowerShell: Out-File -Encoding utf8)",
			blocklist.ErrMalformed)
	}
	return bytes.TrimPrefix(b, []byte("\ufeff")), nil
}

// maxPlain is how much of a text from outside goes into an error.
const maxPlain = 400

// Plain makes the text of an error fit for logs and terminals where other libraries have put into it what came from
// outside: no control characters, a limited length.
func Plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, text)
	if len(text) > maxPlain {
		return strings.ToValidUTF8(text[:maxPlain], "") + "..."
	}
	return text
}

// Unsafe reports whether a terminal would obey a character in place of showing it: a control character, one that
// changes the direction of writing, or what stands for octets that are no UTF-8.
func Unsafe(r rune) bool {
	return r == unicode.ReplacementChar || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
}
