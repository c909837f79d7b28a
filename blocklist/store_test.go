package blocklist_test

import (
	"bytes"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/blocklist/internal/verified"
	"github.com/argine-dns/argine/testdata/longtest"
)

const csam = "it.example/csam"

func entry(t testing.TB, line string) blocklist.Entry {
	t.Helper()
	e, err := blocklist.ParseEntry(line)
	require.NoError(t, err)
	return e
}

func openStore(t testing.TB, dir string) *blocklist.Store {
	t.Helper()
	s, err := blocklist.Open(dir, blocklist.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func values(entries []blocklist.Entry) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// signedRelease is a release of the list csam, as if its signatures had been verified.
type signedRelease struct {
	*blocklist.ReleaseReader
	metadata []byte
}

func signed(s *blocklist.Store) *blocklist.SignedList {
	l, err := s.Signed(verified.Token{}, csam)
	if err != nil {
		panic(err)
	}
	return l
}

func apply(s *blocklist.Store, r signedRelease) error {
	return signed(s).Apply(r.Header(), r.Changes(), nil, r.metadata)
}

func merge(s *blocklist.Store) (merged bool, err error) { return signed(s).Merge() }

// release writes a release of the list csam: a snapshot of lines, or a delta whose lines begin with + and -.
func release(t testing.TB, h blocklist.Header, lines ...string) signedRelease {
	t.Helper()
	h.List = csam
	var buf bytes.Buffer
	w, err := blocklist.NewReleaseWriter(&buf, h)
	require.NoError(t, err)
	for _, line := range lines {
		c := blocklist.Change{}
		if h.IsDelta() {
			c.Removed, line = line[0] == '-', line[1:]
		}
		c.Entry = entry(t, line)
		require.NoError(t, w.Write(c))
	}
	require.NoError(t, w.Close())
	r, err := blocklist.NewReleaseReader(&buf)
	require.NoError(t, err)
	return signedRelease{r, fmt.Appendf(nil, `{"serial":%d}`, h.Serial)}
}

func snapshot(t testing.TB, serial uint64, lines ...string) signedRelease {
	t.Helper()
	return release(t, header(serial, 0, lines...), lines...)
}

// header describes the state that consists of lines.
func header(serial, base uint64, lines ...string) blocklist.Header {
	h := blocklist.Header{Serial: serial, Base: base, Entries: uint64(len(lines)), Created: time.Unix(1800000000, 0)}
	for _, line := range lines {
		h.Digest.Add([]byte(line))
	}
	return h
}

func listed(s *blocklist.Store, name string) string {
	m, ok := s.LookupHost(name)
	if !ok {
		return "-"
	}
	return m.Entry()
}

func TestLookupScopes(t *testing.T) {
	s := openStore(t, t.TempDir())
	blocktest.SetList(t, s, "local", "example.com category=a", "=www.example.org", "sub.example.com category=b", "192.0.2.1", "https://example.net/x", `a\.b.example.test`)
	for name, want := range map[string]string{
		"example.com":           "example.com",
		"EXAMPLE.com.":          "example.com",
		"www.example.com":       "example.com",
		"x.sub.example.com":     "sub.example.com",
		"www.example.org":       "=www.example.org",
		"a.www.example.org":     "-",
		"example.org":           "-",
		"notexample.com":        "-",
		"com":                   "-",
		".":                     "-",
		"":                      "-",
		"example.net":           "-",
		"192.0.2.1":             "192.0.2.1",
		"192.0.2.2":             "-",
		`a\.b.example.test`:     `a\.b.example.test`,
		"a.b.example.test":      "-",
		"..":                    "-",
		strings.Repeat("a", 64): "-",
	} {
		assert.Equal(t, want, listed(s, name), "looking up %q", name)
	}
}

func TestMatchTellsWhy(t *testing.T) {
	s := openStore(t, t.TempDir())
	blocktest.SetList(t, s, "local", `example.com category=csam ref="order 2026/17" expires=2099-05-01`)
	m, ok := s.LookupHost("www.example.com")
	require.True(t, ok)
	assert.Equal(t, "local", m.List)
	assert.Equal(t, blocklist.ScopeDomain, m.Scope)
	assert.Equal(t, "csam", m.Category)
	assert.Equal(t, "order 2026/17", m.Reference)
	assert.Equal(t, "2099-05-01", m.Expires.Format(time.DateOnly))
	assert.False(t, m.Monitor)
}

func TestMonitorNeverHidesABlock(t *testing.T) {
	s := openStore(t, t.TempDir())
	blocktest.SetList(t, s, "local", "example.com", "www.example.com status=monitor", "example.org status=monitor", "a.example.org status=monitor")
	m, ok := s.LookupHost("www.example.com")
	require.True(t, ok)
	assert.False(t, m.Monitor)
	assert.Equal(t, "example.com", m.Entry())
	m, ok = s.LookupHost("x.a.example.org")
	require.True(t, ok)
	assert.True(t, m.Monitor)
	assert.Equal(t, "a.example.org", m.Entry())
}

func TestExpiredEntriesStopMatching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, t.TempDir())
		soon := time.Now().Add(2 * time.Second).UTC().Format(time.RFC3339)
		blocktest.SetList(t, s, "local", "example.com expires=1999-01-01", "a.example.org expires=1999-01-01", "example.org", "example.net expires="+soon)
		assert.Equal(t, "-", listed(s, "example.com"))
		assert.Equal(t, "example.org", listed(s, "a.example.org"), "the parent still holds")
		time.Sleep(2*time.Second - 1)
		assert.Equal(t, "example.net", listed(s, "example.net"))
		time.Sleep(time.Nanosecond)
		assert.Equal(t, "-", listed(s, "example.net"))
	})
}

