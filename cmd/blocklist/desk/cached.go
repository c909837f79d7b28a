package desk

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"
)

// fresh is the maximum age of a cached value before it is made again. Values have a maximum age because some depend on
// the current time.
const fresh = time.Minute

// fillWithin limits the time for making a cached value. It is longer than the time limit of a request, since later
// requests can use the value.
const fillWithin = 10 * time.Minute

// cached caches one value, which belongs to a key. If a request finds a value older than [fresh], a new one is made in
// the background, and the request gets the old one. If the field limit is set, it takes the place of fresh, and the
// request waits for the new value.
type cached[T any] struct {
	limit time.Duration // maximum age of a value that a request gets; 0: any age

	mu    sync.Mutex
	last  *filling[T] // value made last; nil: none
	since time.Time   // when the last value was made
	now   *filling[T] // value that is being made; nil: none
}

// filling is a value that is being made, or was made.
type filling[T any] struct {
	key   string
	done  chan struct{} // closed when the value is there
	value T
	err   error
}

// get returns the value for a key. If there is none, or if it is older than the limit, get calls the function do to
// make it, and waits.
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

// latest is like get, but if a value was made before, maybe for another key, it waits only for a limited time (the
// argument wait). After that time, it returns the earlier value and false. The value for the given key is still made in
// the background.
func (c *cached[T]) latest(ctx context.Context, wait time.Duration, key string, do func(context.Context) (T, error)) (
	value T, current bool, err error,
) {
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	if last != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, wait)
		defer cancel()
	}
	value, err = c.get(ctx, key, do)
	if last != nil && err != nil && errors.Is(err, context.DeadlineExceeded) {
		return last.value, false, nil
	}
	return value, err == nil, err
}

// find returns the value for a key. If there is none, it returns the value that is being made, which may be for another
// key. If the value for the key is missing or old, and no value is being made, find starts making it.
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

// fill calls the function do, stores its result in f, and makes f the last value. If do fails, there is no last value.
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
