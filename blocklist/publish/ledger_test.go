package publish_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/publish"
)

func TestAddAndRemove(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	r, err := a.Add(t.Context(), entries(t, "example.com", "=www.example.org category=test", "https://example.net/a", "192.0.2.0/24"), override)
	require.NoError(t, err)
	r.Guards, r.Orders = guard.Report{}, nil // the guards know no test
	assert.Equal(t, publish.ChangeResult{Added: 4}, r)

	r, err = a.Add(t.Context(), entries(t, "example.com", "=www.example.org category=other"), cause)
	require.NoError(t, err)
	r.Orders = nil
	assert.Equal(t, publish.ChangeResult{Changed: 1, Unchanged: 1}, r)
	assert.Equal(t, []string{"192.0.2.0/24", "=www.example.org category=other", "example.com", "https://example.net/a"}, a.lines(t))

	r, err = a.Remove(t.Context(), entries(t, "example.com", "=www.example.org"), cause)
	require.NoError(t, err)
	r.Orders = nil
	assert.Equal(t, publish.ChangeResult{Removed: 2}, r)

	_, ok, err := a.Lookup(t.Context(), "example.com")
	require.NoError(t, err)
	assert.False(t, ok)
	e, ok, err := a.Lookup(t.Context(), "https://example.net/a")
	require.NoError(t, err)
	require.True(t, ok)
	assert.Equal(t, "https://example.net/a", e.String())
}

func TestHistory(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	_, err = a.Add(t.Context(), entries(t, "example.com"), cause) // nothing changes: no operation
	require.NoError(t, err)
	_, err = a.Add(t.Context(), entries(t, "example.com category=test"), publish.Audit{Author: "bruno"})
	require.NoError(t, err)

	var all []publish.Operation
	for o, err := range a.Operations(t.Context()) {
		require.NoError(t, err)
		all = append(all, o)
	}
	require.Len(t, all, 3)
	assert.Equal(t, publish.KindInit, all[0].Kind)
	assert.Equal(t, []any{publish.KindAdd, "anna", "test", "order 2026/17", uint64(1), uint64(0)},
		[]any{all[1].Kind, all[1].Author, all[1].Reason, all[1].Reference, all[1].Added, all[1].Removed})
	assert.Equal(t, []any{"bruno", uint64(1), uint64(1), uint64(1)}, []any{all[2].Author, all[2].Added, all[2].Removed, all[2].Entries})
	assert.WithinDuration(t, time.Now(), all[2].Time, time.Minute)
	assert.Equal(t, []string{"-example.com", "+example.com category=test"}, collect(t, a.History().Changes(t.Context(), 2, 3)))
	assert.Equal(t, []string{"+example.com category=test"}, collect(t, a.History().Changes(t.Context(), 0, 3)))
	assert.Empty(t, collect(t, a.History().Changes(t.Context(), 3, 3)))
}

func TestAllOrNothing(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.com", "=com"), cause)
	assert.ErrorIs(t, err, blocklist.ErrHeld)
	_, err = a.Remove(t.Context(), entries(t, "example.com"), cause)
	assert.ErrorIs(t, err, publish.ErrNotListed)
	broken := errors.New("the source broke")
	_, err = a.Import(t.Context(), func(yield func(blocklist.Entry, error) bool) {
		_ = yield(entry(t, "example.org"), nil) && yield(blocklist.Entry{}, broken)
	}, cause, nil)
	assert.ErrorIs(t, err, broken)
	assert.Empty(t, a.lines(t))
	s, err := a.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, int64(1), s.Head.ID)
}

func TestImport(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	var all []blocklist.Entry
	for i := range 5000 {
		all = append(all, entry(t, strings.Repeat("a", i%50+1)+".example"))
	}
	all = append(all, entry(t, "co.uk"), entry(t, "github.io"), entry(t, "org"))
	var seen []uint64
	r, err := a.Import(t.Context(), stream(all), cause, func(n uint64) { seen = append(seen, n) })
	require.NoError(t, err)
	assert.Equal(t, []uint64{4096}, seen)
	assert.Equal(t, []uint64{50, 4950, 3}, []uint64{r.Added, r.Unchanged, r.Refused})
	require.Len(t, r.Guards.Findings, 3)
	assert.EqualValues(t, 3, r.Guards.Held)
	assert.Equal(t, guard.CheckSuffix, r.Guards.Findings[0].Check)
	assert.Equal(t, "github.io", r.Guards.Findings[1].Entry, "as in Add")
	assert.Equal(t, "org", r.Guards.Findings[2].Entry)
}

