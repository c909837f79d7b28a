package subscribe_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

// Restarted with the root of the very first start, after a rotation, against a mirror that serves the list as it was:
// the newest verified root decides, and the release held stays.
func TestRestartWithPinnedRootAfterRotation(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	old := a.NewMirror(online)
	old.Publish(a.Release(1, "example.org"))
	newOnline := trusttest.NewPerson("second")
	a.Online = newOnline.Key
	a.Rotate()
	current := a.NewMirror(newOnline)
	current.Publish(a.Release(2, "example.org"))

	s := newSubscriber(t, a, current.Dir)
	require.NoError(t, s.refresh(t))
	s.enforces(t, 2)
	s.restart(t, old.Dir)
	s.refuses(t, blocklist.ErrUntrusted, 2)

	empty := newSubscriber(t, a, old.Dir)
	require.NoError(t, empty.refresh(t), "only someone who knows no better believes it")
	empty.enforces(t, 1)
	empty.restart(t, current.Dir)
	require.NoError(t, empty.refresh(t))
	empty.enforces(t, 2)
}

func TestConfiguredRootAgainstTheOneFollowed(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	a.Rotate()
	m := a.NewMirror(online)
	m.Publish(a.Release(1, "example.org"))
	s := newSubscriber(t, a, m.Dir)
	require.NoError(t, s.refresh(t))

	other := trusttest.NewAgency(t, online.Key)
	other.Threshold = 3
	other.Roots = nil
	other.Rotate()
	c := s.c
	c.Root = other.Roots[0]
	_, err := subscribe.New(s.store, c)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted, "another first root")
	c.Root = a.Roots[1]
	_, err = subscribe.New(s.store, c)
	assert.NoError(t, err)
	a.Rotate()
	a.Rotate()
	c.Root = a.Roots[3]
	sub, err := subscribe.New(s.store, c)
	require.NoError(t, err, "a newer one, out of band")
	m.Publish(a.Release(2, "example.org"))
	_, err = sub.Refresh(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, uint64(2), sub.Status().Serial)
}

// State and what vouches for it are kept in one step; a file that was fetched before a crash is used, not believed.
func TestCrashBetweenFetchAndApply(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	m.Publish(a.Release(1, "example.org"))
	s := newSubscriber(t, a, m.Dir)
	require.NoError(t, s.refresh(t))
	first := m.Dir
	second := a.Release(2, "example.org", "www.example.net")
	m.Publish(second)
	spec, err := trust.ParseTargets(second.Targets)
	require.NoError(t, err)
	f := spec.Files[0]
	dir := signed(t, s.store, a.List).Dir()
	early := filepath.Join(dir, fmt.Sprintf("release-2-%.4x.zst", f.SHA256))

	require.NoError(t, os.WriteFile(early, second.Files[f.Path][:10], 0o600))
	s.restart(t, first)
	s.enforces(t, 1)
	require.NoError(t, s.refresh(t), "half a file is fetched again")
	s.enforces(t, 2)
	assert.Equal(t, []string{early}, keptFiles(t, s), "only what is held is kept")

	third := a.Release(3, "example.org")
	m.Publish(third)
	spec, err = trust.ParseTargets(third.Targets)
	require.NoError(t, err)
	f = spec.Files[0]
	require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("release-3-%.4x.zst", f.SHA256)), third.Files[f.Path], 0o600))
	require.NoError(t, os.Remove(m.Path(f.URLPath())))
	require.NoError(t, s.refresh(t), "a whole one is not")
	s.enforces(t, 3)
}

// A root that breaks the rules is refused although every officer has signed it.
func TestRootsThatBreakTheRules(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string][2]string{
		"threshold 0":  {`"threshold":2`, `"threshold":0`},
		"one key only": {`"threshold":2`, `"threshold":9`},
	} {
		t.Run(name, func(t *testing.T) {
			a := trusttest.NewAgency(t, online.Key)
			m := a.NewMirror(online)
			m.Publish(a.Release(1, "example.org"))
			s := newSubscriber(t, a, m.Dir)
			require.NoError(t, s.refresh(t))
			a.Rotate()
			bad := bytes.ReplaceAll(a.Roots[1], []byte(edit[0]), []byte(edit[1]))
			a.Roots[1] = trusttest.Sign(t, bad, a.Officers...)
			m.Publish(a.Release(2, "example.org"))
			s.refuses(t, blocklist.ErrMalformed, 1)
		})
	}
}

