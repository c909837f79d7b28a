package origin_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/origin"
)

// listen opens the announcements of a server; the channel closes with the connection.
func listen(t *testing.T, url string) (<-chan string, http.Header) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	events := make(chan string, 100)
	go func() {
		defer close(events)
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				events <- data
			}
		}
	}()
	return events, resp.Header
}

func next(t *testing.T, events <-chan string) string {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(10 * time.Second):
		return "nothing"
	}
}

func said(serial int) string {
	return fmt.Sprintf(`{"list":%q,"serial":%d}`, trusttest.List, serial)
}

func TestEvents(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	server := httptest.NewServer(h.Handler())
	t.Cleanup(server.Close)
	events, header := listen(t, server.URL+"/events")
	assert.Equal(t, "text/event-stream", header.Get("Content-Type"))
	assert.Equal(t, "no", header.Get("X-Accel-Buffering"))
	filtered, _ := listen(t, server.URL+"/events?list=it.example/other")
	named, _ := listen(t, server.URL+"/events?list=it.example/other&list="+trusttest.List)
	r := h.agency.Release(1, "example.org")
	require.NoError(t, h.push(t, r))
	assert.Equal(t, said(1), next(t, events))
	assert.Equal(t, said(1), next(t, named))
	require.NoError(t, h.push(t, r), "the same again is no news")
	require.NoError(t, h.push(t, h.agency.Delta(r, "+example.net")))
	assert.Equal(t, said(2), next(t, events))
	late, _ := listen(t, server.URL+"/events")
	assert.Equal(t, said(2), next(t, late), "who comes late is told where things stand")
	assert.Empty(t, filtered)
	resp, err := http.Get(server.URL + "/events?" + strings.Repeat("list=a&", 65))
	require.NoError(t, err)
	assert.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
}

// What another process publishes in the folder is announced, too; when Run ends, so do the connections.
func TestEventsOfOthers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	other, err := origin.Open(h.dir, origin.Options{})
	require.NoError(t, err)
	server := httptest.NewServer(other.Handler())
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() { other.Run(ctx) })
	require.NoError(t, h.push(t, h.agency.Release(1, "example.org")))
	events, _ := listen(t, server.URL+"/events")
	assert.Equal(t, said(1), next(t, events))
	require.NoError(t, h.push(t, h.agency.Release(2, "example.net")))
	assert.Equal(t, said(2), next(t, events))
	cancel()
	running.Wait()
	_, open := <-events
	assert.False(t, open)
	resp, err := http.Get(server.URL + "/events")
	require.NoError(t, err)
	assert.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	assert.NotEmpty(t, resp.Header.Get("Retry-After"))
	require.NoError(t, resp.Body.Close())
}

// stream collects what is written, until it breaks.
type stream struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	broken bool
}

func (s *stream) Header() http.Header { return http.Header{} }
func (s *stream) WriteHeader(int)     {}
func (s *stream) Flush()              {}
func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return 0, errors.New("too slow")
	}
	return s.buf.Write(b)
}

func TestHeartbeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		s := &stream{}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			h.Handler().ServeHTTP(s, httptest.NewRequestWithContext(t.Context(), "GET", "/events", nil))
		}()
		time.Sleep(time.Minute + time.Second)
		s.mu.Lock()
		assert.Equal(t, strings.Repeat(":\n\n", 5), s.buf.String())
		s.broken = true
		s.mu.Unlock()
		time.Sleep(15 * time.Second)
		<-ended // a listener that takes nothing more is dropped
	})
}

// TestManyListeners has a thousand connections, all of which know within a second.
func TestManyListeners(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	server := httptest.NewServer(h.Handler())
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	const many = 1000
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var ready, told sync.WaitGroup
	times := make([]time.Time, many)
	ready.Add(many)
	for i := range many {
		told.Go(func() {
			req, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/events?list="+trusttest.List, nil)
			require.NoError(t, err)
			resp, err := client.Do(req)
			if !assert.NoError(t, err) {
				ready.Done()
				return
			}
			defer resp.Body.Close()
			lines := bufio.NewScanner(resp.Body)
			lines.Scan() // the first comment
			ready.Done()
			for lines.Scan() {
				if strings.HasPrefix(lines.Text(), "data:") {
					times[i] = time.Now()
					return
				}
			}
		})
	}
	ready.Wait()
	require.NoError(t, h.push(t, h.agency.Release(1, "example.org")))
	published := time.Now()
	told.Wait()
	last := published
	for _, at := range times {
		require.False(t, at.IsZero())
		if at.After(last) {
			last = at
		}
	}
	t.Logf("%d listeners knew within %s of the push's end", many, last.Sub(published).Round(time.Millisecond))
}
