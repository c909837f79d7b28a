package processors_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/dnsfilter/internal/processors"
)

func TestAdd(t *testing.T) { //nolint:paralleltest // it changes what all tests run on
	n := runtime.GOMAXPROCS(0)
	processors.Add(3)
	assert.Equal(t, n+3, runtime.GOMAXPROCS(0))
	assert.Equal(t, n, processors.Count())
	processors.Add(-3)
	assert.Equal(t, n, runtime.GOMAXPROCS(0))
}
