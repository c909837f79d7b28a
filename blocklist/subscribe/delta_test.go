package subscribe_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

// chain is a history of releases on a mirror that records which files of releases are fetched.
type chain struct {
	agency  *trusttest.Agency
	mirror  *trusttest.Mirror
	release trusttest.Release
	url     string

	mu      sync.Mutex
	fetched []string
}

func newChain(t *testing.T, entries ...string) *chain {
	t.Helper()
	c := &chain{agency: trusttest.NewAgency(t, online.Key)}
	c.mirror = c.agency.NewMirror(online)
	c.release = c.agency.Release(1, entries...)
	c.mirror.Publish(c.release)
	files := http.FileServer(http.Dir(c.mirror.Dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hash, name, ok := strings.Cut(path.Base(r.URL.Path), "."); ok && len(hash) == 64 {
			c.mu.Lock()
			c.fetched = append(c.fetched, strings.TrimSuffix(name, ".txt.zst"))
			c.mu.Unlock()
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *chain) delta(changes ...string) {
	c.release = c.agency.Delta(c.release, changes...)
	c.mirror.Publish(c.release)
}

// took returns what was fetched since the last call.
func (c *chain) took() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.fetched
	c.fetched = nil
	return all
}

func (c *chain) path(t *testing.T, serial uint64) string {
	t.Helper()
	spec, err := trust.ParseTargets(c.release.Targets)
	require.NoError(t, err)
	f, ok := spec.File(serial-1, serial)
	require.True(t, ok)
	return c.mirror.Path(f.URLPath())
}

func filler(n int) []string {
	lines := []string{"example.org"}
	for i := range n {
		lines = append(lines, fmt.Sprintf("n%05d.example.net category=test", i))
	}
	return lines
}

func TestFollowByDeltas(t *testing.T) {
	t.Parallel()
	c := newChain(t, filler(1000)...)
	s := newSubscriber(t, c.agency, c.url)
	require.NoError(t, s.refresh(t))
	assert.Equal(t, []string{"snapshot-1"}, c.took())
	c.delta("+www.example.test")
	require.NoError(t, s.refresh(t))
	assert.Equal(t, []string{"delta-1-2"}, c.took())
	s.enforces(t, 2)
	_, ok := s.store.LookupHost("www.example.test")
	assert.True(t, ok)

	c.delta("-www.example.test") // an entry goes as it came
	c.delta("-n00007.example.net category=test", "+n00007.example.net category=other")
	c.delta()
	require.NoError(t, s.refresh(t))
	assert.Equal(t, []string{"delta-2-3", "delta-3-4", "delta-4-5"}, c.took())
	s.enforces(t, 5)
	_, ok = s.store.LookupHost("www.example.test")
	assert.False(t, ok)
	m, _ := s.store.LookupHost("n00007.example.net")
	assert.Equal(t, "other", m.Category)
	require.NoError(t, s.refresh(t))
	assert.Empty(t, c.took())
	assert.Len(t, keptFiles(t, s), 5, "what the list can be rebuilt from")

	got, err := s.entries()
	require.NoError(t, err)
	assert.Len(t, got, 1001)

	s.restart(t, "http://192.0.2.1") // no network: the set and its changes are on disk
	s.enforces(t, 5)
	require.NoError(t, s.store.Close())
	damage(t, s, "set-*")
	s.start(t)
	s.enforces(t, 5)
	m, _ = s.store.LookupHost("n00007.example.net")
	assert.Equal(t, "other", m.Category, "rebuilt from snapshot and deltas")
	assert.NoError(t, s.Status().Err)

	late := newSubscriber(t, c.agency, c.url)
	require.NoError(t, late.refresh(t))
	assert.Equal(t, []string{"snapshot-1", "delta-1-2", "delta-2-3", "delta-3-4", "delta-4-5"}, c.took())
	assert.Equal(t, s.Status().Digest, late.Status().Digest)
}

// damage flips a byte in the middle of the first file that matches.
func damage(t *testing.T, s *subscriber, pattern string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "lists", "it.example", "test", "_", pattern))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	b, err := os.ReadFile(files[0])
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	require.NoError(t, os.WriteFile(files[0], b, 0o600))
}

