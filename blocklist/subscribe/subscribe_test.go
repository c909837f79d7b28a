package subscribe_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

func TestFollow(t *testing.T) {
	t.Parallel()
	o, a, server := newOrigin(t)
	push(t, o, a, a.Release(1, "example.org"))
	s := newSubscriber(t, a, server.URL)
	s.enforces(t, 0)
	assert.True(t, s.Status().Stale)

	changed, err := s.Refresh(t.Context())
	require.NoError(t, err)
	assert.True(t, changed)
	s.enforces(t, 1)
	st := s.Status()
	assert.Equal(t, server.URL, st.Origin)
	assert.Equal(t, uint64(1), st.Entries)
	assert.False(t, st.Stale)
	assert.NoError(t, st.Err)
	assert.WithinDuration(t, time.Now(), st.Checked, time.Minute)
	assert.WithinDuration(t, time.Now().Add(24*hour), st.Expires, time.Minute)

	changed, err = s.Refresh(t.Context())
	require.NoError(t, err)
	assert.False(t, changed)
	push(t, o, a, a.Release(2, "example.org", "=www.example.net"))
	changed, err = s.Refresh(t.Context())
	require.NoError(t, err)
	assert.True(t, changed)
	s.enforces(t, 2)
	_, ok := s.store.LookupHost("www.example.net")
	assert.True(t, ok)
	push(t, o, a, a.Release(3, "=www.example.net"))
	require.NoError(t, s.refresh(t))
	_, ok = s.store.LookupHost("example.org")
	assert.False(t, ok, "what was removed is free again")
}

// A poll without news is one conditional request, once the timestamp's date is past doubt.
func TestPollsAreConditional(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	m.Publish(a.Release(1, "example.org"))
	answers := map[int]int{}
	files := http.FileServer(http.Dir(m.Dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		files.ServeHTTP(rec, r)
		answers[rec.Code]++
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	}))
	defer server.Close()
	s := newSubscriber(t, a, server.URL)
	require.NoError(t, s.refresh(t))
	clear(answers)
	require.NoError(t, s.refresh(t))
	assert.Zero(t, answers[http.StatusNotModified], "a file of this second may change within it")

	past := time.Now().Add(-time.Minute)
	require.NoError(t, os.Chtimes(m.Path("timestamp.json"), past, past))
	require.NoError(t, s.refresh(t))
	clear(answers)
	require.NoError(t, s.refresh(t))
	assert.Equal(t, map[int]int{http.StatusNotModified: 1}, answers)
	m.Publish(a.Release(2, "example.org"))
	require.NoError(t, s.refresh(t))
	s.enforces(t, 2)
}

func TestFailOver(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	m.Publish(a.Release(1, "example.org"))
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer liar.Close()
	s := newSubscriber(t, a, dead.URL, liar.URL, t.TempDir(), m.Dir)
	require.NoError(t, s.refresh(t))
	s.enforces(t, 1)
	assert.Equal(t, m.Dir, s.Status().Origin)
}

// Restarted without network, the list is enforced at once, even if its set is damaged.
func TestRestartWithoutNetwork(t *testing.T) {
	t.Parallel()
	o, a, server := newOrigin(t)
	push(t, o, a, a.Release(1, "example.org"))
	s := newSubscriber(t, a, server.URL)
	require.NoError(t, s.refresh(t))
	s.restart(t, "http://192.0.2.1")
	s.enforces(t, 1)
	assert.False(t, s.Status().Stale)

	require.NoError(t, s.store.Close())
	sets, err := filepath.Glob(filepath.Join(s.dir, "lists", "it.example", "test", "_", "set-*"))
	require.NoError(t, err)
	require.Len(t, sets, 1)
	b, err := os.ReadFile(sets[0])
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	require.NoError(t, os.WriteFile(sets[0], b, 0o600))
	s.start(t)
	s.enforces(t, 1)

	require.NoError(t, s.store.Close())
	require.NoError(t, os.RemoveAll(filepath.Join(s.dir, "lists")))
	s.start(t)
	s.enforces(t, 0)
}

