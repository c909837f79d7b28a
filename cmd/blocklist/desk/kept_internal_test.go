package desk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// keptPages counts how often pages are made.
type keptPages struct {
	kept

	made atomic.Int64
}

func (k *keptPages) read(t *testing.T, of state, key string) string {
	t.Helper()
	p, err := k.get(t.Context(), of, key, func(context.Context) (*answer, error) {
		text := fmt.Appendf(nil, "%s %d", key, k.made.Add(1))
		time.Sleep(time.Second)
		return newAnswer(200, "en", text), nil
	})
	if !assert.NoError(t, err) {
		return ""
	}
	return string(p.text)
}

// A page is made once for each state, for all who ask for it, and again after a time.
func TestKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var k keptPages
		now, later := state{folders: "1"}, state{folders: "2"}
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() { assert.Equal(t, "a 1", k.read(t, now, "a")) })
		}
		all.Wait()
		assert.Equal(t, "b 2", k.read(t, now, "b"))
		assert.Equal(t, "a 1", k.read(t, now, "a"))
		assert.Equal(t, "a 3", k.read(t, later, "a"))
		assert.Equal(t, "b 4", k.read(t, later, "b"), "nothing of an older state is shown")
		time.Sleep(fresh - time.Second)
		assert.Equal(t, "b 4", k.read(t, later, "b"))
		assert.Equal(t, "a 5", k.read(t, later, "a"))
		assert.Equal(t, len("a 5")+len("b 4"), k.size)
	})
}

// A page that is made while the state changes is not kept for the new one.
func TestKeptMoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var k keptPages
		go k.read(t, state{folders: "1"}, "a")
		synctest.Wait()
		assert.Equal(t, "b 2", k.read(t, state{folders: "2"}, "b"))
		assert.Equal(t, "a 3", k.read(t, state{folders: "2"}, "a"))
		assert.Equal(t, len("b 2")+len("a 3"), k.size)
	})
}

// What fails is not kept, and holds no one up. One who leaves takes nothing from those who wait.
func TestKeptFails(t *testing.T) {
	t.Parallel()
	var k keptPages
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := k.get(ctx, state{}, "a", func(ctx context.Context) (*answer, error) { return nil, errors.New("broken") })
	require.EqualError(t, err, "broken")
	assert.Panics(t, func() {
		_, _ = k.get(ctx, state{}, "a", func(ctx context.Context) (*answer, error) { panic("a mistake") })
	})
	p, err := k.get(ctx, state{}, "a", func(ctx context.Context) (*answer, error) { return newAnswer(200, "en", nil), ctx.Err() })
	require.NoError(t, err)
	assert.Equal(t, 200, p.status)
}

// The pages that are kept have a limit together.
func TestKeptLimit(t *testing.T) {
	t.Parallel()
	var k kept
	text := make([]byte, maxKept/10)
	for i := range 35 {
		_, err := k.get(t.Context(), state{}, fmt.Sprint(i), func(context.Context) (*answer, error) { return &answer{text: text, lasts: fresh}, nil })
		require.NoError(t, err)
		assert.LessOrEqual(t, k.size, maxKept+len(text))
	}
	assert.Less(t, len(k.pages), 15)
}
