package internal_test

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/internal/offheap"
)

func TestMake(t *testing.T) {
	t.Parallel()
	for _, words := range []int{0, 1, 1000, 1 << 20} {
		memory, release := offheap.Make[atomic.Uint64](words)
		require.Len(t, memory, words)
		wrong := 0
		for i := range memory {
			if memory[i].Swap(uint64(i)) != 0 {
				wrong++
			}
		}
		for i := range memory {
			if memory[i].Load() != uint64(i) {
				wrong++
			}
		}
		assert.Zero(t, wrong)
		release()
	}
}
