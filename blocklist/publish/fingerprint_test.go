package publish_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/keys"
)

func TestFingerprint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, public := filepath.Join(dir, "isp.age"), filepath.Join(dir, "isp.pub")
	recipient, err := keys.GenerateIdentity(path, public, "hybrid")
	require.NoError(t, err)
	assert.Regexp(t, "^([0-9a-f]{4} ){5}[0-9a-f]{4}$", fingerprint(t, recipient))
	assert.Equal(t, fingerprint(t, recipient), fingerprint(t, "# of an ISP\n"+recipient+"\n"))

	officer, _ := newOfficer(t, "carla")
	same := strings.Replace(officer, "carla", "dora", 1) // has another hash of name and key
	_, err = publish.Fingerprint([]byte(same))
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
	assert.NotEqual(t, fingerprint(t, officer), fingerprint(t, recipient))

	a := initAgency(t)
	p, err := a.Pending()
	require.NoError(t, err)
	a.sign(t, a.anna, a.bruno)
	root, err := os.ReadFile(filepath.Join(a.dir, "root.json"))
	require.NoError(t, err)
	assert.Equal(t, p.Fingerprint, fingerprint(t, string(root)), "signatures don't change it")

	for _, text := range []string{recipient, officer, string(root)} { // an editor has put a byte order mark in front
		assert.Equal(t, fingerprint(t, text), fingerprint(t, "\ufeff"+text))
	}
	identity, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, bad := range []string{"", "{}", "age1", string(identity), "PRIVATE+KEY+anna+1+A"} {
		_, err := publish.Fingerprint([]byte(bad))
		assert.ErrorIs(t, err, blocklist.ErrMalformed, bad)
	}
	_, err = publish.Fingerprint(identity)
	assert.ErrorContains(t, err, "this is a private key")
}