// What officers signed, the file, and the subscription must agree.
func TestReleasesThatAreNotWhatTheyClaim(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	h, text := a.Text(2, "example.org", "www.example.org")
	file := trusttest.Compress(t, text)
	otherList := trusttest.NewAgency(t, online.Key)
	otherList.List = "it.example/other"
	_, otherText := otherList.Text(2, "example.org", "www.example.org")
	_, otherSerial := a.Text(3, "example.org", "www.example.org")
	wrongDigest, otherDigest := h, h.Digest
	otherDigest.Add([]byte("x"))
	wrongDigest.Digest = otherDigest
	altered := a.Pack(h, file)
	altered.Files = map[string][]byte{trusttest.SnapshotPath(2): bytes.Replace(file, file[10:12], []byte("xx"), 1)}
	long := a.Pack(h, file)
	long.Files = map[string][]byte{trusttest.SnapshotPath(2): append(bytes.Clone(file), make([]byte, 1<<20)...)}
	short := a.Pack(h, file)
	short.Files = map[string][]byte{trusttest.SnapshotPath(2): file[:len(file)-1]}
	gone := a.Pack(h, file)
	gone.Files = nil
	a.Threshold = 1
	underSigned := a.Pack(h, file)
	a.Threshold = 2

	tests := map[string]struct {
		release trusttest.Release
		want    error
	}{
		"altered":         {altered, blocklist.ErrUntrusted},
		"too long":        {long, blocklist.ErrUntrusted},
		"cut short":       {short, blocklist.ErrUntrusted},
		"missing":         {gone, os.ErrNotExist},
		"under-signed":    {underSigned, blocklist.ErrUntrusted},
		"of another list": {a.Pack(h, trusttest.Compress(t, otherText)), blocklist.ErrUntrusted},
		"another serial":  {a.Pack(h, trusttest.Compress(t, otherSerial)), blocklist.ErrUntrusted},
		"another digest":  {a.Pack(wrongDigest, file), blocklist.ErrUntrusted},
		"not compressed":  {a.Pack(h, text), blocklist.ErrMalformed},
		"text cut short":  {a.Pack(h, trusttest.Compress(t, text[:len(text)-5])), blocklist.ErrMalformed},
		"entries missing": {a.Pack(h, trusttest.Compress(t, bytes.Replace(text, []byte("www.example.org\n"), nil, 1))), blocklist.ErrDigest},
		"bomb":            {a.Pack(h, trusttest.Compress(t, append(bytes.Clone(text), make([]byte, 32<<20)...))), blocklist.ErrTooLarge},
		"metadata of another list": {func() trusttest.Release {
			r := otherList.Pack(blocklist.Header{List: otherList.List, Serial: 2, Entries: 2, Digest: h.Digest, Created: h.Created}, trusttest.Compress(t, otherText))
			return r
		}(), blocklist.ErrUntrusted},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := a.NewMirror(online)
			m.Publish(a.Release(1, "example.org"))
			s := newSubscriber(t, a, m.Dir)
			require.NoError(t, s.refresh(t))
			m.Publish(test.release)
			s.refuses(t, test.want, 1)
			m.Publish(a.Release(3, "example.org"))
			require.NoError(t, s.refresh(t), "the next good release goes through")
			s.enforces(t, 3)
			assert.Len(t, keptFiles(t, s), 1)
		})
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	m.Publish(a.Release(1, "example.org"))
	old := a.NewMirror(online)
	old.Publish(a.Release(1, "example.org"))
	m.Publish(a.Release(2, "example.org"))
	s := newSubscriber(t, a, m.Dir)
	require.NoError(t, s.refresh(t))
	s.restart(t, old.Dir)
	s.refuses(t, blocklist.ErrRollback, 2)
	old.Version = 9 // the online key was stolen, and signs the old release again
	old.Publish(a.Release(1, "example.org"))
	s.refuses(t, blocklist.ErrRollback, 2)
}