func TestCause(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	for _, c := range []publish.Audit{{}, {Author: "a\nb"}, {Author: "a", Reason: strings.Repeat("x", 5000)}, {Author: "a", Reference: "\xff"}} {
		_, err := a.Add(t.Context(), entries(t, "example.com"), c)
		assert.ErrorIs(t, err, blocklist.ErrMalformed, "%.40q", c)
	}
}

func TestSecondProcessIsTold(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	other, err := publish.Open(a.dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	_, err = a.Import(t.Context(), func(yield func(blocklist.Entry, error) bool) {
		start := time.Now()
		_, err := other.Add(t.Context(), entries(t, "example.org"), cause)
		assert.ErrorIs(t, err, blocklist.ErrBusy)
		assert.Less(t, time.Since(start), time.Second)
		_, err = other.Status(t.Context()) // reading is always possible
		assert.NoError(t, err)
		yield(entry(t, "example.com"), nil)
	}, cause, nil)
	require.NoError(t, err)
	_, err = other.Add(t.Context(), entries(t, "example.org"), cause)
	require.NoError(t, err)
	assert.Equal(t, []string{"example.com", "example.org"}, a.lines(t))
}

func TestOpen(t *testing.T) {
	t.Parallel()
	_, err := publish.Open(t.TempDir())
	assert.ErrorIs(t, err, os.ErrNotExist)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ledger.db"), []byte("not a database, but long enough to be looked at"), 0o600))
	_, err = publish.Open(dir)
	assert.Error(t, err)
}

func TestInit(t *testing.T) {
	t.Parallel()
	keys := t.TempDir()
	anna, _ := keypair(t, keys, "anna", nil)
	bruno, _ := keypair(t, keys, "bruno", nil)
	origin, _ := keypair(t, keys, "origin", nil)
	good := publish.InitOptions{List: list, OriginKey: origin[0], Officers: []string{anna[0], bruno[0]}, Threshold: 2, Author: "anna"}
	for name, spoil := range map[string]func(*publish.InitOptions){
		"threshold 0":       func(o *publish.InitOptions) { o.Threshold = 0 },
		"threshold 3 of 2":  func(o *publish.InitOptions) { o.Threshold = 3 },
		"one key twice":     func(o *publish.InitOptions) { o.Officers[1] = o.Officers[0] },
		"officer's key on":  func(o *publish.InitOptions) { o.OriginKey = o.Officers[0] },
		"list name":         func(o *publish.InitOptions) { o.List = "Not A List" },
		"garbage for a key": func(o *publish.InitOptions) { o.Officers[0] = "x" },
	} {
		o := good
		o.Officers = append([]string(nil), good.Officers...)
		spoil(&o)
		dir := filepath.Join(t.TempDir(), "agency")
		assert.ErrorIs(t, publish.Init(t.Context(), dir, o), blocklist.ErrMalformed, name)
		assert.NoDirExists(t, dir, name)
	}
	dir := t.TempDir()
	require.NoError(t, publish.Init(t.Context(), dir, good))
	assert.ErrorContains(t, publish.Init(t.Context(), dir, good), "not empty")
}

// An entry that no one has parsed lists nothing, and stays out.
func TestEmptyEntry(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), append(entries(t, "example.org"), blocklist.Entry{}), cause)
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	_, ok, err := a.Lookup(t.Context(), "example.org")
	require.NoError(t, err)
	assert.False(t, ok)
}

// Ten processes that change the list at the same time wait for each other.
func TestChangesWaitForEachOther(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	var changing sync.WaitGroup
	for i := range 10 {
		changing.Go(func() {
			l, err := publish.Open(a.dir)
			if !assert.NoError(t, err) {
				return
			}
			defer l.Close()
			l.SetWait(time.Minute, nil)
			_, err = l.Add(t.Context(), entries(t, fmt.Sprintf("n%d.example", i)), cause)
			assert.NoError(t, err)
		})
	}
	changing.Wait()
	s, err := a.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, uint64(10), s.Head.Entries)
}
