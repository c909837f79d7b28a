package blocklist_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
)

func buildSet(t testing.TB, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list.set")
	require.NoError(t, blocklist.BuildSet(path, csam, blocktest.Entries(lines...)))
	return path
}

func TestSet(t *testing.T) {
	path := buildSet(t, "example.org category=csam ref=2026/17", "=host.test status=monitor", "https://site.test/a/*", "192.0.2.0/24", "old.test expires=2020-01-01",
		"twice.test status=monitor", "twice.test")
	s, err := blocklist.OpenSet(path)
	require.NoError(t, err)
	assert.Equal(t, blocklist.Header{List: csam, Entries: 6}, s.Info().Header)

	m, ok := s.LookupHost("www.Example.org.")
	require.True(t, ok)
	assert.Equal(t, []string{csam, "example.org", "csam", "2026/17"}, []string{m.List, m.Entry(), m.Category, m.Reference})
	m, ok = s.LookupHost("host.test")
	assert.True(t, ok && m.Monitor)
	m, ok = s.LookupHost("twice.test")
	assert.True(t, ok && !m.Monitor, "the stronger of two stays")
	m, ok = s.LookupURL("http://SITE.test:8080/a/./b?c")
	require.True(t, ok)
	assert.Equal(t, "https://site.test/a/*", m.Entry())
	m, ok = s.LookupAddr(netip.MustParseAddr("192.0.2.7"))
	require.True(t, ok)
	assert.Equal(t, "192.0.2.0/24", m.Entry())
	for _, host := range []string{"org", "a.host.test", "site.test", "old.test", ""} {
		_, ok := s.LookupHost(host)
		assert.False(t, ok, host)
	}
}

// TestSetOfMany has more entries than are handed over at once, each twice, the stronger of both before the weaker.
func TestSetOfMany(t *testing.T) {
	const n = 3000
	var lines []string
	for _, status := range []string{"", " status=monitor"} {
		for i := range n {
			lines = append(lines, fmt.Sprintf("host-%d.example%s", i, status))
		}
	}
	path := buildSet(t, lines...)
	s, err := blocklist.OpenSet(path)
	require.NoError(t, err)
	assert.EqualValues(t, n, s.Info().Entries)
	for i := range n {
		m, ok := s.LookupHost(fmt.Sprintf("host-%d.example", i))
		require.True(t, ok && !m.Monitor, i)
	}
	require.ErrorIs(t, blocklist.BuildSet(path, csam, blocktest.Entries(append(lines, "*.example.org")...)), blocklist.ErrMalformed)
}

func TestSetIsReplacedInOneStep(t *testing.T) {
	path := buildSet(t, "example.org")
	old, err := blocklist.OpenSet(path)
	require.NoError(t, err)
	require.NoError(t, blocklist.BuildSet(path, csam, blocktest.Entries("example.com")))
	_, ok := old.LookupHost("example.org")
	assert.True(t, ok, "what is open stays as it was")

	require.ErrorIs(t, blocklist.BuildSet(path, csam, blocktest.Entries("example.net", "*.example.org")), blocklist.ErrMalformed)
	require.Error(t, blocklist.BuildSet(path, "Not A List", blocktest.Entries()))
	s, err := blocklist.OpenSet(path)
	require.NoError(t, err)
	_, ok = s.LookupHost("example.com")
	assert.True(t, ok, "after an error the old file is there")
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, files, 1)
}

func TestEmptySet(t *testing.T) {
	s, err := blocklist.OpenSet(buildSet(t))
	require.NoError(t, err)
	_, ok := s.LookupURL("https://example.org/")
	assert.False(t, ok)
}

func opened(path string) error {
	_, err := blocklist.OpenSet(path)
	return err
}

