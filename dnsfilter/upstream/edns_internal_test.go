package upstream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestEDNSIsTriedAgain(t *testing.T) {
	t.Parallel()
	var x ednsSupport
	now := time.Unix(1_800_000_000, 0)
	for range maxStrikes - 1 {
		assert.False(t, x.strike(now))
	}
	x.succeeded()
	for range maxStrikes - 1 {
		assert.False(t, x.strike(now), "they come in a row")
	}
	assert.False(t, x.isOff(now))
	assert.True(t, x.strike(now))
	assert.True(t, x.isOff(now.Add(disableFor-1)))
	assert.False(t, x.isOff(now.Add(disableFor)))
	assert.True(t, x.strike(now.Add(disableFor)), "once more is enough")
}
