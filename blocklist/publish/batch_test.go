package publish_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

const (
	allChanges = `SELECT group_concat(sign || target || attributes, char(10) ORDER BY id) FROM changes`
	allIndexes = `SELECT group_concat(name || sql, char(10) ORDER BY name) FROM sqlite_schema WHERE type = 'index'`
)

// messy is a list with all that an import may meet: the same again, other attributes, back again, what the guards hold.
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
		results                   []publish.ChangeResult
		changes, entries, indexes string
	}
	for _, c := range []publish.Audit{cause, override} {
		var want outcome
		for _, size := range []int{1, 7, 100, 10_000} {
			var got outcome
			a := newAgency(t)
			random := rand.New(rand.NewPCG(1, 2))
			for range 3 {
				got.results = append(got.results, publish.ImportInBatches(t, a.Ledger, stream(messy(t, random, 200)), c, size))
			}
			_, err := a.Verify(t.Context())
			require.NoError(t, err)
			require.NoError(t, a.Close())
			got.changes, got.entries, got.indexes = readLedger(t, a.dir, allChanges), readLedger(t, a.dir, allEntries), readLedger(t, a.dir, allIndexes)
			assert.Equal(t, "ok", readLedger(t, a.dir, "PRAGMA integrity_check"))
			if want.results == nil {
				want = got
				assert.NotZero(t, want.results[1].Added*want.results[1].Changed*want.results[1].Unchanged)
				assert.Equal(t, c.Override == "", want.results[1].Refused > 0)
				continue
			}
			assert.Equal(t, want, got, "batches of %d", size)
		}
	}
}
