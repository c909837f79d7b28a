package subscribe_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/testdata/longtest"
)

// mirrored is the copy of a list that Mirror keeps, and the configuration that it copies with.
type mirrored struct {
	dir string
	c   subscribe.Config
}

func newCopy(t *testing.T, a *trusttest.Agency, origins ...string) mirrored {
	t.Helper()
	return mirrored{dir: t.TempDir(), c: subscribe.Config{List: a.List, Root: a.Roots[0], Origins: origins}}
}

func (m mirrored) update(t *testing.T) (subscribe.Mirrored, error) {
	t.Helper()
	return subscribe.Mirror(t.Context(), m.c, m.dir)
}

func (m mirrored) path(name string) string {
	return filepath.Join(m.dir, "lists", filepath.FromSlash(m.c.List), filepath.FromSlash(name))
}

// files returns the names of all files of the list, without the lock.
func (m mirrored) files(t *testing.T) (all []string) {
	t.Helper()
	for _, pattern := range []string{"*.json", "targets/*"} {
		found, err := filepath.Glob(m.path(pattern))
		require.NoError(t, err)
		all = append(all, found...)
	}
	return all
}

// A copy has all that a subscriber needs: one that begins with the first root, and one that has missed releases.
func TestMirrorCopies(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	copied := newCopy(t, a, m.Dir)
	release := a.Release(1, "example.org")
	m.Publish(release)
	done, err := copied.update(t)
	require.NoError(t, err)
	assert.Equal(t, subscribe.Mirrored{Serial: 1, Root: 1, Changed: true, Files: 1, Bytes: done.Bytes}, done)
	s := newSubscriber(t, a, copied.dir)
	require.NoError(t, s.refresh(t))
	s.enforces(t, 1)

	for range 3 {
		a.Rotate()
		release = a.Delta(release, fmt.Sprintf("+n%d.example.net", len(a.Roots)))
		m.Publish(release)
	}
	done, err = copied.update(t)
	require.NoError(t, err)
	assert.Equal(t, subscribe.Mirrored{Serial: 4, Root: 4, Changed: true, Files: 3, Bytes: done.Bytes}, done)
	require.NoError(t, s.refresh(t))
	s.enforces(t, 4)
	late := newSubscriber(t, a, copied.dir)
	require.NoError(t, late.refresh(t))
	late.enforces(t, 4)

	done, err = copied.update(t)
	require.NoError(t, err)
	assert.Equal(t, subscribe.Mirrored{Serial: 4, Root: 4}, done)
}

// A mirror that begins with a later root has the earlier ones too, for subscribers that begin there.
func TestMirrorFromLaterRoot(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	a.Rotate()
	a.Rotate()
	m.Publish(a.Release(1, "example.org"))
	copied := newCopy(t, a, m.Dir)
	copied.c.Root = a.Roots[1]
	_, err := copied.update(t)
	require.NoError(t, err)
	s := newSubscriber(t, a, copied.dir)
	require.NoError(t, s.refresh(t))
	s.enforces(t, 1)

	a.Rotate()
	m.Publish(a.Release(2, "example.org"))
	copied.c.Root = a.Roots[3]
	_, err = copied.update(t)
	require.NoError(t, err)
	require.NoError(t, s.refresh(t))
	s.enforces(t, 2)
}