func TestEntries(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	m.Publish(a.Release(1, "example.org", "=www.example.net"))
	s := newSubscriber(t, a, m.Dir)
	_, err := s.entries()
	assert.ErrorContains(t, err, "nothing is held")
	require.NoError(t, s.refresh(t))
	got, err := s.entries()
	require.NoError(t, err)
	assert.Equal(t, []string{"=www.example.net", "example.org"}, got)

	kept := keptFiles(t, s)
	require.Len(t, kept, 1)
	b, err := os.ReadFile(kept[0])
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	require.NoError(t, os.WriteFile(kept[0], b, 0o600))
	_, err = s.entries()
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	require.NoError(t, os.Remove(kept[0]))
	_, err = s.entries()
	assert.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, s.refresh(t), "it is fetched again")
	assert.Equal(t, kept, keptFiles(t, s))
}

// entries collects the lines of the list that is held.
func (s *subscriber) entries() (all []string, err error) {
	for e, err := range s.Entries() {
		if err != nil {
			return all, err
		}
		all = append(all, e.String())
	}
	return all, nil
}

func keptFiles(t *testing.T, s *subscriber) []string {
	t.Helper()
	dir := signed(t, s.store, trusttest.List).Dir()
	files, err := filepath.Glob(filepath.Join(dir, "release*"))
	require.NoError(t, err)
	return files
}

// Run follows by itself, tells of trouble once, and ends with its context.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := trusttest.NewAgency(t, online.Key)
		m := a.NewMirror(online)
		m.Publish(a.Release(1, "example.org"))
		var log records
		s := newSubscriber(t, a, m.Dir)
		s.c.Log = slog.New(&log)
		s.restart(t, m.Dir)
		go func() { assert.ErrorIs(t, s.Run(t.Context()), t.Context().Err()) }()
		synctest.Wait()
		s.enforces(t, 1)
		m.Publish(a.Release(2, "example.org"))
		time.Sleep(34 * time.Second)
		s.enforces(t, 2)

		time.Sleep(30 * time.Minute)
		assert.NoError(t, s.Status().Err)
		assert.Len(t, log.seen, 2, "two releases")
		m.Write("timestamp.json", []byte("<html>"))
		time.Sleep(20 * time.Minute)
		assert.ErrorIs(t, s.Status().Err, blocklist.ErrMalformed)
		assert.False(t, s.Status().Stale)
		time.Sleep(hour)
		assert.True(t, s.Status().Stale)
		s.enforces(t, 2)
		m.Expires = time.Now().Add(hour)
		m.Publish(a.Release(3, "example.org"))
		time.Sleep(4 * time.Minute)
		s.enforces(t, 3)
		assert.False(t, s.Status().Stale)
		assert.Equal(t, []string{
			"INFO enforcing a new release", "INFO enforcing a new release", "WARN keeping the last good list",
			"ERROR the list is stale: no origin proves what the newest release is",
			"INFO enforcing a new release", "INFO the list is followed again",
		}, log.seen)
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	unsigned := trusttest.NewAgency(t, online.Key)
	unsigned.Officers = unsigned.Officers[:2]
	tests := map[string]struct {
		spoil func(*subscribe.Config)
		want  error
	}{
		"no list":          {func(c *subscribe.Config) { c.List = "" }, blocklist.ErrMalformed},
		"no root":          {func(c *subscribe.Config) { c.Root = nil }, blocklist.ErrMalformed},
		"root of another":  {func(c *subscribe.Config) { c.List = "it.example/other" }, blocklist.ErrUntrusted},
		"other scheme":     {func(c *subscribe.Config) { c.Origins = []string{"ftp://origin.example"} }, blocklist.ErrMalformed},
		"no host":          {func(c *subscribe.Config) { c.Origins = []string{"https://"} }, blocklist.ErrMalformed},
		"query in the URL": {func(c *subscribe.Config) { c.Origins = []string{"https://origin.example/?x"} }, blocklist.ErrMalformed},
		"no origin":        {func(c *subscribe.Config) { c.Origins = nil }, nil},
	}
	store, err := blocklist.Open(t.TempDir(), blocklist.Options{})
	require.NoError(t, err)
	defer store.Close()
	for name, test := range tests {
		c := subscribe.Config{List: a.List, Root: a.Roots[0], Origins: []string{"https://origin.example"}}
		test.spoil(&c)
		_, err := subscribe.New(store, c)
		require.Error(t, err, name)
		assert.True(t, test.want == nil || errors.Is(err, test.want), name)
	}
	_, ok := store.List(a.List)
	assert.False(t, ok, "New leaves nothing behind")
}