func TestDuplicatesKeepTheStronger(t *testing.T) {
	s := openStore(t, t.TempDir())
	blocktest.SetList(t, s, "local", "example.com status=monitor", "example.com expires=2020-01-01", "example.com category=x", "example.com expires=2099-01-01")
	m, ok := s.LookupHost("example.com")
	require.True(t, ok)
	assert.Equal(t, "x", m.Category)
	info, _ := s.List("local")
	assert.EqualValues(t, 1, info.Entries)
}

func TestSeveralListsAnswerInOrder(t *testing.T) {
	s := openStore(t, t.TempDir())
	for list, line := range map[string]string{"a": "example.com status=monitor", "b": "example.com category=b", "c": "example.com category=c"} {
		blocktest.SetList(t, s, list, line)
	}
	m, ok := s.LookupHost("www.example.com")
	require.True(t, ok)
	assert.Equal(t, "b", m.List, "the first that blocks")
	name, err := blocklist.ParseName("www.example.com")
	require.NoError(t, err)
	var lists []string
	for _, m := range s.AppendMatches(nil, []byte(name)) {
		lists = append(lists, m.List)
	}
	assert.Equal(t, []string{"a", "b", "c"}, lists)
	require.NoError(t, s.Drop("b"))
	m, _ = s.LookupHost("www.example.com")
	assert.Equal(t, "c", m.List)
}

func TestApplyOrder(t *testing.T) {
	s := openStore(t, t.TempDir())
	require.NoError(t, apply(s, snapshot(t, 5, "example.com", "example.org")))
	require.NoError(t, apply(s, snapshot(t, 5, "example.com", "example.org")), "applying what is held again")
	require.ErrorIs(t, apply(s, snapshot(t, 4, "example.com")), blocklist.ErrRollback)
	require.ErrorIs(t, apply(s, snapshot(t, 5, "example.com")), blocklist.ErrUntrusted, "a fork")
	require.ErrorIs(t, apply(s, release(t, header(7, 4, "example.com"), "+example.com")), blocklist.ErrGap)
	wrong := header(6, 0, "example.com")
	require.ErrorIs(t, apply(s, release(t, wrong, "example.net")), blocklist.ErrDigest)
	assert.Equal(t, "example.org", listed(s, "example.org"), "the old state stays")
	info, ok := s.List(csam)
	require.True(t, ok)
	assert.EqualValues(t, 5, info.Serial)
}

func TestDeltas(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	require.NoError(t, apply(s, snapshot(t, 1, "example.com", "example.net", "example.org")))
	delta := release(t, header(2, 1, "example.com category=x", "example.org", "example.test"),
		"-example.com", "+example.com category=x", "-example.net", "+example.test")
	require.NoError(t, apply(s, delta))
	check := func(s *blocklist.Store) {
		assert.Equal(t, "-", listed(s, "example.net"))
		assert.Equal(t, "example.test", listed(s, "www.example.test"))
		assert.Equal(t, "example.org", listed(s, "example.org"))
		m, _ := s.LookupHost("example.com")
		assert.Equal(t, "x", m.Category)
		assert.JSONEq(t, `{"serial":2}`, string(s.Metadata(csam)))
	}
	check(s)
	require.ErrorIs(t, apply(s, release(t, header(3, 2, "example.com"), "-example.org")), blocklist.ErrDigest)
	check(s)
	require.NoError(t, s.Close())
	check(openStore(t, dir))
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	require.NoError(t, apply(s, snapshot(t, 3, "=www.example.com category=x ref=r status=monitor", "example.org")))
	_, err := blocklist.Open(dir, blocklist.Options{})
	require.ErrorIs(t, err, blocklist.ErrBusy, "a second owner is told")
	ro, err := blocklist.Open(dir, blocklist.Options{ReadOnly: true})
	require.NoError(t, err)
	assert.Equal(t, "example.org", listed(ro, "example.org"))
	require.Error(t, ro.SetLocal("local", "", values(nil)))
	require.NoError(t, s.Close())
	assert.Equal(t, "-", listed(s, "example.org"), "a closed store lists nothing")
	require.ErrorIs(t, s.SetLocal("local", "", values(nil)), blocklist.ErrClosed)

	s = openStore(t, dir)
	m, ok := s.LookupHost("www.example.com")
	require.True(t, ok)
	assert.True(t, m.Monitor)
	assert.Equal(t, "x r", m.Category+" "+m.Reference)
	info, _ := s.List(csam)
	assert.EqualValues(t, 3, info.Serial)
	assert.NoError(t, info.Err)
}

