package trust_test

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// utf16LE is what PowerShell's > writes.
func utf16LE(text string) string {
	b := []byte("\xff\xfe")
	for _, u := range utf16.Encode([]rune(text)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

// TestEncodings: keys and identities come as text files from people's hands, whose editors add to them.
func TestEncodings(t *testing.T) {
	identity, recipient, err := trust.NewIdentity(trust.KindX25519)
	require.NoError(t, err)
	_, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	public, err := note.NewEd25519VerifierKey("anna", private.Public().(ed25519.PublicKey))
	require.NoError(t, err)
	for what, c := range map[string]struct {
		text string
		read func(string) error
	}{
		"a public key": {public, func(s string) error { _, err := notekey.Parse(s); return err }},
		"a recipient":  {recipient, func(s string) error { _, err := trust.ParseRecipient(s); return err }},
		"an identity":  {"# made by hand\n" + identity, func(s string) error { _, err := trust.ParseIdentities([]byte(s)); return err }},
	} {
		for how, text := range map[string]string{
			"plain": c.text + "\n", "CR LF": strings.ReplaceAll(c.text, "\n", "\r\n") + "\r\n", "a byte order mark": "\ufeff" + c.text,
			"a blank behind": c.text + " \n", "blank lines around": "\n" + c.text + "\n\n",
		} {
			assert.NoError(t, c.read(text), "%s with %s", what, how)
		}
		err := c.read(utf16LE(c.text))
		assert.ErrorIs(t, err, blocklist.ErrMalformed, what)
		assert.ErrorContains(t, err, "UTF-16", what)
		assert.NotContains(t, err.Error(), identity[20:40], what)
	}
}
