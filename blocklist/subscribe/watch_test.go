package subscribe_test

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

// watching runs a subscription to a mirror that can be away, in a bubble of fake time.
type watching struct {
	*subscriber
	agency *trusttest.Agency
	mirror *trusttest.Mirror
	away   atomic.Bool
	slow   atomic.Bool // sends nothing
}

func watch(t *testing.T, do func(*testing.T, *watching)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &watching{agency: trusttest.NewAgency(t, online.Key)}
		w.mirror = w.agency.NewMirror(online)
		w.mirror.Expires = time.Now().Add(10 * hour)
		w.subscriber = newSubscriber(t, w.agency, "http://mirror.example")
		files := http.FileServer(http.Dir(w.mirror.Dir))
		w.c.PollOnly = true
		w.c.Client = &http.Client{Transport: &world{files: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			if w.slow.Load() && strings.HasSuffix(r.URL.Path, ".zst") {
				<-r.Context().Done()
				http.Error(out, "interrupted", http.StatusBadGateway)
				return
			}
			if w.away.Load() {
				http.Error(out, "away", http.StatusBadGateway)
				return
			}
			files.ServeHTTP(out, r)
		})}}
		w.restart(t, "http://mirror.example")
		do(t, w)
	})
}

// Each change is seen once, with lookups that are as new, and nothing is said of polls that change nothing.
func TestWatch(t *testing.T) {
	t.Parallel()
	watch(t, func(t *testing.T, w *watching) {
		var mu sync.Mutex
		var seen []subscribe.Status
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for st := range w.Watch(ctx) {
				_, listed := w.store.LookupHost("example.org")
				assert.Equal(t, st.Serial > 0, listed)
				mu.Lock()
				seen = append(seen, st)
				mu.Unlock()
			}
		}()
		all := func() []subscribe.Status {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			defer func() { seen = nil }()
			return seen
		}
		next := func() subscribe.Status {
			one := all()
			require.Len(t, one, 1)
			return one[0]
		}
		assert.Zero(t, next().Serial, "at once")
		w.run(t)
		synctest.Wait()
		assert.ErrorIs(t, next().Err, w.Status().Err, "there is nothing to fetch yet")

		r := w.agency.Release(1, "example.org")
		w.mirror.Publish(r)
		backdate(t, w.mirror.Dir)
		time.Sleep(time.Minute)
		changes := all()
		st := changes[len(changes)-1]
		assert.EqualValues(t, 1, st.Serial)
		assert.False(t, st.Stale)
		assert.NoError(t, st.Err)

		time.Sleep(hour)
		assert.Empty(t, all(), "polls alone are no news")

		w.away.Store(true)
		time.Sleep(hour)
		assert.Error(t, next().Err)
		time.Sleep(10 * hour)
		assert.True(t, next().Stale, "by the clock alone")
		cancel()
		<-ended
	})
}

// A slow reader misses statuses in between, and never the last one; nothing waits for it.
func TestWatchSlowly(t *testing.T) {
	t.Parallel()
	watch(t, func(t *testing.T, w *watching) {
		r := w.agency.Release(1, "example.org")
		w.mirror.Publish(r)
		w.run(t)
		var serials []uint64
		for st := range w.Watch(t.Context()) {
			if st.Serial == 0 {
				continue
			}
			if serials = append(serials, st.Serial); st.Serial == 4 {
				break
			}
			for range 3 {
				r = w.agency.Delta(r, "+more"+time.Now().Format("150405")+".example")
				w.mirror.Publish(r)
				time.Sleep(time.Minute)
			}
			assert.EqualValues(t, 4, w.Status().Serial)
		}
		assert.Equal(t, []uint64{1, 4}, serials)
	})
}

// What the guards hold, and what becomes of it, is a change.
func TestWatchHold(t *testing.T) {
	t.Parallel()
	watch(t, func(t *testing.T, w *watching) {
		w.mirror.Publish(w.agency.Release(1, "example.org"))
		require.NoError(t, w.refresh(t))
		w.mirror.Publish(w.agency.Release(2, "example.org", "com"))
		require.NoError(t, w.refresh(t))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var rejected bool
		for st := range w.Watch(ctx) {
			switch {
			case st.Hold == nil:
				assert.EqualValues(t, 2, st.Serial)
				assert.True(t, rejected)
				return
			case !st.Hold.Rejected:
				require.NoError(t, w.Reject(ctx, st.Hold.ID))
			default:
				rejected = true
				require.NoError(t, w.Accept(ctx, st.Hold.ID))
			}
		}
		t.Error("the last change is missing")
	})
}

// A decision does not wait for a mirror that sends nothing, and the poll goes on after it.
func TestDecisionsInterruptPolls(t *testing.T) {
	t.Parallel()
	watch(t, func(t *testing.T, w *watching) {
		w.mirror.Publish(w.agency.Release(1, "example.org"))
		require.NoError(t, w.refresh(t))
		held := w.agency.Release(2, "example.org", "com")
		w.mirror.Publish(held)
		require.NoError(t, w.refresh(t))
		id := w.Status().Hold.ID

		w.slow.Store(true)
		w.mirror.Publish(w.agency.Release(3, "example.org", "com", "more.example"))
		polled := make(chan error, 1)
		go func() { polled <- w.refresh(t) }()
		synctest.Wait() // it waits for the snapshot
		began := time.Now()
		require.NoError(t, w.Reject(t.Context(), id))
		synctest.Wait()
		require.NoError(t, w.Accept(t.Context(), id))
		for range w.Entries() {
		}
		assert.Less(t, time.Since(began), time.Second)
		assert.EqualValues(t, 2, w.Status().Serial)

		synctest.Wait()
		w.slow.Store(false)
		began = time.Now()
		require.Error(t, <-polled, "the last try began when the mirror was slow")
		assert.Less(t, time.Since(began), time.Minute)
		require.NoError(t, w.refresh(t))
		assert.EqualValues(t, 3, w.Status().Serial)
	})
}

// A status never lags behind lookups.
func TestStatusIsAsNewAsLookups(t *testing.T) {
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	m.Expires = time.Now().Add(hour)
	s := newSubscriber(t, a, m.Dir)
	for serial := uint64(1); serial < 10; serial++ {
		m.Publish(a.Release(serial, "example.org"))
		before := s.store.Version()
		done := make(chan error, 1)
		go func() { done <- s.refresh(t) }()
		for s.store.Version() == before {
			runtime.Gosched()
		}
		st := s.Status()
		assert.Equal(t, serial, st.Serial)
		assert.False(t, st.Stale)
		require.NoError(t, <-done)
	}
}
