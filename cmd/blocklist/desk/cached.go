package desk

import (
	"cmp"
	"context"
	"sync"
	"time"
)

// fresh is how long a cached value counts as new. Some values depend on the time.
const fresh = time.Minute

// fillWithin limits the making of a value. A long list has values that take longer than a request may; they are made
// all the same, for the requests that follow.
const fillWithin = 10 * time.Minute

// cached is a value that is made once for a key. A value older than [fresh] is made again beside the requests, which
// get the old one meanwhile, unless there is a limit.
type cached[T any] struct {
	limit time.Duration // a value older than this is given to no one; 0: there is no limit

	mu    sync.Mutex
	last  *filling[T] // nil: there is no value
	since time.Time   // when the last one was made
	now   *filling[T] // nil: none is being made
}

// filling is a value that is being made, or was made.
type filling[T any] struct {
	key   string
	done  chan struct{} // closed when the value is there
	value T
	err   error
}

// get returns the value for a key. If there is none, do makes it, and get waits for that.
func (c *cached[T]) get(ctx context.Context, key string, do func(context.Context) (T, error)) (T, error) {
	for {
		f := c.find(ctx, key, do)
		select {
		case <-f.done:
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
		if f.key == key {
			return f.value, f.err
		}
	}
}

// find returns the value for a key, or else the value that is being made, which may be that for another key. If there
// is none for the key, or if it is too old, and none is being made, find has it made.
func (c *cached[T]) find(ctx context.Context, key string, do func(context.Context) (T, error)) *filling[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	has := c.last != nil && c.last.key == key
	old := time.Since(c.since) >= cmp.Or(c.limit, fresh)
	if c.now == nil && (!has || old) {
		c.now = &filling[T]{key: key, done: make(chan struct{})}
		go c.fill(context.WithoutCancel(ctx), c.now, do)
	}
	if has && (!old || c.limit == 0) {
		return c.last
	}
	return c.now
}

// fill makes a value. If that fails, an old one is dropped.
func (c *cached[T]) fill(ctx context.Context, f *filling[T], do func(context.Context) (T, error)) {
	ctx, cancel := context.WithTimeout(ctx, fillWithin)
	defer cancel()
	f.value, f.err = do(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.last, c.since = nil, f, time.Now()
	if f.err != nil {
		c.last = nil
	}
	close(f.done)
}
