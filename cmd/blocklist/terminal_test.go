package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What comes from a ledger, a file or a server must not command the terminal of anyone who reads it.
func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"plain text, with\ttabs\nand lines": "plain text, with\ttabs\nand lines",
		"è, ü and 名":                        "è, ü and 名",
		"sign this? \x1b[8m":                `sign this? \x1b[8m`,
		"a\rb\x00c\x7f":                     `a\rb\x00c\x7f`,
		"\u009b2J":                          `\u009b2J`,
		"\x9b2J":                            "\ufffd2J",
		"moc.\u202etset":                    `moc.\u202etset`,
	} {
		assert.Equal(t, want, visible(text))
		var b strings.Builder
		_, err := visibleWriter{&b}.Write([]byte(text))
		require.NoError(t, err)
		assert.Equal(t, want, b.String())
	}
}