// A frozen mirror is noticed when its timestamp expires. Nothing that is held is dropped for it.
func TestFrozenMirror(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := trusttest.NewAgency(t, online.Key)
		a.Expires = time.Now().Add(30 * 24 * hour)
		m := a.NewMirror(online)
		m.Expires = time.Now().Add(24 * hour)
		m.Publish(a.Release(1, "example.org"))
		s := newSubscriber(t, a, m.Dir)
		require.NoError(t, s.refresh(t))
		time.Sleep(23 * hour)
		assert.NoError(t, s.refresh(t))
		assert.False(t, s.Status().Stale)
		time.Sleep(2 * hour)
		s.refuses(t, blocklist.ErrExpired, 1)
		assert.True(t, s.Status().Stale)

		m.Expires = time.Now().Add(-time.Minute)
		m.Publish(a.Release(2, "example.org"))
		s.refuses(t, blocklist.ErrExpired, 1)

		m.Expires = time.Now().Add(24 * hour)
		m.Publish(a.Release(2, "example.org"))
		require.NoError(t, s.refresh(t))
		assert.False(t, s.Status().Stale)
		time.Sleep(60 * 24 * hour) // root and release have expired too
		m.Expires = time.Now().Add(24 * hour)
		m.Publish(a.Release(3, "example.org"))
		s.refuses(t, blocklist.ErrExpired, 2)
	})
}

// Sources without end and without progress are given up.
func TestEndlessAndSlow(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for chunk := bytes.Repeat([]byte(" "), 4096); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	s := newSubscriber(t, a, endless.URL)
	assert.ErrorIs(t, s.refresh(t), blocklist.ErrTooLarge)

	synctest.Test(t, func(t *testing.T) {
		a := trusttest.NewAgency(t, online.Key)
		s := newSubscriber(t, a, "http://origin.example")
		try := func(f roundTrip) error {
			s.c.Client = &http.Client{Transport: f}
			s.restart(t, s.c.Origins...)
			return s.refresh(t)
		}
		began := time.Now()
		assert.ErrorContains(t, try(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}), "too slow")
		assert.Less(t, time.Since(began), time.Minute)
		assert.ErrorContains(t, try(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: drip{r}}, nil
		}), "too slow")
		assert.Less(t, time.Since(began), 5*time.Minute)
	})
}

// drip is a body of which a byte comes now and then.
type drip struct{ r *http.Request }

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(10 * time.Second):
		p[0] = ' '
		return 1, nil
	case <-d.r.Context().Done():
		return 0, d.r.Context().Err()
	}
}

func (drip) Close() error { return nil }

func TestLimitOfRelease(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	m.Publish(a.Release(1, "example.org"))
	s := newSubscriber(t, a, m.Dir)
	s.c.MaxRelease = 20
	s.restart(t, m.Dir)
	assert.ErrorIs(t, s.refresh(t), blocklist.ErrTooLarge)
}

func TestRedirectsAndEncodings(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	m.Publish(a.Release(1, "example.org"))
	files := http.StripPrefix("/files", http.FileServer(http.Dir(m.Dir)))
	var target string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "identity", r.Header.Get("Accept-Encoding"))
		if strings.HasPrefix(r.URL.Path, "/files/") {
			files.ServeHTTP(w, r)
			return
		}
		http.Redirect(w, r, target+r.URL.Path, http.StatusFound)
	}))
	defer server.Close()
	s := newSubscriber(t, a, server.URL)
	target = "file:///tmp"
	assert.ErrorContains(t, s.refresh(t), "redirected")
	target = server.URL + "/x"
	assert.ErrorContains(t, s.refresh(t), "redirects")
	target = server.URL + "/files"
	assert.NoError(t, s.refresh(t))
}

