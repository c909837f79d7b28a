package blocklist_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

// TestMerge folds a large delta into the set, checks every name before and after, and after reopening.
func TestMerge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	var before, after, delta []string
	for i := range 20_000 {
		name := fmt.Sprintf("n%05d.example", i)
		switch line := name + fmt.Sprintf(" category=c%d", i%300); i % 4 {
		case 0: // stays
			before, after = append(before, line), append(after, line)
		case 1: // goes
			before, delta = append(before, line), append(delta, "-"+line)
		case 2: // comes
			after, delta = append(after, line), append(delta, "+"+line)
		case 3: // changes
			before, after = append(before, line), append(after, name+" category=new")
			delta = append(delta, "-"+line, "+"+name+" category=new")
		}
	}
	require.NoError(t, apply(s, snapshot(t, 1, before...)))
	merged, err := merge(s)
	require.NoError(t, err)
	assert.False(t, merged, "nothing to merge")
	require.NoError(t, apply(s, release(t, header(2, 1, after...), delta...)))
	check := func(s *blocklist.Store, extra string) {
		t.Helper()
		for i := range 20_000 {
			m, ok := s.LookupHost(fmt.Sprintf("www.n%05d.example", i))
			require.Equal(t, i%4 != 1, ok, "n%05d", i)
			if ok {
				want := "new"
				if i%4 != 3 {
					want = fmt.Sprintf("c%d", i%300)
				}
				require.Equal(t, want, m.Category, "n%05d", i)
			}
		}
		assert.Equal(t, extra, listed(s, "example.test"))
	}
	check(s, "-")
	merged, err = merge(s)
	require.NoError(t, err)
	assert.True(t, merged)
	check(s, "-")

	after = slices.Insert(after, 0, "example.test")
	require.NoError(t, apply(s, release(t, header(3, 2, after...), "+example.test")))
	check(s, "example.test")
	require.NoError(t, s.Close())
	s = openStore(t, dir)
	check(s, "example.test")
	files, err := filepath.Glob(filepath.Join(dir, "lists", filepath.FromSlash(csam), "_", "set-*"))
	require.NoError(t, err)
	sets := slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, ".journal") })
	assert.Len(t, sets, 1, "the old set is gone")
}

// TestMergeBesideChanges applies deltas while merges run.
func TestMergeBesideChanges(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	lines := []string{}
	for i := range 12_000 {
		lines = append(lines, fmt.Sprintf("n%05d.example", i))
	}
	require.NoError(t, apply(s, snapshot(t, 1, "a.example")))
	all := append([]string{"a.example"}, lines...)
	plus := []string{}
	for _, l := range lines {
		plus = append(plus, "+"+l)
	}
	require.NoError(t, apply(s, release(t, header(2, 1, all...), plus...)))
	done := make(chan error)
	go func() {
		merged, err := merge(s)
		if !merged && err == nil {
			err = fmt.Errorf("did not merge")
		}
		done <- err
	}()
	for serial := uint64(3); serial < 40; serial++ {
		line := fmt.Sprintf("z%02d.example", serial)
		all = append(all, line)
		require.NoError(t, apply(s, release(t, header(serial, serial-1, all...), "+"+line)))
	}
	require.NoError(t, <-done)
	for _, line := range all {
		require.Equal(t, line, listed(s, line))
	}
}
