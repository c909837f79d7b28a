package desk

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Limits of the pages that the desk keeps.
const (
	maxKept  = 64 << 20    // maximum total size of all cached pages, in bytes
	clockFor = time.Second // how long a page with a countdown is cached; other pages are cached for [fresh]
)

// kept has the pages that were made from one state of the agency's folder, by key. All requests for a page share it; a
// request that comes while the page is being made waits for it.
type kept struct {
	mu    sync.Mutex
	of    state
	pages map[string]*keptPage
	size  int
}

type keptPage struct {
	page  *answer
	err   error
	since time.Time     // when the page was made; zero: it is being made
	done  chan struct{} // closed when the page was made
}

// making is a function that makes a page.
type making func(context.Context) (*answer, error)

var errNotMade = errors.New("the page was not made")

// get returns the page with this key. If there is no page, or if it is too old, get calls the function do to make it.
func (k *kept) get(ctx context.Context, of state, key string, do making) (*answer, error) {
	p, has := k.find(of, key)
	if !has {
		k.make(context.WithoutCancel(ctx), key, p, do) // others may wait for it
		return p.page, p.err
	}
	select {
	case <-p.done:
		return p.page, p.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// find returns the page with this key. It returns false if the caller must make the page, because there is none or it
// is too old. If another request is making it, find returns true.
func (k *kept) find(of state, key string) (p *keptPage, has bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pages == nil || k.of != of || k.size > maxKept {
		k.of, k.pages, k.size = of, map[string]*keptPage{}, 0
	}
	p = k.pages[key]
	if p != nil && (p.since.IsZero() || time.Since(p.since) < p.page.lasts) {
		return p, true
	}
	if p != nil {
		k.size -= len(p.page.text)
	}
	p = &keptPage{err: errNotMade, done: make(chan struct{})}
	k.pages[key] = p
	return p, false
}

func (k *kept) make(ctx context.Context, key string, p *keptPage, do making) {
	defer close(p.done)
	defer k.settle(key, p)
	ctx, cancel := context.WithTimeout(ctx, requestWithin)
	defer cancel()
	p.page, p.err = do(ctx)
}

// settle ends the making of a page. It keeps the page for later requests, unless making it has failed, or [kept.find]
// has dropped all pages meanwhile.
func (k *kept) settle(key string, p *keptPage) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.pages[key] != p:
	case p.err != nil:
		delete(k.pages, key)
	default:
		p.since = time.Now()
		k.size += len(p.page.text)
	}
}
