package ledger

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

var cause = Audit{Author: "anna", Reason: "test"}

// newLedger makes a ledger in a folder of its own.
func newLedger(t testing.TB) *Ledger {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, Create(t.Context(), dir, "it.example/test", cause, nil))
	l, err := Open(dir, func(context.Context) error { return nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func entry(t *testing.T, line string) blocklist.Entry {
	t.Helper()
	e, err := blocklist.ParseEntry(line)
	require.NoError(t, err)
	return e
}

func stream(all []blocklist.Entry) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// ask returns the answer to a question with one text.
func (l *Ledger) ask(t testing.TB, question string) (answer string) {
	t.Helper()
	require.NoError(t, l.db.QueryRowContext(t.Context(), question).Scan(&answer))
	return answer
}

const (
	allChanges = `SELECT group_concat(sign || target || attributes, char(10) ORDER BY id) FROM changes`
	allIndexes = `SELECT group_concat(name || sql, char(10) ORDER BY name) FROM sqlite_schema WHERE type = 'index'`
	allEntries = `SELECT group_concat(concat_ws(' ', target, attributes, ifnull(place, '-'), ifnull(expires, '-')), char(10)) FROM entries`
)

// messy is a list with all that an import may meet: the same again, other attributes, back again, what is screened out.
func messy(t *testing.T, random *rand.Rand, length int) (all []blocklist.Entry) {
	t.Helper()
	for range length {
		name := fmt.Sprintf("n%d.a%d.example", random.IntN(length/2), random.IntN(3))
		if random.IntN(10) == 0 {
			name = []string{"org", "co.uk", "192.0.2.0/24", "https://example.org/a"}[random.IntN(4)]
		}
		all = append(all, entry(t, name+[]string{"", " category=a", " category=b status=monitor", " expires=2040-01-02"}[random.IntN(4)]))
	}
	return all
}

// However long the batches are, an import does the same, in the order of its entries, and so does one after another.
func TestBatches(t *testing.T) {
	type outcome struct {
		counts                    []Counts
		refused                   int
		changes, entries, indexes string
	}
	for _, override := range []bool{false, true} {
		var want outcome
		for _, size := range []int{1, 7, 100, 10_000} {
			var got outcome
			l := newLedger(t)
			random := rand.New(rand.NewPCG(1, 2))
			screen := func(e blocklist.Entry) func() bool {
				if target := e.Target(); target != "org" && target != "co.uk" {
					return nil
				}
				return func() bool {
					if !override {
						got.refused++
					}
					return override
				}
			}
			for range 3 {
				require.NoError(t, l.Change(t.Context(), KindImport, cause, func(tx *Tx) error {
					n, err := tx.put(t.Context(), stream(messy(t, random, 200)), &batch{limit: size, screen: screen}, nil)
					got.counts = append(got.counts, n)
					return err
				}))
			}
			_, err := l.Verify(t.Context(), nil)
			require.NoError(t, err)
			got.changes, got.entries, got.indexes = l.ask(t, allChanges), l.ask(t, allEntries), l.ask(t, allIndexes)
			assert.Equal(t, "ok", l.ask(t, "PRAGMA integrity_check"))
			if want.counts == nil {
				want = got
				assert.NotZero(t, want.counts[1].Added*want.counts[1].Changed*want.counts[1].Unchanged)
				assert.Equal(t, !override, want.refused > 0)
				continue
			}
			assert.Equal(t, want, got, "batches of %d", size)
		}
	}
}
