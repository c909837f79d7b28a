package offheap_test

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
		for i := range memory {
			assert.Zero(t, memory[i].Load())
			memory[i].Store(uint64(i))
		}
		for i := range memory {
			assert.EqualValues(t, i, memory[i].Load())
		}
		release()
	}
}
