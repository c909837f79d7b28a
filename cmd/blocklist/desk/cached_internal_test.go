package desk

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A value with a limit is not given when it is older; those who ask together wait for the same new one.
func TestCachedLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, n := cached[int]{limit: 10 * time.Second}, 0
		expect := func(want int) {
			t.Helper()
			got, err := c.get(t.Context(), "a", func(context.Context) (int, error) {
				n++
				now := n
				time.Sleep(time.Second)
				return now, nil
			})
			require.NoError(t, err)
			assert.Equal(t, want, got)
		}
		expect(1)
		time.Sleep(9 * time.Second)
		expect(1)
		time.Sleep(time.Second)
		go expect(2)
		expect(2)
		synctest.Wait()
	})
}

// A value is made once for a key. An old one is given while it is made again, and one that takes longer than a request is
// there for the next one.
func TestCached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c cached[int]
		n, takes, fails := 0, time.Second, error(nil)
		get := func(key string) (int, error) {
			ctx, cancel := context.WithTimeout(t.Context(), requestWithin)
			defer cancel()
			return c.get(ctx, key, func(context.Context) (int, error) {
				n++
				now, err := n, fails
				time.Sleep(takes)
				return now, err
			})
		}
		expect := func(want int, key string) {
			t.Helper()
			got, err := get(key)
			require.NoError(t, err)
			assert.Equal(t, want, got)
		}
		go expect(1, "a")
		expect(1, "a")
		time.Sleep(fresh)
		expect(1, "a")
		time.Sleep(2 * time.Second)
		expect(2, "a")
		go expect(3, "b")
		synctest.Wait()
		expect(4, "c")

		takes = requestWithin * 3 / 2
		_, err := get("d")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		expect(4, "c")
		expect(5, "d")

		takes, fails = 0, errors.New("broken")
		_, err = get("e")
		require.ErrorIs(t, err, fails)
		fails = nil
		expect(7, "e")
	})
}
