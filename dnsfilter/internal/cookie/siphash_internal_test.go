package cookie

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestSipHash has the example of the paper, and the first of the reference implementation's vectors.
func TestSipHash(t *testing.T) {
	var key [16]byte
	var m []byte
	for i := range key {
		key[i] = byte(i)
	}
	for i, want := range []uint64{0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d} {
		assert.Equal(t, want, sum64(&key, m), i)
		m = append(m, byte(i))
	}
	for len(m) < 15 {
		m = append(m, byte(len(m)))
	}
	assert.Equal(t, uint64(0xa129ca6149be45e5), sum64(&key, m))
	assert.Zero(t, testing.AllocsPerRun(10, func() { sum64(&key, m) }))
}
