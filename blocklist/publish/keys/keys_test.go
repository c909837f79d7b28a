package keys_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/publish/keys"
	"github.com/argine-dns/argine/testdata/longtest"
)

func phrase(text string) func() (string, error) {
	return func() (string, error) { return text, nil }
}

func TestKeygenEncrypted(t *testing.T) {
	longtest.Only(t, "to encrypt with a passphrase takes a second, and so does to decrypt")
	dir := t.TempDir()
	path, publicPath := filepath.Join(dir, "anna.key"), filepath.Join(dir, "anna.pub")
	public, err := keys.Generate(path, publicPath, "anna", "correct horse")
	require.NoError(t, err)

	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(content), "BEGIN AGE ENCRYPTED FILE")
	assert.NotContains(t, string(content), "PRIVATE+KEY")
	if runtime.GOOS != "windows" {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode())
	}

	officer, err := keys.Load(path, phrase("correct horse"))
	require.NoError(t, err)
	key, err := notekey.Parse(public)
	require.NoError(t, err)
	assert.Equal(t, "anna", key.Name)
	assert.True(t, key.Public.Equal(officer.Public()))
	file, err := os.ReadFile(publicPath)
	require.NoError(t, err)
	assert.Equal(t, public+"\n", string(file))

	noTerminal := errors.New("no terminal")
	_, err = keys.Load(path, func() (string, error) { return "", noTerminal })
	assert.ErrorIs(t, err, noTerminal)
}

// The file takes little work, unlike those that Generate makes.
func TestWrongPassphrase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "anna.key")
	recipient, err := age.NewScryptRecipient("correct horse")
	require.NoError(t, err)
	recipient.SetWorkFactor(10)
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	w, err := age.Encrypt(armored, recipient)
	require.NoError(t, err)
	_, err = keys.Generate(path, path+".pub", "anna", "")
	require.NoError(t, err)
	plain, err := os.ReadFile(path)
	require.NoError(t, err)
	_, err = w.Write(plain)
	require.NoError(t, err)
	require.NoError(t, errors.Join(w.Close(), armored.Close()))
	require.NoError(t, os.WriteFile(path, out.Bytes(), 0o600))

	_, err = keys.Load(path, phrase("correct horse"))
	require.NoError(t, err)
	_, err = keys.Load(path, phrase("wrong"))
	assert.ErrorIs(t, err, keys.ErrPassphrase)
	assert.NotErrorIs(t, err, blocklist.ErrUntrusted)
}

func TestKeygenNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	private, public := filepath.Join(dir, "a.key"), filepath.Join(dir, "a.pub")
	for _, taken := range []string{private, public} {
		require.NoError(t, os.WriteFile(taken, []byte("mine"), 0o600))
		_, err := keys.Generate(private, public, "a", "")
		assert.ErrorIs(t, err, os.ErrExist)
		content, err := os.ReadFile(taken)
		require.NoError(t, err)
		assert.Equal(t, "mine", string(content))
		require.NoError(t, os.Remove(taken))
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, left, "one half of a pair is left behind")
	}
}

func TestKeygenName(t *testing.T) {
	for _, name := range []string{"", "anna b", "a+b"} {
		_, err := keys.Generate(filepath.Join(t.TempDir(), "k"), filepath.Join(t.TempDir(), "p"), name, "")
		assert.ErrorIs(t, err, blocklist.ErrMalformed, "%q", name)
	}
}

func TestLoadKeyRefuses(t *testing.T) {
	dir := t.TempDir()
	public, err := keys.Generate(filepath.Join(dir, "a.key"), filepath.Join(dir, "a.pub"), "a", "")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		content string
		want    error
	}{
		"public key": {public, blocklist.ErrMalformed},
		"empty":      {"", blocklist.ErrMalformed},
		"garbage":    {"PRIVATE+KEY+a+00000000+AAAA", blocklist.ErrMalformed},
		"huge":       {string(make([]byte, 20<<10)), blocklist.ErrTooLarge},
	} {
		path := filepath.Join(dir, "bad")
		require.NoError(t, os.WriteFile(path, []byte(c.content), 0o600))
		_, err := keys.Load(path, phrase(""))
		assert.ErrorIs(t, err, c.want, name)
	}
}

// A file that asks for an hour of scrypt is refused before that begins.
func TestLoadKeyLimitsWork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slow.key")
	const stanza = `-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBBQUFBQUFBQUFBQUFBQUFB
QUFBQUFBIDMwCkFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBCi0t
LSBBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBCg==
-----END AGE ENCRYPTED FILE-----
`
	require.NoError(t, os.WriteFile(path, []byte(stanza), 0o600))
	_, err := keys.Load(path, phrase("x"))
	require.Error(t, err)
	assert.ErrorContains(t, err, "work factor")
}

func FuzzLoadKey(f *testing.F) {
	f.Add([]byte("PRIVATE+KEY+a+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"))
	f.Add([]byte("-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n"))
	path := filepath.Join(f.TempDir(), "key")
	f.Fuzz(func(t *testing.T, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		key, err := keys.Load(path, phrase("x"))
		if err == nil {
			assert.NotNil(t, key.Public())
		}
	})
}
