package desk

import (
	"context"
	"sync"
	"time"
)

// fresh is how long a cached value counts as new. Some values depend on the time.
const fresh = time.Minute

// cached is a value that is made once for a key. A value older than [fresh] is made again beside the requests, which
// get the old one meanwhile.
type cached[T any] struct {
	mu    sync.Mutex
	key   string
	at    time.Time
	value T
	has   bool
	busy  chan struct{} // closed when the value that is being made is there
}

// get returns the value for a key. It calls do if there is none, and waits for it.
func (c *cached[T]) get(ctx context.Context, key string, do func(context.Context) (T, error)) (T, error) {
	for {
		c.mu.Lock()
		switch {
		case c.has && c.key == key && time.Since(c.at) < fresh:
			defer c.mu.Unlock()
			return c.value, nil
		case c.busy == nil && c.has && c.key == key:
			c.busy = make(chan struct{})
			defer c.mu.Unlock()
			go func() { _, _ = c.fill(context.WithoutCancel(ctx), key, do) }() // a request gets the error next time
			return c.value, nil
		case c.busy == nil:
			c.busy = make(chan struct{})
			c.mu.Unlock()
			return c.fill(context.WithoutCancel(ctx), key, do)
		case c.has && c.key == key:
			defer c.mu.Unlock()
			return c.value, nil
		}
		busy := c.busy
		c.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
	}
}

// fill makes the value. If that fails, an old one is dropped.
func (c *cached[T]) fill(ctx context.Context, key string, do func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, requestWithin)
	defer cancel()
	value, err := do(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value, c.has, c.key, c.at = value, err == nil, key, time.Now()
	close(c.busy)
	c.busy = nil
	return value, err
}
