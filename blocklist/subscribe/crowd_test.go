package subscribe_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/testdata/longtest"
)

// TestCrowd has many whole subscribers on one origin. ARGINE_CROWD says how many.
func TestCrowd(t *testing.T) {
	t.Parallel()
	many := number("ARGINE_CROWD", longtest.Rounds(10, 30))
	o, a, _ := newOrigin(t)
	r := a.Release(1, "example.org")
	push(t, o, a, r)
	count := &requests{seen: map[string]int{}}
	server := httptest.NewServer(count.of(o.Handler()))
	t.Cleanup(server.Close)
	crowd := newCrowd(t, a, many, server.URL)
	arrive(t, crowd, 1)
	require.Eventually(t, func() bool { return count.listeners() >= many }, time.Minute, time.Millisecond)
	time.Sleep(300 * time.Millisecond)
	count.clear()
	pushed := time.Now()
	push(t, o, a, a.Delta(r, "+example.net"))
	accepted := time.Now()
	arrive(t, crowd, 2)
	took := time.Since(accepted)
	time.Sleep(time.Second) // anyone who hammers does so now
	count.mu.Lock()
	defer count.mu.Unlock()
	total := 0
	for _, n := range count.seen {
		total += n
	}
	t.Logf("%d subscribers, accepted in %s: all asked within %s, all enforced it within %s; %.1f requests each: %v", many,
		accepted.Sub(pushed).Round(time.Millisecond), count.last.Sub(accepted).Round(time.Millisecond), took.Round(time.Millisecond),
		float64(total)/float64(many), count.seen)
	assert.LessOrEqual(t, total, 6*many, "timestamp, next root, snapshot, targets, delta")
	for _, s := range crowd {
		_, listed := s.store.LookupHost("example.net")
		assert.True(t, listed)
		assert.NotErrorIs(t, s.Status().Err, blocklist.ErrGap)
	}
}

// newCrowd starts subscribers, a few at a time: what matters is not how fast a thousand come up on one machine.
func newCrowd(t *testing.T, a *trusttest.Agency, many int, url string) []*subscriber {
	t.Helper()
	crowd := make([]*subscriber, many)
	for i := range crowd {
		s := &subscriber{dir: t.TempDir(), c: subscribe.Config{List: a.List, Root: a.Roots[0], Origins: []string{url}, Interval: time.Hour}}
		s.start(t)
		t.Cleanup(func() { assert.NoError(t, s.store.Close()) })
		crowd[i] = s
	}
	var starting sync.WaitGroup
	turns := make(chan struct{}, 8)
	for _, s := range crowd {
		turns <- struct{}{}
		starting.Go(func() {
			defer func() { <-turns }()
			for tries := 0; ; tries++ {
				if _, err := s.Refresh(t.Context()); err == nil || !assert.Less(t, tries, 5, "%v", err) {
					return
				}
			}
		})
	}
	starting.Wait()
	for _, s := range crowd {
		s.run(t)
	}
	return crowd
}

// arrive waits until all enforce a serial.
func arrive(t *testing.T, crowd []*subscriber, serial uint64) {
	t.Helper()
	start := time.Now()
	for _, s := range crowd {
		for s.Status().Serial != serial {
			require.Less(t, time.Since(start), 5*time.Minute, "%v", s.Status().Err)
			time.Sleep(time.Millisecond)
		}
	}
}

// requests counts what an origin is asked for.
type requests struct {
	mu        sync.Mutex
	seen      map[string]int
	last      time.Time // for a timestamp
	listening int
}

func (c *requests) of(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		c.mu.Lock()
		c.seen[name]++
		switch name {
		case "timestamp.json":
			c.last = time.Now()
		case "events":
			c.listening++
			defer func() { c.mu.Lock(); c.listening--; c.mu.Unlock() }()
		}
		c.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

func (c *requests) clear() {
	c.mu.Lock()
	clear(c.seen)
	c.mu.Unlock()
}

func (c *requests) listeners() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.listening
}
