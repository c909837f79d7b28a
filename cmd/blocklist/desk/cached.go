package desk

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"
)

// fresh is the age at which a cached value is made again, because some values depend on the current time.
const fresh = time.Minute

// fillWithin limits the time for making a value. It is longer than the limit of a request: a value that takes so long
// is of use to the next requests.
const fillWithin = 10 * time.Minute

// cached is a value that is made once for each key. A value older than [fresh] is made again in the background.
// Meanwhile requests get the old value, unless a limit on its age is set.
type cached[T any] struct {
	limit time.Duration // maximum age of a value that a request gets; 0: no limit

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

// get returns the value for a key. If there is no value, get calls do to make it, and waits.
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

// latest is like get, but if the value for the key is not there within wait, latest returns the last value for another
// key, and false. The value for the key is then made in the background.
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

// find returns the value for a key, or else the value that is being made, which may be one for another key. If the
// value for the key is missing or too old, and no value is being made, find starts making it.
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

// fill makes a value. If that fails, it also drops the old value.
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
