package formats

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPackedStrings(t *testing.T) {
	var s packedStrings
	var kept []string
	want := func(i int) string { return strings.Repeat("x", i%700) + fmt.Sprint(i) }
	for i := range 1000 {
		b := []byte(want(i))
		kept = append(kept, s.add(b))
		clear(b)
	}
	kept = append(kept, s.add(nil), s.add(make([]byte, 1<<20)))
	for i := range 1000 {
		require.Equal(t, want(i), kept[i])
	}
	assert.Empty(t, kept[1000])
	assert.Len(t, kept[1001], 1<<20)
	name := []byte("www.example.org")
	assert.Less(t, testing.AllocsPerRun(10_000, func() { s.add(name) }), 0.1)
}
