package origin_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

// A running origin takes a root that names a key made since, and signs with that from then on; the old key can go.
func TestRekey(t *testing.T) {
	h := newHouse(t)
	require.NoError(t, h.push(t, h.agency.Release(1, "example.org")))
	store, err := blocklist.Open(t.TempDir(), blocklist.Options{})
	require.NoError(t, err)
	defer store.Close()
	sub, err := subscribe.New(store, subscribe.Config{List: h.agency.List, Root: h.agency.Roots[0], Origins: []string{h.dir}})
	require.NoError(t, err)
	_, err = sub.Refresh(t.Context())
	require.NoError(t, err)

	public, path, err := h.Rekey(t.Context())
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(h.dir, "online-2.pub"), path)
	info, err := os.Stat(filepath.Join(h.dir, "online-2.key"))
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		assert.Equal(t, os.FileMode(0o600), info.Mode())
	}
	require.NoError(t, h.push(t, h.agency.Release(2, "example.org")), "the old root still names the old key")
	h.agency.Online, err = notekey.Parse(public)
	require.NoError(t, err)
	h.agency.Rotate()
	require.NoError(t, h.push(t, h.agency.Release(2, "example.org")))
	require.NoError(t, os.Remove(filepath.Join(h.dir, "online.key")))
	require.NoError(t, h.push(t, h.agency.Release(3, "example.org")))
	_, err = sub.Refresh(t.Context())
	require.NoError(t, err)
	assert.Equal(t, uint64(3), sub.Status().Serial)

	require.NoError(t, os.Remove(filepath.Join(h.dir, "online-2.key")))
	_, path, err = h.Rekey(t.Context())
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(h.dir, "online-2.pub"), path)
	err = h.push(t, h.agency.Release(4, "example.org"))
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.ErrorContains(t, err, "this origin has other ones")
}
