package service

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestGrowth(t *testing.T) {
	t.Parallel()
	var g growth
	for i, look := range []struct {
		open  int
		ended bool
	}{
		{900, false},
		{900, false}, // too few
		{5000, false},
		{9900, false},
		{10000, true}, // it has come to rest
		{10100, false},
		{10900, false},
		{10950, false},
		{11000, true}, // bit by bit
		{100, false},
		{1000, false},
		{1000, false},
		{1100, false},
		{1110, true}, // most had gone
	} {
		assert.Equal(t, look.ended, g.ended(look.open), "%d: %d", i, look.open)
	}
}