// Urgent orders and confidential lists are copied as they are; the mirror has no key.
func TestMirrorConfidentialAndUrgent(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	a.Roots = nil
	a.Key, a.Urgent = trust.NewListKey(), trust.Urgent{Entries: 4, Hours: 24}
	a.Rotate()
	m := a.NewMirror(online)
	r := a.Release(1, "example.org")
	r.Urgent = a.Orders(1, 1, []string{"urgent.example ref=x expires=" + time.Now().Add(hour).UTC().Format(time.RFC3339)}, a.Officers[0])
	m.Publish(r)
	copied := newCopy(t, a, m.Dir)
	_, err := copied.update(t)
	require.NoError(t, err)
	for _, name := range []string{trust.UrgentName(trust.UrgentVersion(1, 1)), trust.TargetsName(1)} {
		want, err := os.ReadFile(m.Path(name))
		require.NoError(t, err)
		got, err := os.ReadFile(copied.path(name))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

// A mirror takes nothing from an origin that lies, and never goes back.
func TestMirrorRefuses(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]struct {
		tell func(t *testing.T, m *trusttest.Mirror)
		want error
	}{
		"older release": {func(_ *testing.T, m *trusttest.Mirror) { m.Publish(m.Agency.Release(1, "example.org")) }, blocklist.ErrRollback},
		"older timestamp": {func(_ *testing.T, m *trusttest.Mirror) {
			m.Version = 1
			m.Publish(m.Agency.Release(3, "example.org"))
		}, blocklist.ErrRollback},
		"expired": {func(_ *testing.T, m *trusttest.Mirror) {
			m.Expires = time.Now().Add(-hour)
			m.Publish(m.Agency.Release(3, "example.org"))
		}, blocklist.ErrExpired},
		"too few officers": {func(_ *testing.T, m *trusttest.Mirror) {
			m.Agency.Threshold = 1
			m.Publish(m.Agency.Release(3, "example.org"))
		}, blocklist.ErrUntrusted},
		"other file": {func(t *testing.T, m *trusttest.Mirror) {
			t.Helper()
			r := m.Agency.Release(3, "example.org")
			for path := range r.Files {
				r.Files[path] = append(r.Files[path], 0)
			}
			m.Publish(r)
		}, blocklist.ErrUntrusted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := trusttest.NewAgency(t, online.Key)
			m := a.NewMirror(online)
			m.Publish(a.Release(1, "example.org"))
			m.Publish(a.Release(2, "example.org"))
			copied := newCopy(t, a, m.Dir)
			_, err := copied.update(t)
			require.NoError(t, err)
			before := copied.files(t)
			lie.tell(t, m)
			_, err = copied.update(t)
			assert.ErrorIs(t, err, lie.want)
			assert.Equal(t, before, copied.files(t))
			s := newSubscriber(t, a, copied.dir)
			require.NoError(t, s.refresh(t))
			s.enforces(t, 2)
		})
	}
}

// A folder with another agency's list of the same name stays as it is, and two processes don't copy to one folder.
func TestMirrorOfAnotherRoot(t *testing.T) {
	t.Parallel()
	a, b := trusttest.NewAgency(t, online.Key), trusttest.NewAgency(t, online.Key)
	b.Roots, b.Officers = nil, []trusttest.Person{trusttest.NewPerson("dora"), trusttest.NewPerson("emil")}
	b.Rotate()
	m, other := a.NewMirror(online), b.NewMirror(online)
	m.Publish(a.Release(1, "example.org"))
	other.Publish(b.Release(1, "example.net"))
	copied := newCopy(t, a, m.Dir)
	_, err := copied.update(t)
	require.NoError(t, err)
	stranger := copied
	stranger.c = subscribe.Config{List: b.List, Root: b.Roots[0], Origins: []string{other.Dir}}
	_, err = stranger.update(t)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)

	blocked := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		_, err := copied.update(t)
		assert.ErrorIs(t, err, blocklist.ErrBusy)
	})
	server := httptest.NewServer(blocked)
	defer server.Close()
	slow := copied
	slow.c.Origins = []string{server.URL}
	_, err = slow.update(t)
	assert.Error(t, err)
}

// What a newer release has replaced stays for a day; then it is removed. What is current never is.
func TestMirrorRemovesOld(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	copied := newCopy(t, a, m.Dir)
	for serial := range uint64(4) {
		m.Publish(a.Release(serial+1, "example.org", fmt.Sprintf("n%d.example.net", serial)))
		done, err := copied.update(t)
		require.NoError(t, err)
		assert.Zero(t, done.Removed)
	}
	long := time.Now().Add(-25 * time.Hour)
	for _, name := range []string{"2.targets.json", "2.snapshot.json", "3.targets.json", "3.snapshot.json"} {
		require.NoError(t, os.Chtimes(copied.path(name), long, long))
	}
	done, err := copied.update(t)
	require.NoError(t, err)
	assert.Equal(t, 6, done.Removed) // targets, snapshot and file of the serials 1 and 2
	assert.NoFileExists(t, copied.path("2.targets.json"))
	assert.FileExists(t, copied.path("3.targets.json"), "its successor is young")
	files, err := filepath.Glob(copied.path("targets/*"))
	require.NoError(t, err)
	assert.Len(t, files, 2)
	s := newSubscriber(t, a, copied.dir)
	require.NoError(t, s.refresh(t))
	s.enforces(t, 4)
}

