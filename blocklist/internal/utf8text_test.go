package internal_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

func TestDecode(t *testing.T) {
	for text, want := range map[string]string{
		"key\n": "key\n", "\ufeffkey\r\n": "key\r\n", "": "", "\ufeff": "", "a\r\nb": "a\r\nb", "key\ufeff": "key\ufeff",
	} {
		got, err := utf8text.Decode([]byte(text))
		require.NoError(t, err, text)
		assert.Equal(t, want, string(got), text)
	}
	for _, text := range []string{"\xff\xfek\x00e\x00", "\xfe\xff\x00k\x00e", "k\x00e\x00y\x00", "\xff\xfe"} {
		_, err := utf8text.Decode([]byte(text))
		assert.ErrorIs(t, err, blocklist.ErrMalformed, "%q", text)
		assert.ErrorContains(t, err, "UTF-16", "%q", text)
	}
}

func TestIsLine(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "order 17": true, "città": true, "12345678": true, "123456789": false, "a\nb": false, "a\x1b[2J": false,
		"a\u0085": false, "\xff": false,
	} {
		assert.Equal(t, want, utf8text.IsLine(text, 8), "%q", text)
	}
}