// A disk that takes nothing more leaves the old state whole.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	m.Publish(a.Release(1, "example.org"))
	s := newSubscriber(t, a, m.Dir)
	require.NoError(t, s.refresh(t))
	second := a.Release(2, "example.org")
	m.Publish(second)
	spec, err := trust.ParseTargets(second.Targets)
	require.NoError(t, err)
	dir := signed(t, s.store, a.List).Dir()
	inTheWay := filepath.Join(dir, fmt.Sprintf("release-2-%.4x.zst", spec.Files[0].SHA256))
	require.NoError(t, os.MkdirAll(filepath.Join(inTheWay, "x"), 0o700)) // no file gets this name
	require.Error(t, s.refresh(t))
	s.enforces(t, 1)
	s.restart(t, m.Dir)
	s.enforces(t, 1)
	temps, err := filepath.Glob(filepath.Join(dir, ".new-*"))
	require.NoError(t, err)
	assert.Empty(t, temps)
	require.NoError(t, os.RemoveAll(inTheWay))
	require.NoError(t, s.refresh(t))
	s.enforces(t, 2)
}

// A subscriber that slept through several rotations follows them one by one.
func TestSeveralRotations(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	m.Publish(a.Release(1, "example.org"))
	s := newSubscriber(t, a, m.Dir)
	require.NoError(t, s.refresh(t))
	for i := range 4 {
		gone := a.Officers[0]
		a.Officers = append(a.Officers[1:len(a.Officers):len(a.Officers)], trusttest.NewPerson(strings.Repeat("x", i+1)))
		a.Rotate(gone)
	}
	m.Publish(a.Release(2, "example.org"))
	require.NoError(t, s.refresh(t))
	s.enforces(t, 2)

	a.Roots[3] = trusttest.Sign(t, bytes.Replace(a.Roots[3], []byte(`"signatures":[`), []byte(`"signatures":[],"x":[`), 1), a.Officers[0])
	m.Publish(a.Release(3, "example.org"))
	require.NoError(t, s.refresh(t), "what was followed is not asked for again")
	late := newSubscriber(t, a, m.Dir)
	assert.ErrorIs(t, late.refresh(t), blocklist.ErrUntrusted)
	late.enforces(t, 0)
}

// Two subscriptions to one list, as while settings are reloaded, never undo what the other has verified.
func TestTwoSubscriptionsShareWhatIsKept(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	m.Publish(a.Release(1, "example.org"))
	s := newSubscriber(t, a, m.Dir)
	require.NoError(t, s.refresh(t))
	second, err := subscribe.New(s.store, s.c)
	require.NoError(t, err)

	old := a.NewMirror(online)
	old.Version = 50
	old.Publish(a.Release(2, "example.org"))
	a.Online = trusttest.NewPerson("second").Key
	a.Rotate()
	m.Online = trusttest.NewPerson("second")
	m.Publish(a.Release(2, "example.org"))
	require.NoError(t, s.refresh(t))

	require.NoError(t, os.RemoveAll(m.Dir)) // now the mirror serves what was before the rotation
	require.NoError(t, os.CopyFS(m.Dir, os.DirFS(old.Dir)))
	_, err = second.Refresh(t.Context())
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	s.enforces(t, 2)
}

// What the store keeps for the subscription may be damaged: then the configured root begins again, and serials still
// never go back.
func TestDamagedEvidence(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	m.Publish(a.Release(2, "example.org"))
	old := a.NewMirror(online)
	old.Publish(a.Release(1, "example.org"))
	s := newSubscriber(t, a, m.Dir)
	require.NoError(t, s.refresh(t))
	require.NoError(t, signed(t, s.store, a.List).Save(nil, []byte(`{"root":7}`)))
	s.restart(t, old.Dir)
	s.refuses(t, blocklist.ErrRollback, 2)
	m.Publish(a.Release(3, "example.org"))
	s.restart(t, m.Dir)
	require.NoError(t, s.refresh(t))
	s.enforces(t, 3)
}