// Readers poll a mirror over HTTP while it is brought up to date and killed again and again. None ever fails to verify
// what is there.
func TestMirrorKilled(t *testing.T) {
	if dir := os.Getenv(trusttest.KilledDir); dir != "" {
		copyAll(t, dir)
		return
	}
	longtest.Only(t, "it starts and kills processes")
	dir := t.TempDir()
	a := trusttest.NewAgency(t, online.Key)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "root.json"), a.Roots[0], 0o600))
	m := a.NewMirror(online)
	release := a.Release(1, "example.org")
	for serial := range mirrorUpdates {
		if serial > 0 {
			release = a.Delta(release, fmt.Sprintf("+n%d.example.net", serial))
		}
		if serial%10 == 9 {
			release = a.Release(uint64(serial)+1, "example.org")
			a.Rotate()
		}
		m.Publish(release)
		require.NoError(t, os.CopyFS(filepath.Join(dir, "origin", strconv.Itoa(serial+1)), os.DirFS(m.Dir)))
	}
	copied := mirrored{dir: filepath.Join(dir, "copy"), c: subscribe.Config{List: a.List, Root: a.Roots[0], Origins: []string{filepath.Join(dir, "origin", "1")}}}
	_, err := copied.update(t)
	require.NoError(t, err)
	server := httptest.NewServer(http.FileServer(http.Dir(copied.dir)))
	defer server.Close()
	stop := make(chan struct{})
	var reading sync.WaitGroup
	for range 2 {
		reading.Go(func() { readUntil(t, a, server.URL, stop) })
	}
	from := uint64(1)
	for range mirrorKills {
		trusttest.RunKilled(t, dir, from, time.Duration(rand.IntN(120_000))*time.Microsecond)
		from = reached(t, a, server.URL)
	}
	trusttest.RunKilled(t, dir, from, time.Minute)
	assert.EqualValues(t, mirrorUpdates, reached(t, a, server.URL), "in the end it gets there")
	close(stop)
	reading.Wait()
}

const (
	mirrorUpdates = 50
	mirrorKills   = 30
)

// copyAll copies release after release, in the process that is killed.
func copyAll(t *testing.T, dir string) {
	t.Helper()
	root, err := os.ReadFile(filepath.Join(dir, "root.json"))
	require.NoError(t, err)
	from, err := strconv.Atoi(os.Getenv(trusttest.KilledFrom))
	require.NoError(t, err)
	fmt.Println("ready")
	for serial := from; serial <= mirrorUpdates; serial++ {
		c := subscribe.Config{List: trusttest.List, Root: root, Origins: []string{filepath.Join(dir, "origin", strconv.Itoa(serial))}}
		_, err := subscribe.Mirror(t.Context(), c, filepath.Join(dir, "copy"))
		require.NoError(t, err)
	}
}

// reached returns the serial that a new subscriber gets from a mirror.
func reached(t *testing.T, a *trusttest.Agency, url string) uint64 {
	t.Helper()
	s := newSubscriber(t, a, url)
	require.NoError(t, s.refresh(t))
	return s.Status().Serial
}

// readUntil polls a mirror as two subscribers do: one that stays, and one that is new each time.
func readUntil(t *testing.T, a *trusttest.Agency, url string, stop <-chan struct{}) {
	stays := newSubscriber(t, a, url)
	for polls := 0; ; polls++ {
		select {
		case <-stop:
			t.Logf("%d polls, serial %d", polls, stays.Status().Serial)
			return
		case <-time.After(5 * time.Millisecond):
		}
		held := stays.Status().Serial
		if !assert.NoError(t, stays.refresh(t)) || !assert.GreaterOrEqual(t, stays.Status().Serial, held) {
			return
		}
		store, err := blocklist.Open(t.TempDir(), blocklist.Options{})
		if !assert.NoError(t, err) {
			return
		}
		fresh, err := subscribe.New(store, subscribe.Config{List: a.List, Root: a.Roots[0], Origins: []string{url}})
		if assert.NoError(t, err) {
			_, err = fresh.Refresh(t.Context())
		}
		if !assert.NoError(t, err) || !assert.NoError(t, store.Close()) {
			return
		}
	}
}
