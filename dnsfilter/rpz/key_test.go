package rpz_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/rpz"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	keys, err := rpz.ParseKeys("\ufeff// two\n" + keyText + "/* the\nnext */ key next { secret \"bmV4dCBuZXh0IG5leHQ=\"; # after the other\nalgorithm HMAC-SHA512; };\r\n")
	require.NoError(t, err)
	require.Len(t, keys, 2)
	assert.Equal(t, "transfer.example", keys[0].Name())
	assert.Equal(t, "next", keys[1].Name())

	for text, want := range map[string]string{
		"":                            "no key in it",
		"# nothing":                   "no key in it",
		"zone \"a\" {};":              "a file of at most 16 keys",
		"key \"a..b\" {":              "needs a name",
		"key \"a\" ":                  "{ is needed",
		"key \"a\" { };":              "needs an algorithm and a secret",
		"key \"a\" {\n algorithm x; ": "line 2: malformed: an algorithm is",
		"key a { algorithm hmac-md5;": "an algorithm is",
		"key a { algorithm hmac-sha256; secret \"c2hvcnQ=\"; };":           "at least 8 bytes",
		"key a { algorithm hmac-sha256; secret \"not base64, secret\"; };": "in base64",
		"key a { algorithm hmac-sha256; secret \"c2VjcmV0\n\"; };":         "in base64",
		keyText + keyText: "the same name",
		"key a { algorithm hmac-sha256; secret \"c2VjcmV0IHNlY3JldA==\"; }": "a semicolon",
		"key a { /* algorithm hmac-sha256;":                                 "each with a semicolon",
	} {
		_, err := rpz.ParseKeys(text)
		require.ErrorIs(t, err, blocklist.ErrMalformed, text)
		assert.ErrorContains(t, err, want, text)
		assert.NotContains(t, err.Error(), "not base64")
	}
}

func TestKeysOfKeygen(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"-a", "hmac-sha512", "transfer.example"}, {"-a", "hmac-sha1", "one"}} {
		out, err := exec.CommandContext(t.Context(), "tsig-keygen", args...).Output()
		if err != nil {
			t.Skipf("tsig-keygen is not here: %v", err)
		}
		path := filepath.Join(t.TempDir(), "transfer.key")
		require.NoError(t, os.WriteFile(path, out, 0o600))
		keys, err := rpz.ReadKeys(path)
		require.NoError(t, err, string(out))
		assert.Len(t, keys, 1)
	}
	_, err := rpz.ReadKeys(filepath.Join(t.TempDir(), "none"))
	assert.ErrorContains(t, err, "reading TSIG keys")
}

func FuzzKeys(f *testing.F) {
	f.Add(keyText)
	f.Add("/* */ key a{secret c2VjcmV0IHNlY3JldA==;algorithm hmac-sha1;};//")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := rpz.ParseKeys(text)
		if err != nil {
			assert.Empty(t, keys)
			return
		}
		for _, k := range keys {
			assert.NotEmpty(t, strings.TrimSpace(k.Name()))
		}
	})
}
