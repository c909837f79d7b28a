package internal_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/dnsfilter/internal/ratelimit"
)

// TestRate allows a burst of one second, then the rate, for each key apart.
func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(10, 0)
		allowed := func(key uint64) (n int) {
			for range 30 {
				if l.Allow(key) {
					n++
				}
			}
			return n
		}
		assert.Equal(t, 10, allowed(1))
		assert.Equal(t, 10, allowed(2))
		time.Sleep(300 * time.Millisecond)
		assert.Equal(t, 3, allowed(1))
		time.Sleep(time.Hour)
		assert.Equal(t, 10, allowed(1))
		assert.False(t, l.Slip())
	})
}

// TestMoreKeysThanFit forgets those that were allowed least.
func TestMoreKeysThanFit(t *testing.T) {
	t.Parallel()
	l := ratelimit.New(1, 0)
	assert.True(t, l.Allow(1))
	assert.False(t, l.Allow(1))
	for key := uint64(2); key < 10_000; key++ {
		l.Allow(key)
	}
	assert.False(t, l.Allow(1))
}

func TestSlip(t *testing.T) {
	t.Parallel()
	l, slipped := ratelimit.New(1, 3), 0
	for range 9 {
		if l.Slip() {
			slipped++
		}
	}
	assert.Equal(t, 3, slipped)
	assert.Nil(t, ratelimit.New(0, 3))
}

func TestAllowDoesNotAllocate(t *testing.T) {
	l := ratelimit.New(1, 0)
	assert.Zero(t, testing.AllocsPerRun(100, func() { l.Allow(1) }))
}

func BenchmarkAllow(b *testing.B) {
	l := ratelimit.New(1000, 0)
	for b.Loop() {
		l.Allow(1)
	}
}
