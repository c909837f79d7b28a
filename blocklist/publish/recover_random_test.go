package publish_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/testdata/longtest"
)

// worker is an agency at work. All its orders have the same reference, so that each entry rests on one.
type worker struct {
	*agency
	random *rand.Rand
	since  []func(state)   // what it has ordered since its last push
	signed map[uint64]bool // serials that have a signature, in this folder or one that it was copied from
}

func (w *worker) pick(all ...string) string { return all[w.random.IntN(len(all))] }

// work runs a few commands. Releases get at most that many signatures.
func (w *worker) work(t *testing.T, signatures int) {
	t.Helper()
	for range 3 + w.random.IntN(4) {
		switch what := w.pick("add", "add", "remove", "release"); {
		case what == "release":
			w.draft(t, w.random.IntN(signatures+1))
		case what == "remove" && len(w.lines(t)) > 0:
			target := entry(t, w.pick(w.lines(t)...)).Target()
			_, err := w.Remove(t.Context(), entries(t, target), cause)
			require.NoError(t, err)
			w.since = append(w.since, func(s state) { delete(s, target) })
		default:
			w.order(t)
		}
	}
}

// order gives an order on an entry, or changes it.
func (w *worker) order(t *testing.T) {
	t.Helper()
	target := fmt.Sprintf("n%d.example", w.random.IntN(8))
	before := w.state(t)[target]
	w.add(t, target+w.pick("", " category=a", " category=b", " expires=2040-01-02", " category=c status=monitor"))
	if after := w.state(t)[target]; after != before {
		w.since = append(w.since, func(s state) { s[target] = after })
	}
}

func (w *worker) state(t *testing.T) state {
	t.Helper()
	s := state{}
	for _, line := range w.lines(t) {
		s[entry(t, line).Target()] = line
	}
	return s
}

// draft makes a release, which up to two officers sign. With two signatures it is published.
func (w *worker) draft(t *testing.T, signatures int) {
	t.Helper()
	p, _, err := w.Release(t.Context(), "anna")
	if errors.Is(err, publish.ErrUnchanged) || err == nil && len(p.Signed) > 0 { // that one was pending already
		return
	}
	require.NoError(t, err)
	require.False(t, w.signed[p.Serial], "serial %d was signed before, for another release", p.Serial)
	if signatures > 0 {
		w.sign(t, w.anna)
		w.signed[p.Serial] = true
	}
	if signatures == 2 {
		w.sign(t, w.bruno)
		w.bundle(t)
		w.since = nil
	}
}

// unpublished reports whether there is no release, or orders after it.
func (w *worker) unpublished(t *testing.T) bool {
	t.Helper()
	s, err := w.Status(t.Context())
	require.NoError(t, err)
	return s.Released == nil || len(w.since) > 0
}

// restore returns a worker in a copy of the folder.
func (w *worker) restore(t *testing.T) *worker {
	t.Helper()
	return &worker{w.copy(t), w.random, slices.Clone(w.since), maps.Clone(w.signed)}
}

// losses are what may happen to a folder.
var losses = map[string]func(*testing.T, *worker){
	"nothing": func(*testing.T, *worker) {},
	"parts": func(t *testing.T, w *worker) {
		parts := []string{"files/*", "roots/*", "root.json", "releases/*", "releases/*/targets.json", "pending/*", "lock"}
		w.damage(t, []string{w.pick(parts...), w.pick(parts...)}, os.RemoveAll)
	},
	"bytes": func(t *testing.T, w *worker) {
		w.damage(t, []string{w.pick("files/*", "roots/*", "root.json", "releases/*/targets.json")}, w.scramble)
	},
	"ledger":          func(t *testing.T, w *worker) { w.damage(t, []string{"ledger.db*"}, os.RemoveAll) },
	"bytes of ledger": func(t *testing.T, w *worker) { w.damage(t, []string{"ledger.db"}, w.scramble) },
	"end of ledger": func(t *testing.T, w *worker) {
		w.damage(t, []string{"ledger.db"}, func(path string) error { return os.Truncate(path, 4096*(1+w.random.Int64N(8))) })
	},
}

// scramble changes some bytes of a file.
func (w *worker) scramble(path string) error {
	b, err := os.ReadFile(path)
	for range 20 {
		if len(b) > 0 {
			b[w.random.IntN(len(b))] ^= byte(1 + w.random.IntN(255))
		}
	}
	return errors.Join(err, os.WriteFile(path, b, 0o600))
}

// Whatever a folder has lost, and whatever was ordered in it since it was restored, it comes back to what was signed.
// What was ordered beyond that waits for the next release, and no serial that was signed is used again.
func TestRecoverRandom(t *testing.T) {
	t.Parallel()
	for round := range longtest.Rounds(1, 8) {
		for i, what := range slices.Sorted(maps.Keys(losses)) {
			if i%longtest.Rounds(3, 1) != 0 {
				continue
			}
			t.Run(fmt.Sprint(what, " ", round), func(t *testing.T) {
				t.Parallel()
				a := &worker{newAgency(t), rand.New(rand.NewPCG(uint64(round), uint64(i))), nil, map[uint64]bool{}}
				a.work(t, 2)
				b := a.restore(t)
				a.work(t, 2)
				a.order(t)
				a.draft(t, 2)
				for a.unpublished(t) { // another release was pending, or nothing was new
					a.order(t)
					a.draft(t, 2)
				}
				b.work(t, 1)
				a.lose(t, b, losses[what])
			})
		}
	}
}

// lose has b lose something, recovers it from what a has published, and compares.
func (w *worker) lose(t *testing.T, b *worker, lose func(*testing.T, *worker)) {
	t.Helper()
	s, err := w.Status(t.Context())
	require.NoError(t, err)
	signed, want := w.state(t), w.state(t)
	pending := uint64(0)
	if p, err := b.Pending(); err == nil {
		pending = p.Serial
	}
	require.NoError(t, b.Close())
	lose(t, b)
	if _, err := os.Stat(filepath.Join(b.dir, "pending", "release", "targets.json")); err != nil {
		delete(b.signed, pending) // only the lost file said that it was signed
	}
	r, err := b.recover(t, w.rootFile(t), w.bundle(t))
	require.NoError(t, err)
	assert.Equal(t, s.Released.Serial, r.Serial)
	for serial := range r.Serial {
		b.signed[serial+1] = true
	}
	if !slices.ContainsFunc(r.Notes, func(note string) bool { return strings.Contains(note, "neither the settings") }) {
		for _, order := range b.since {
			order(want)
		}
	}
	b.verified(t)
	assert.Equal(t, want, b.state(t))
	assert.Equal(t, changes(signed, want), collect(t, b.Unreleased(t.Context())))
	for range 3 { // a pending release may have a signature already
		b.order(t)
		b.draft(t, 2)
	}
	b.verified(t)
}
