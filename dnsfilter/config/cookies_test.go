package config_test

import (
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
)

func TestReadCookieSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one := strings.Repeat("0f", 16)
	secrets, err := config.ReadCookieSecrets(writeFile(t, dir, "both", "# next\n"+strings.Repeat("A0", 16)+"\n\n"+one+"\n"))
	require.NoError(t, err)
	assert.Equal(t, []dnsfilter.CookieSecret{dnsfilter.CookieSecret([]byte(strings.Repeat("\xa0", 16))), dnsfilter.CookieSecret([]byte(strings.Repeat("\x0f", 16)))}, secrets)
	for text, want := range map[string]string{
		"": "there is no secret", "# none\n": "there is no secret", "abc\n": "line 1", one + "\nzz" + one[2:] + "\n": "line 2",
		strings.Repeat(one+"\n", 9): "more than 8", strings.Repeat("#\n", 3000): "too large",
	} {
		_, err := config.ReadCookieSecrets(writeFile(t, dir, "bad", text))
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "0f0f")
	}
	_, err = config.ReadCookieSecrets(filepath.Join(dir, "none"))
	assert.Error(t, err)
	_, err = config.ReadCookieSecrets(writeFile(t, dir, "bad", "abc"))
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
}

// FuzzCookieSecrets reads any text as a file of secrets.
func FuzzCookieSecrets(f *testing.F) {
	f.Add(strings.Repeat("0f", 16) + "\n# comment\n" + strings.Repeat("F0", 16))
	f.Fuzz(func(t *testing.T, text string) {
		secrets, err := config.ReadCookieSecrets(writeFile(t, t.TempDir(), "secrets", text))
		if err != nil {
			return
		}
		var again strings.Builder
		for _, s := range secrets {
			again.WriteString(hex.EncodeToString(s[:]) + "\n")
		}
		same, err := config.ReadCookieSecrets(writeFile(t, t.TempDir(), "secrets", again.String()))
		require.NoError(t, err)
		assert.Equal(t, secrets, same)
	})
}
