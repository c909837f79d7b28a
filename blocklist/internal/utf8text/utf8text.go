// Package utf8text handles text from outside. [Decode] decodes small text files that people edited: editors and shells
// on Windows write a byte order mark (BOM), or UTF-16 in place of UTF-8. [IsLine] and [Unsafe] check text, and [Plain]
// makes it safe for logs and terminals.
package utf8text

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/argine-dns/argine/blocklist"
)

// Decode returns the text without its byte order mark, if it has one. It fails with [blocklist.ErrMalformed] for
// UTF-16, with or without a mark, and for binary data. The error names UTF-16, because a file in UTF-16 looks right in
// an editor.
func Decode(b []byte) ([]byte, error) {
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) ||
		bytes.IndexByte(b[:min(len(b), 64)], 0) >= 0 {
		return nil, fmt.Errorf("%w: it is UTF-16 or binary; save it as UTF-8 (in PowerShell: Out-File -Encoding utf8)",
			blocklist.ErrMalformed)
	}
	return bytes.TrimPrefix(b, []byte("\ufeff")), nil
}

// maxPlain is the maximum length of a text, in bytes. [Plain] cuts a longer one, and appends three dots.
const maxPlain = 400

// Plain makes an error text that may contain outside input safe for logs and terminals: it replaces characters that are
// not printable and limits the length.
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

// IsLine reports whether a text is one line of UTF-8 without control characters, and has at most limit bytes.
func IsLine(text string, limit int) bool {
	return len(text) <= limit && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// Unsafe reports whether a terminal would interpret a character rather than show it: a control character, a character
// that changes the writing direction, or the replacement for invalid UTF-8.
func Unsafe(r rune) bool {
	return r == unicode.ReplacementChar || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
}
