package internal_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/dnsfilter/internal/processors"
)

// What the runtime chose, or the program has set, is there again when all is taken back.
func TestAdd(t *testing.T) { //nolint:paralleltest // it changes what all tests run on
	t.Cleanup(runtime.SetDefaultGOMAXPROCS)
	standard := runtime.GOMAXPROCS(0)
	for _, n := range []int{standard, standard + 5} {
		if n != standard {
			runtime.GOMAXPROCS(n)
		}
		processors.Add(3)
		assert.Equal(t, n+3, runtime.GOMAXPROCS(0))
		assert.Equal(t, n, processors.Count())
		processors.Add(2)
		processors.Add(-3)
		assert.Equal(t, n+2, runtime.GOMAXPROCS(0))
		processors.Add(-2)
		assert.Equal(t, n, runtime.GOMAXPROCS(0))
	}
}
