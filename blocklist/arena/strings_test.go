package arena_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/arena"
)

func TestStrings(t *testing.T) {
	var s arena.Strings
	var kept []string
	want := func(i int) string { return strings.Repeat("x", i%700) + fmt.Sprint(i) }
	for i := range 1000 {
		b := []byte(want(i))
		kept = append(kept, s.Keep(b))
		clear(b)
	}
	kept = append(kept, s.Keep(nil), s.Keep(make([]byte, 1<<20)))
	for i := range 1000 {
		require.Equal(t, want(i), kept[i])
	}
	assert.Empty(t, kept[1000])
	assert.Len(t, kept[1001], 1<<20)
	name := []byte("www.example.org")
	assert.Less(t, testing.AllocsPerRun(10_000, func() { s.Keep(name) }), 0.1)
}
