package blocklist_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/testdata/longtest"
)

// model is what a list should answer, done the plain way.
type model map[string]bool // canonical targets

func (m model) lines() []string { return slices.Sorted(maps.Keys(m)) }

// lists reports whether name is listed, by itself or by a parent.
func (m model) lists(name string) bool {
	if m["="+name] {
		return true
	}
	for {
		if m[name] {
			return true
		}
		_, parent, ok := strings.Cut(name, ".")
		if !ok {
			return false
		}
		name = parent
	}
}

// randomName makes names that are often equal, or below one another.
func randomName(r *rand.Rand) string {
	labels := []string{[]string{"example", "test"}[r.IntN(2)]}
	for range 1 + r.IntN(4) {
		labels = append([]string{string('a' + rune(r.IntN(6)))}, labels...)
	}
	return strings.Join(labels, ".")
}

// mutate adds and removes a few targets, and returns the lines of the delta.
func (m model) mutate(r *rand.Rand) (delta []string) {
	changed := map[string]bool{}
	for range 1 + r.IntN(8) {
		target := randomName(r)
		if r.IntN(3) == 0 {
			target = "=" + target
		}
		if changed[target] {
			continue
		}
		changed[target] = true
		if m[target] {
			delete(m, target)
			delta = append(delta, "-"+target)
		} else {
			m[target] = true
			delta = append(delta, "+"+target)
		}
	}
	slices.SortFunc(delta, func(a, b string) int { return strings.Compare(a[1:], b[1:]) })
	return delta
}

// TestModel makes random sequences of snapshots, deltas and reopenings, and asks for every name after each: never one
// name too many, never one too few.
func TestModel(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range longtest.Rounds(2, 8) {
		dir := t.TempDir()
		s := openStore(t, dir)
		m := model{}
		serial := uint64(1)
		m.mutate(r)
		require.NoError(t, apply(s, snapshot(t, serial, m.lines()...)))
		for range 25 {
			serial++
			delta := m.mutate(r)
			if r.IntN(4) == 0 {
				require.NoError(t, apply(s, snapshot(t, serial, m.lines()...)))
			} else {
				require.NoError(t, apply(s, release(t, header(serial, serial-1, m.lines()...), delta...)))
			}
			if r.IntN(5) == 0 {
				require.NoError(t, s.Close())
				s = openStore(t, dir)
			}
			for range 200 {
				name := randomName(r)
				_, got := s.LookupHost(name)
				require.Equal(t, m.lists(name), got, "serial %d, looking up %q, listed: %v", serial, name, m.lines())
			}
		}
		require.NoError(t, s.Close())
	}
}

// TestFilterIsExact asks for many names that are not listed: the filter says maybe to some, the table to none.
func TestFilterIsExact(t *testing.T) {
	s := openStore(t, t.TempDir())
	var entries []blocklist.Entry
	for i := range 20_000 {
		entries = append(entries, entry(t, fmt.Sprintf("n%d.example", i)))
	}
	require.NoError(t, s.SetLocal("local", "", values(entries)))
	for i := range 100_000 {
		_, got := s.LookupHost(fmt.Sprintf("n%d.example", i))
		require.Equal(t, i < 20_000, got, "n%d.example", i)
	}
}
