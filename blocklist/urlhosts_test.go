package blocklist_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/testdata/longtest"
)

func hasURLs(t testing.TB, s interface{ HasURLs(string, []byte) bool }, list, host string) bool {
	t.Helper()
	name, err := blocklist.ParseName(host)
	require.NoError(t, err)
	return s.HasURLs(list, []byte(name))
}

func TestHasURLs(t *testing.T) {
	s := openStore(t, t.TempDir())
	lines := []string{
		"https://site.example/a", "https://site.example/b/*", "https://*.wide.example/x", "https://old.example/a expires=2020-01-01", "https://soon.example/a expires=2999-01-01", "https://first.example/a expires=1970-01-01",
		"https://soft.example/a status=monitor", "https://192.0.2.7/a", "https://xn--bcher-kva.example/a", "https://under_score.example/a", "domain.example", "=host.example",
		"https://mixed.example/a expires=2020-01-01", "https://mixed.example/b status=monitor", "https://mixed.example/c expires=2999-01-01",
		"https://twice.example/a status=monitor", "https://twice.example/a",
	}
	blocktest.SetList(t, s, "local", lines...)
	blocktest.SetList(t, s, "plain", "site.example")
	info, _ := s.List("local")
	assert.EqualValues(t, len(lines)-1, info.Entries, "rows of hosts are no entries")
	path := filepath.Join(t.TempDir(), "set")
	var entries []blocklist.Entry
	for _, line := range lines {
		entries = append(entries, entry(t, line))
	}
	require.NoError(t, blocklist.BuildSet(path, "local", values(entries)))
	set, err := blocklist.OpenSet(path)
	require.NoError(t, err)
	assert.EqualValues(t, len(lines)-1, set.Info().Entries)
	for host, want := range map[string]bool{
		"site.example": true, "www.site.example": false, "example": false, ".": false,
		"wide.example": true, "a.wide.example": true, "a.b.wide.example": true, "xwide.example": false,
		"old.example": false, "first.example": false, "soon.example": true, "soft.example": false, "192.0.2.7": false, "bücher.example": true, "under_score.example": true,
		"domain.example": false, "host.example": false, "mixed.example": true, "twice.example": true, "other.example": false,
	} {
		assert.Equal(t, want, hasURLs(t, s, "local", host), host)
		assert.Equal(t, want, hasURLs(t, set, "local", host), host)
		assert.False(t, hasURLs(t, s, "plain", host), host)
		assert.False(t, hasURLs(t, s, "none", host), host)
	}
	name := []byte("\x01a\x01b\x04wide\x07example\x00")
	assert.Zero(t, testing.AllocsPerRun(100, func() { s.HasURLs("local", name) }))
	assert.False(t, s.HasURLs("local", []byte("broken")))
}

// TestHasURLsModel follows random deltas, snapshots and reopenings.
func TestHasURLsModel(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	s := openStore(t, dir)
	m := map[string]string{} // by target, the attributes
	lines := func() (out []string) {
		for _, target := range slices.Sorted(maps.Keys(m)) {
			out = append(out, target+m[target])
		}
		return out
	}
	for serial := uint64(1); serial < uint64(longtest.Rounds(60, 150)); serial++ {
		var delta []string
		for range 1 + r.IntN(4) {
			target := fmt.Sprintf("https://%s%c.example/%c", []string{"", "*."}[r.IntN(2)], 'a'+rune(r.IntN(4)), 'a'+rune(r.IntN(3)))
			if slices.ContainsFunc(delta, func(line string) bool { return strings.HasPrefix(line[1:]+" ", target+" ") }) {
				continue
			}
			attributes, had := m[target]
			if had {
				delta = append(delta, "-"+target+attributes)
				delete(m, target)
				continue
			}
			m[target] = []string{"", " expires=2999-01-01", " expires=2020-01-01", " status=monitor"}[r.IntN(4)]
			delta = append(delta, "+"+target+m[target])
		}
		slices.SortFunc(delta, func(a, b string) int { return strings.Compare(a[1:], b[1:]) })
		if serial == 1 || r.IntN(10) == 0 {
			require.NoError(t, apply(s, snapshot(t, serial, lines()...)))
		} else {
			require.NoError(t, apply(s, release(t, header(serial, serial-1, lines()...), delta...)))
		}
		if r.IntN(8) == 0 {
			require.NoError(t, s.Close())
			s = openStore(t, dir)
		}
		for c := 'a'; c < 'e'; c++ {
			exact, below := false, false
			for target, attributes := range m {
				active := attributes == "" || strings.Contains(attributes, "2999")
				exact = exact || active && strings.HasPrefix(target, fmt.Sprintf("https://%c.", c))
				below = below || active && strings.HasPrefix(target, fmt.Sprintf("https://*.%c.", c))
			}
			require.Equal(t, exact || below, hasURLs(t, s, csam, fmt.Sprintf("%c.example", c)), "serial %d, %c: %v", serial, c, m)
			require.Equal(t, below, hasURLs(t, s, csam, fmt.Sprintf("x.%c.example", c)), "serial %d, x.%c: %v", serial, c, m)
		}
	}
}

