package guard

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// It has what was added, and nothing else, however much that is.
func TestHashCounts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, many := range []int{0, 1, 2, 9, 1000, 100_000} {
		var of hashCounts
		added := map[uint64]bool{}
		for range many {
			h := random.Uint64()
			switch len(added) {
			case 0:
				h = 0
			case 1:
				h = 1<<64 - 1
			}
			of.add(h)
			added[h] = true
			if random.IntN(10) == 0 {
				of.add(h)
			}
		}
		of.complete()
		require.Len(t, of.added, len(added))
		for h := range added {
			require.True(t, of.has(h))
			require.Equal(t, added[h+1], of.has(h+1))
		}
		require.Equal(t, added[12345], of.has(12345))
	}
}