func TestSetThatIsNone(t *testing.T) {
	path := buildSet(t, "example.org")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	refused := func(b []byte) {
		t.Helper()
		require.NoError(t, os.WriteFile(path, b, 0o600))
		require.ErrorIs(t, opened(path), blocklist.ErrDamaged)
	}
	refused(nil)
	refused([]byte("example.org\n"))
	require.ErrorIs(t, opened(path), blocklist.ErrMalformed)
	refused(whole[:len(whole)-1])
	require.NotErrorIs(t, opened(path), blocklist.ErrMalformed)
	refused(append(slices.Clip(whole), 0))
	for range 50 {
		b := append([]byte(nil), whole...)
		b[rand.IntN(len(b))] ^= 1 << rand.IntN(8)
		refused(b)
	}
	_, err = blocklist.OpenSet(path + ".none")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A set finds what a store finds.
func TestSetAgreesWithStore(t *testing.T) {
	var lines []string
	for i := range 3000 {
		lines = append(lines, fmt.Sprintf("%d.example ref=%d", i*2, i%7), fmt.Sprintf("https://%d.test/a?b=%d", i, i))
	}
	s, err := blocklist.OpenSet(buildSet(t, lines...))
	require.NoError(t, err)
	store := blocktest.NewStore(t)
	blocktest.SetList(t, store, csam, lines...)
	hits := 0
	for i := range 7000 {
		for _, url := range []string{fmt.Sprintf("http://www.%d.example/", i), fmt.Sprintf("http://%d.test/a?b=%d", i, i)} {
			got, ok := s.LookupURL(url)
			want, listed := store.LookupURL(url)
			require.Equal(t, listed, ok, url)
			require.Equal(t, want, got)
			if ok {
				hits++
			}
		}
	}
	assert.Equal(t, 6000, hits)
}

// TestEntriesOfNoConstructor: Scope is a field, so an entry may say one thing and hold another; such a one lists
// nothing and must not count.
func TestEntriesOfNoConstructor(t *testing.T) {
	s := openStore(t, t.TempDir())
	blocktest.SetList(t, s, "local", "example.org")
	domain, page, prefix := entry(t, "example.com"), entry(t, "https://example.com/a"), entry(t, "192.0.2.0/24")
	for from, e := range map[string]blocklist.Entry{"domain": domain, "url": page, "ip": prefix, "none": {}} {
		for scope := range blocklist.ScopeIP + 2 {
			switch {
			case e.Scope == scope && from != "none", from == "domain" && scope == blocklist.ScopeHost:
				continue // what it is
			case from == "ip" && scope == blocklist.ScopeURL:
				continue // 192.0.2.0/24 is the path /24 on a host, too
			}
			wrong := e
			wrong.Scope = scope
			err := s.SetLocal("local", "", values([]blocklist.Entry{entry(t, "example.net"), wrong}))
			assert.ErrorIs(t, err, blocklist.ErrMalformed, "%s as %s", from, scope)
		}
	}
	_, ok := s.LookupHost("example.org")
	assert.True(t, ok, "the list stays as it was")
}

func TestSetLocalOfNothing(t *testing.T) {
	s := openStore(t, t.TempDir())
	require.NoError(t, s.SetLocal("local", "", values(nil)))
	require.ErrorIs(t, s.SetLocal("local", "", nil), blocklist.ErrMalformed)
	require.ErrorIs(t, blocklist.BuildSet(filepath.Join(t.TempDir(), "set"), csam, nil), blocklist.ErrMalformed)
	info, ok := s.List("local")
	assert.True(t, ok && info.Entries == 0)
}

func TestChangesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	require.NoError(t, apply(s, snapshot(t, 1, "example.org")))
	assert.ErrorIs(t, s.SetLocal(csam, "", values(nil)), blocklist.ErrSigned)
	beside, err := blocklist.Open(dir, blocklist.Options{ReadOnly: true})
	require.NoError(t, err)
	assert.ErrorIs(t, beside.SetLocal("local", "", values(nil)), blocklist.ErrReadOnly)
	_, err = blocklist.Open(dir, blocklist.Options{})
	assert.ErrorIs(t, err, blocklist.ErrBusy)
}

// The same entries give the same bytes, in files that are embedded in programs, and different lists different salts.
func TestSetIsReproducible(t *testing.T) {
	var lines []string
	for i := range 3000 {
		lines = append(lines, fmt.Sprintf("%d.example ref=%d", i, i%7), fmt.Sprintf("https://%d.test/a?b=%d", i%100, i))
	}
	first, err := os.ReadFile(buildSet(t, lines...))
	require.NoError(t, err)
	second, err := os.ReadFile(buildSet(t, lines...))
	require.NoError(t, err)
	assert.True(t, slices.Equal(first, second))
	path := filepath.Join(t.TempDir(), "other.set")
	require.NoError(t, blocklist.BuildSet(path, "it.example/other", blocktest.Entries(lines...)))
	other, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.NotEqual(t, first[4096:8192], other[4096:8192])
}

// TestSetInMemory opens a set from bytes wherever they begin in memory, and from file systems.
func TestSetInMemory(t *testing.T) {
	path := buildSet(t, "example.org ref=2026/17", "https://site.test/a")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	lists := func(s *blocklist.Set, err error) {
		t.Helper()
		require.NoError(t, err)
		m, ok := s.LookupURL("https://www.example.org/a")
		assert.True(t, ok && m.Reference == "2026/17")
		_, ok = s.LookupURL("https://site.test/b")
		assert.False(t, ok)
	}
	for shift := range 9 {
		lists(blocklist.OpenSetBytes(append(make([]byte, shift), b...)[shift:]))
	}
	lists(blocklist.OpenSetFS(os.DirFS(filepath.Dir(path)), filepath.Base(path)))
	lists(blocklist.OpenSetFS(fstest.MapFS{"list.set": {Data: b}}, "list.set"))

	_, err = blocklist.OpenSetFS(fstest.MapFS{}, "list.set")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = blocklist.OpenSetBytes(nil)
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	_, err = blocklist.OpenSetBytes(b[:len(b)-1])
	require.ErrorIs(t, err, blocklist.ErrDamaged)
}
