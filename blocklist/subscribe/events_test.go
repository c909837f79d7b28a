package subscribe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

func (s *subscriber) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { assert.ErrorIs(t, s.Run(ctx), context.Canceled) })
	t.Cleanup(func() { cancel(); running.Wait() })
}

// An announcement saves the wait for the next poll.
func TestHintMakesItPoll(t *testing.T) {
	t.Parallel()
	o, a, server := newOrigin(t)
	r := a.Release(1, "example.org")
	push(t, o, a, r)
	s := newSubscriber(t, a, server.URL)
	s.c.Interval = time.Hour
	s.restart(t, server.URL)
	s.run(t)
	require.Eventually(t, func() bool { return s.Status().Serial == 1 }, 10*time.Second, time.Millisecond)
	for serial := uint64(2); serial < 6; serial++ {
		r = a.Delta(r, fmt.Sprintf("+n%d.example.test", serial))
		push(t, o, a, r)
		require.Eventually(t, func() bool { return s.Status().Serial == serial }, 10*time.Second, time.Millisecond)
	}
	s.enforces(t, 5)
}

// world answers without a network: files of a mirror, and announcements as the test says.
type world struct {
	files  http.Handler
	events func(http.ResponseWriter, *http.Request)
	polls  atomic.Int64
	asked  atomic.Int64 // for events
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/events") {
		w.asked.Add(1)
		in, out := io.Pipe()
		rec := httptest.NewRecorder()
		w.events(rec, r)
		go func() {
			_, _ = out.Write(rec.Body.Bytes())
			<-r.Context().Done()
			out.CloseWithError(r.Context().Err())
		}()
		resp := rec.Result()
		resp.Body = in
		return resp, nil
	}
	if strings.HasSuffix(r.URL.Path, "/timestamp.json") {
		w.polls.Add(1)
	}
	rec := httptest.NewRecorder()
	w.files.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// inWorld runs a subscription in a bubble of fake time.
func inWorld(t *testing.T, events func(http.ResponseWriter, *http.Request), do func(*testing.T, *world, *subscriber)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := trusttest.NewAgency(t, online.Key)
		m := a.NewMirror(online)
		m.Expires = time.Now().Add(1000 * hour)
		m.Publish(a.Release(1, "example.org"))
		backdate(t, m.Dir)
		w := &world{files: http.FileServer(http.Dir(m.Dir)), events: events}
		s := newSubscriber(t, a, "http://origin.example")
		s.c.Client = &http.Client{Transport: w}
		s.restart(t, "http://origin.example")
		s.run(t)
		synctest.Wait()
		s.enforces(t, 1)
		do(t, w, s)
	})
}

// backdate dates files back in fake time, so that a poll is answered with 304 Not Modified.
func backdate(t *testing.T, dir string) {
	t.Helper()
	then := time.Now().Add(-hour)
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(path, then, then))
	}))
}

func stream(text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, text)
	}
}

// A mirror of files announces nothing, and is not asked for it all the time; polling goes on.
func TestMirrorWithoutEvents(t *testing.T) {
	t.Parallel()
	inWorld(t, http.NotFound, func(t *testing.T, w *world, _ *subscriber) {
		time.Sleep(3 * hour)
		assert.InDelta(t, 12, w.asked.Load(), 6)
		assert.InDelta(t, 360, w.polls.Load(), 40)
	})
}

// An origin that is down is asked less and less often.
func TestEventsBackOff(t *testing.T) {
	t.Parallel()
	down := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	inWorld(t, down, func(t *testing.T, w *world, _ *subscriber) {
		time.Sleep(5 * time.Second)
		assert.LessOrEqual(t, w.asked.Load(), int64(5))
		time.Sleep(3 * hour)
		assert.InDelta(t, 45, w.asked.Load(), 15)
	})
}

// A connection without heartbeats is given up, and made again.
func TestSilentEvents(t *testing.T) {
	t.Parallel()
	inWorld(t, stream(":\n\n"), func(t *testing.T, w *world, _ *subscriber) {
		time.Sleep(40 * time.Second)
		assert.Equal(t, int64(1), w.asked.Load())
		time.Sleep(10 * time.Second)
		assert.Equal(t, int64(2), w.asked.Load())
	})
}

// Announcements that lead to nothing make a subscriber poll a little more often, never less, whatever they say.
func TestLyingEvents(t *testing.T) {
	t.Parallel()
	lie := fmt.Sprintf("data: {\"list\":%q,\"serial\":99}\n\n", trusttest.List)
	for name, text := range map[string]string{
		"newer":    strings.Repeat(lie, 1000),
		"other":    strings.Repeat("data: {\"list\":\"it.example/other\",\"serial\":99}\n\n", 1000),
		"older":    strings.Repeat(strings.Replace(lie, "99", "1", 1), 1000),
		"too long": "data: " + strings.Repeat("x", 10_000) + "\n\n",
		"no JSON":  strings.Repeat("data: serial=99\n\n", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, stream(text), func(t *testing.T, w *world, s *subscriber) {
				time.Sleep(hour)
				assert.InDelta(t, 180, w.polls.Load(), 65)
				assert.NoError(t, s.Status().Err)
			})
		})
	}
}

// Anyone who starts before the network does has the list a moment after, and does not hammer an origin that stays away.
func TestFirstPollsFail(t *testing.T) {
	t.Parallel()
	for name, failing := range map[string]int64{"late": 4, "gone": 1 << 40} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := trusttest.NewAgency(t, online.Key)
				m := a.NewMirror(online)
				m.Expires = time.Now().Add(1000 * hour)
				m.Publish(a.Release(1, "example.org"))
				backdate(t, m.Dir)
				w := &world{events: http.NotFound}
				mirror := http.FileServer(http.Dir(m.Dir))
				w.files = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if w.polls.Load() <= failing {
						rw.WriteHeader(http.StatusBadGateway)
						return
					}
					mirror.ServeHTTP(rw, r)
				})
				s := newSubscriber(t, a, "http://origin.example")
				s.c.Client = &http.Client{Transport: w}
				s.restart(t, "http://origin.example")
				s.run(t)
				time.Sleep(20 * time.Second)
				assert.LessOrEqual(t, w.polls.Load(), int64(6))
				assert.Equal(t, name == "late", s.Status().Serial == 1)
				time.Sleep(3 * hour)
				if name == "gone" {
					assert.InDelta(t, 95, w.polls.Load(), 15, "every two minutes")
				}
			})
		})
	}
}

func TestPollOnly(t *testing.T) {
	t.Parallel()
	o, a, server := newOrigin(t)
	push(t, o, a, a.Release(1, "example.org"))
	s := newSubscriber(t, a, server.URL)
	s.c.PollOnly = true
	var asked atomic.Int64
	s.c.Client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/events") {
			asked.Add(1)
		}
		return http.DefaultTransport.RoundTrip(r)
	})}
	s.restart(t, server.URL)
	s.run(t)
	require.Eventually(t, func() bool { return s.Status().Serial == 1 }, 10*time.Second, time.Millisecond)
	time.Sleep(50 * time.Millisecond)
	assert.Zero(t, asked.Load())
}
