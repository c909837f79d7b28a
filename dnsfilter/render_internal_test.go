package dnsfilter

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// TestExtendedErrorsCutNothing has answers that fill what the client takes.
func TestExtendedErrorsCutNothing(t *testing.T) {
	t.Parallel()
	q := query{edns: true, size: dnswire.MinSize}
	for size := dnswire.MinSize - 40; size <= dnswire.MinSize-dnswire.OPTSize; size++ {
		m := q.finish(make([]byte, size), 0, ede{codes: [2]uint16{1, 2}, text: [2]string{"text"}})
		assert.False(t, dnswire.IsTruncated(m), size)
		assert.LessOrEqual(t, len(m), dnswire.MinSize)
		assert.Equal(t, size <= dnswire.MinSize-dnswire.OPTSize-12, len(m) > size+dnswire.OPTSize, "%d: the codes are there if there is room", size)
	}
}
