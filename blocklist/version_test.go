package blocklist_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	seen := map[string]bool{}
	changed := func(what string) {
		t.Helper()
		v := s.Version()
		assert.Regexp(t, "^[0-9a-f]{24}$", v)
		assert.False(t, seen[v], what)
		seen[v] = true
	}
	changed("nothing held")
	require.NoError(t, apply(s, snapshot(t, 1, "example.org")))
	changed("a release")
	require.NoError(t, apply(s, snapshot(t, 2, "example.org")))
	changed("a release of the same entries")
	require.NoError(t, apply(s, release(t, header(3, 2, "example.com", "example.org"), "+example.com")))
	changed("a delta")
	alone := s.Version()
	blocktest.SetList(t, s, "local", "a.test")
	changed("a local list")
	blocktest.SetList(t, s, "local", "b.test")
	changed("other entries in it")
	blocktest.SetList(t, s, "local", "b.test status=monitor")
	changed("other attributes")

	same := s.Version()
	beside, err := blocklist.Open(dir, blocklist.Options{ReadOnly: true})
	require.NoError(t, err)
	assert.Equal(t, same, beside.Version())
	require.NoError(t, s.Close())
	s = openStore(t, dir)
	assert.Equal(t, same, s.Version(), "after a restart")
	require.NoError(t, s.Drop("local"))
	assert.Equal(t, alone, s.Version(), "the same lists once more")
}

func TestVersionOfSets(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "set")
	version := func(line string) string {
		require.NoError(t, blocklist.BuildSet(path, "local", blocktest.Entries(line)))
		s, err := blocklist.OpenSet(path)
		require.NoError(t, err)
		return s.Version()
	}
	assert.NotEqual(t, version("example.org"), version("example.com"))
}