// TestHasURLsOfAHostWithManyExpiries has more expiries on one host than are told apart.
func TestHasURLsOfAHostWithManyExpiries(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	var all []string
	for i := range 100 {
		all = append(all, fmt.Sprintf("https://a.example/%02d expires=21%02d-01-01", i, i))
	}
	require.NoError(t, apply(s, snapshot(t, 1, all...)))
	serial := uint64(1)
	for len(all) > 0 {
		require.True(t, hasURLs(t, s, csam, "a.example"))
		gone := all[len(all)/2]
		all = slices.Delete(all, len(all)/2, len(all)/2+1)
		serial++
		require.NoError(t, apply(s, release(t, header(serial, serial-1, all...), "-"+gone)))
	}
	require.False(t, hasURLs(t, s, csam, "a.example"))
}

func TestCountURLs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	all := []string{
		"a.example", "https://*.d.example/x", "https://192.0.2.7/x", "https://a.example/x", "https://a.example/y status=monitor",
		"https://b.example/x expires=2020-01-01", "https://c.example/x expires=2999-01-01",
	}
	require.NoError(t, apply(s, snapshot(t, 1, all...)))
	assert.EqualValues(t, 4, s.CountURLs(csam))
	all = slices.Insert(slices.Delete(slices.Clone(all), 3, 4), 3, "https://198.51.100.7/x")
	slices.Sort(all)
	require.NoError(t, apply(s, release(t, header(2, 1, all...), "+https://198.51.100.7/x", "-https://a.example/x")))
	assert.EqualValues(t, 4, s.CountURLs(csam))
	require.NoError(t, s.Close())
	s = openStore(t, dir)
	assert.EqualValues(t, 4, s.CountURLs(csam))
	assert.Zero(t, s.CountURLs("it.example/none"))
	require.NoError(t, s.SetLocal("local", "", values([]blocklist.Entry{entry(t, "a.example"), entry(t, "https://[2001:db8::7]/x")})))
	assert.EqualValues(t, 1, s.CountURLs("local"))
}

func TestHasURLsAfterAMerge(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	all, delta := []string{"https://a.example/"}, []string{}
	for i := range 12_000 {
		all = append(all, fmt.Sprintf("https://n%04d.example/%d", i/3, i%3))
	}
	slices.Sort(all)
	for _, line := range all[1:] {
		delta = append(delta, "+"+line)
	}
	require.NoError(t, apply(s, snapshot(t, 1, all[0])))
	require.NoError(t, apply(s, release(t, header(2, 1, all...), delta...)))
	merged, err := merge(s)
	require.NoError(t, err)
	require.True(t, merged)
	info, _ := s.List(csam)
	assert.EqualValues(t, len(all), info.Entries)
	assert.True(t, hasURLs(t, s, csam, "n0007.example"))
	for i := range 3 { // the entries of a host go one by one
		assert.True(t, hasURLs(t, s, csam, "n0000.example"))
		gone := all[1]
		all = slices.Delete(all, 1, 2)
		require.Equal(t, fmt.Sprintf("https://n0000.example/%d", i), gone)
		require.NoError(t, apply(s, release(t, header(uint64(3+i), uint64(2+i), all...), "-"+gone)))
	}
	assert.False(t, hasURLs(t, s, csam, "n0000.example"))
	assert.False(t, hasURLs(t, s, csam, "n9999.example"))
}

func BenchmarkHasURLs(b *testing.B) {
	s := blocktest.NewStore(b)
	var lines []string
	for i := range 10_000 {
		lines = append(lines, fmt.Sprintf("https://n%d.example/%d", i/3, i))
	}
	blocktest.SetList(b, s, "local", lines...)
	for b.Loop() {
		s.HasURLs("local", []byte("\x03www\x04site\x07example\x03org\x00"))
	}
}