// A store that is released is somebody else's: it goes on answering lookups, and changes nothing any more.
func TestRelease(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	require.NoError(t, s.SetLocal("local", "", values([]blocklist.Entry{entry(t, "a.test")})))
	require.NoError(t, s.Release())
	next := openStore(t, dir)
	require.NoError(t, next.SetLocal("local", "", values([]blocklist.Entry{entry(t, "b.test")})))
	assert.ErrorIs(t, s.SetLocal("local", "", values(nil)), blocklist.ErrClosed)
	assert.ErrorIs(t, s.Drop("local"), blocklist.ErrClosed)
	assert.Equal(t, "a.test", listed(s, "a.test"))
	assert.Equal(t, "b.test", listed(next, "b.test"))
	require.NoError(t, s.Close())
	assert.Equal(t, "-", listed(s, "a.test"))
	assert.Equal(t, "b.test", listed(next, "b.test"), "closing what was released takes nothing from the next owner")
}

// TestDamage flips every bit position's byte in turn (sampled) and cuts the set file: a damaged set is never served,
// and a new apply mends it.
func TestDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	require.NoError(t, apply(s, snapshot(t, 1, "example.com", "example.org category=x")))
	require.NoError(t, s.Close())
	files, err := filepath.Glob(filepath.Join(dir, "lists", filepath.FromSlash(csam), "_", "set-*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	whole, err := os.ReadFile(files[0])
	require.NoError(t, err)
	damaged := func(b []byte) {
		t.Helper()
		require.NoError(t, os.WriteFile(files[0], b, 0o600))
		s, err := blocklist.Open(dir, blocklist.Options{})
		require.NoError(t, err)
		defer s.Close()
		info, ok := s.List(csam)
		require.True(t, ok)
		require.ErrorIs(t, info.Err, blocklist.ErrDamaged)
		assert.Equal(t, "-", listed(s, "example.com"))
	}
	for at := 0; at < len(whole); at += longtest.Rounds(149, 37) {
		b := slices.Clone(whole)
		b[at] ^= 1 << (at % 8)
		damaged(b)
	}
	damaged(whole[:len(whole)-1])
	damaged(whole[:100])
	damaged(nil)
	damaged(append(slices.Clone(whole), 0))

	s = openStore(t, dir)
	require.NoError(t, apply(s, snapshot(t, 1, "example.com", "example.org category=x")))
	assert.Equal(t, "example.com", listed(s, "example.com"))
}

// TestDamagedState cuts the state file of one list. The other one is served, and the next apply mends the list.
func TestDamagedState(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	require.NoError(t, apply(s, snapshot(t, 1, "example.com")))
	require.NoError(t, s.SetLocal("allow", "allow.txt", values([]blocklist.Entry{entry(t, "example.org")})))
	require.NoError(t, s.Close())
	path := filepath.Join(dir, "lists", filepath.FromSlash(csam), "_", "state.json")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, b := range [][]byte{nil, whole[:len(whole)-3], []byte(`{"header":{"list":"../x"}}`), []byte(`{"urgent":["a b c"]}`)} {
		require.NoError(t, os.WriteFile(path, b, 0o600))
		s, err := blocklist.Open(dir, blocklist.Options{})
		require.NoError(t, err, "%q", b)
		info, ok := s.List(csam)
		require.True(t, ok)
		require.ErrorIs(t, info.Err, blocklist.ErrDamaged)
		assert.Equal(t, "-", listed(s, "example.com"))
		assert.Equal(t, "example.org", listed(s, "example.org"))
		require.NoError(t, s.Close())
	}
	s = openStore(t, dir)
	require.NoError(t, apply(s, snapshot(t, 1, "example.com")))
	info, _ := s.List(csam)
	assert.NoError(t, info.Err)
	assert.Equal(t, "example.com", listed(s, "example.com"))
}

// TestSetLocalHoldsNothingUp changes and reads other lists while a long file is read.
func TestSetLocalHoldsNothingUp(t *testing.T) {
	s := openStore(t, t.TempDir())
	require.NoError(t, apply(s, snapshot(t, 1, "a.example")))
	meanwhile := func(yield func(blocklist.Entry, error) bool) {
		assert.NoError(t, apply(s, release(t, header(2, 1, "a.example", "b.example"), "+b.example")))
		assert.Equal(t, "b.example", listed(s, "b.example"))
		assert.Len(t, s.Lists(), 1)
		assert.Equal(t, "-", listed(s, "c.example"))
		yield(entry(t, "c.example"), nil)
	}
	require.NoError(t, s.SetLocal("local", "", meanwhile))
	assert.Equal(t, "c.example", listed(s, "c.example"))
	assert.Len(t, s.Lists(), 2)

	require.ErrorIs(t, s.SetLocal("local", "", func(yield func(blocklist.Entry, error) bool) {
		assert.NoError(t, s.Close())
		yield(entry(t, "d.example"), nil)
	}), blocklist.ErrClosed)
}