// Whatever is wrong with a delta, the snapshot is the way out, if there is one; else the last good list stays.
func TestBrokenDeltas(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*testing.T, *chain){
		"missing": func(t *testing.T, c *chain) { require.NoError(t, os.Remove(c.path(t, 3))) },
		"altered": func(t *testing.T, c *chain) { require.NoError(t, os.WriteFile(c.path(t, 3), []byte("x"), 0o600)) },
		"another's": func(t *testing.T, c *chain) {
			b, err := os.ReadFile(c.path(t, 2))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(c.path(t, 3), b, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChain(t, filler(1000)...)
			s := newSubscriber(t, c.agency, c.url)
			require.NoError(t, s.refresh(t))
			c.delta("+a.example.test")
			c.delta("+b.example.test")
			spoil(t, c)
			assert.Error(t, s.refresh(t))
			s.enforces(t, 1)

			whole := c.agency.Release(4, append(filler(1000), "c.example.test")...)
			c.mirror.Publish(whole)
			require.NoError(t, s.refresh(t))
			s.enforces(t, 4)
			assert.Len(t, keptFiles(t, s), 1)
		})
	}
}

// A delta that officers have signed and that does not lead to the digest they have signed is refused; a snapshot upon
// which it does helps.
func TestDeltaToAnotherState(t *testing.T) {
	t.Parallel()
	c := newChain(t, filler(1000)...)
	s := newSubscriber(t, c.agency, c.url)
	require.NoError(t, s.refresh(t))
	other := c.agency.Release(1, filler(1001)...) // the same serial with other entries: the history forks
	fork := c.agency.Delta(other, "+www.example.test")
	c.mirror.Publish(fork)
	err := s.refresh(t)
	require.NoError(t, err, "serial 2 is a state of its own, reached from the snapshot")
	s.enforces(t, 2)
	assert.Equal(t, uint64(1003), s.Status().Entries)
	assert.Contains(t, strings.Join(c.took(), " "), "snapshot-1 delta-1-2", "the delta alone led elsewhere")
}

func TestGapTakesSnapshot(t *testing.T) {
	t.Parallel()
	c := newChain(t, filler(1000)...)
	s := newSubscriber(t, c.agency, c.url)
	require.NoError(t, s.refresh(t))
	c.release = c.agency.Release(8, filler(1150)...)
	c.delta("+www.example.test")
	c.took()
	require.NoError(t, s.refresh(t))
	s.enforces(t, 9)
	assert.Equal(t, []string{"snapshot-8", "delta-8-9"}, c.took())
	assert.Len(t, keptFiles(t, s), 2)
}

// What a list is rebuilt from does not grow without end: those who came by deltas take the newest snapshot when they
// have kept many.
func TestKeepsNotTooMuch(t *testing.T) {
	t.Parallel()
	c := newChain(t, filler(1000)...)
	s := newSubscriber(t, c.agency, c.url)
	require.NoError(t, s.refresh(t))
	lines := filler(1000)
	for i := range 24 {
		name := fmt.Sprintf("www%02d.example.test", i)
		c.delta("+" + name)
		lines = append(lines, name)
		if i == 23 {
			header, text := c.agency.Text(25, lines...)
			c.release = c.agency.WithSnapshot(c.release, header, trusttest.Compress(t, text))
			c.mirror.Publish(c.release)
		}
		c.took()
		require.NoError(t, s.refresh(t))
		assert.Len(t, c.took(), 1)
	}
	assert.Len(t, keptFiles(t, s), 25)
	require.NoError(t, s.refresh(t))
	assert.Equal(t, []string{"snapshot-25"}, c.took())
	assert.Len(t, keptFiles(t, s), 1)
	require.NoError(t, s.refresh(t))
	assert.Empty(t, c.took())
	require.NoError(t, s.store.Close())
	damage(t, s, "set-*")
	s.start(t)
	s.enforces(t, 25)
}

func TestDamagedJournal(t *testing.T) {
	t.Parallel()
	c := newChain(t, filler(10)...)
	s := newSubscriber(t, c.agency, c.url)
	require.NoError(t, s.refresh(t))
	c.delta("+www.example.test")
	require.NoError(t, s.refresh(t))
	require.NoError(t, s.store.Close())
	damage(t, s, "*.journal")
	s.start(t)
	s.enforces(t, 2)
	info, ok := s.store.List(trusttest.List)
	require.True(t, ok)
	require.NoError(t, info.Err)
	_, listed := s.store.LookupHost("www.example.test")
	assert.True(t, listed)
	assert.NotErrorIs(t, s.Status().Err, blocklist.ErrDamaged)
}
