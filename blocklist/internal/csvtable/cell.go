package csvtable

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Cell puts an apostrophe before a text that a spreadsheet would read as a formula. In countries with a decimal comma,
// spreadsheets split cells at semicolons, so each part is checked.
func Cell(text string) string {
	parts := strings.Split(text, ";")
	for i, part := range parts {
		first, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(part, unicode.IsSpace))
		if strings.ContainsRune("=+-@\uff1d\uff0b\uff0d\uff20", first) {
			parts[i] = "'" + part
		}
	}
	return strings.Join(parts, ";")
}
