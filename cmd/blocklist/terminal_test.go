package main

import (
	"encoding/json"
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
		"a\u2028b\u200bc":                   `a\u2028b\u200bc`,
	} {
		assert.Equal(t, want, visible(text))
		var b strings.Builder
		_, err := visibleWriter{&b}.Write([]byte(text))
		require.NoError(t, err)
		assert.Equal(t, want, b.String())
	}
}

// JSON keeps its values, and shows them.
func TestVisibleJSON(t *testing.T) {
	var b strings.Builder
	a := &app{stdout: &b}
	const text = "a\u009bb\u202ec\u200bd\x1b\n"
	require.NoError(t, a.printJSON(map[string]string{"reason": text}))
	assert.NotContains(t, b.String(), "\u202e")
	assert.Contains(t, b.String(), `a\u009bb\u202ec\u200bd\u001b\n`)
	var back map[string]string
	require.NoError(t, json.Unmarshal([]byte(b.String()), &back))
	assert.Equal(t, text, back["reason"])
}

// Of an endless text the beginning is shown, and how much there is.
func TestShortened(t *testing.T) {
	assert.Equal(t, "short", shortened("short", 10))
	assert.Equal(t, "aaaa... (9,996 more bytes)", shortened(strings.Repeat("a", 10_000), 4))
	assert.Equal(t, "è... (4 more bytes)", shortened("èèè", 3))
}

// A question takes yes and no in English and Italian, in any case. After anything else, it is asked again.
func TestAsk(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{
		"y": true, "YES": true, "s": true, "Sì": true, "si'": true, " si ": true, "": false, "n": false, "no": false, "yesterday": false,
		"yesterday\nsi": true, "what?\nif I must\nNO\nyes": false,
	} {
		var asked strings.Builder
		yes, err := (&app{stdin: strings.NewReader(answer + "\n"), stderr: &asked}).ask("really?")
		require.NoError(t, err)
		assert.Equal(t, want, yes, answer)
		assert.Equal(t, strings.Contains(answer, "y\n") || strings.Contains(answer, "?\n") || answer == "yesterday",
			strings.Contains(asked.String(), "yes or no?"), answer)
	}
}
