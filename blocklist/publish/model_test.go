package publish_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// state is what a ledger should hold: lines by target.
type state map[string]string

func (s state) digest() string {
	var d blocklist.Digest
	for _, line := range s {
		d.Add([]byte(line))
	}
	return d.String()
}

// changes is the delta between two states.
func changes(before, after state) []string {
	targets := maps.Clone(before)
	maps.Copy(targets, after)
	var all []string
	for _, target := range slices.Sorted(maps.Keys(targets)) {
		was, is := before[target], after[target]
		if was != is && was != "" {
			all = append(all, "-"+was)
		}
		if was != is && is != "" {
			all = append(all, "+"+is)
		}
	}
	return all
}

// Random changes to a ledger do what they would do to a map, at every point of its history.
func TestModel(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	random := rand.New(rand.NewPCG(1, 2))
	line := func() string {
		text := fmt.Sprintf("n%d.example", random.IntN(30))
		if random.IntN(3) == 0 {
			text = "=" + text
		}
		return text + []string{"", "", " category=a", ` ref="b c"`}[random.IntN(4)]
	}
	now := state{}
	history := map[int64]state{0: {}, 1: {}}
	for range 150 {
		next := maps.Clone(now)
		var err error
		if random.IntN(3) == 0 && len(now) > 0 {
			target := slices.Sorted(maps.Keys(now))[random.IntN(len(now))]
			delete(next, target)
			_, err = a.Remove(t.Context(), entries(t, target), cause)
		} else {
			var all []blocklist.Entry
			for range random.IntN(6) {
				e := entry(t, line())
				next[e.Target()] = e.String()
				all = append(all, e)
			}
			_, err = a.Import(t.Context(), stream(all), cause, nil)
		}
		require.NoError(t, err)
		now = next
		s, err := a.Status(t.Context())
		require.NoError(t, err)
		history[s.Head.ID] = now
		require.Equal(t, now.digest(), s.Head.Digest)
		require.Equal(t, uint64(len(now)), s.Head.Entries)
		require.Equal(t, changes(state{}, now), collect(t, a.Unreleased(t.Context())))
	}
	var want []string
	for _, target := range slices.Sorted(maps.Keys(now)) {
		want = append(want, now[target])
	}
	assert.Equal(t, want, a.lines(t))
	ids := slices.Sorted(maps.Keys(history))
	for range 50 {
		from, to := ids[random.IntN(len(ids))], ids[random.IntN(len(ids))]
		if from <= to {
			assert.Equal(t, changes(history[from], history[to]), collect(t, a.History().Changes(t.Context(), from, to)), "%d to %d", from, to)
		}
	}
	v, err := a.Verify(t.Context())
	require.NoError(t, err)
	assert.Equal(t, uint64(len(now)), v.Entries)
	assert.IsType(t, publish.Verified{}, v)
}
