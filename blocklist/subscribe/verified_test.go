package subscribe_test

import (
	"context"
	"io"
	"log/slog"
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
)

// A timestamp that was verified counts against rollback at once, and so does a snapshot, whatever becomes of the rest;
// neither makes what is held any fresher.
func TestVerifiedMetadataIsRemembered(t *testing.T) {
	t.Parallel()
	for name, missing := range map[string]string{"snapshot": trust.SnapshotName(2), "targets": trust.TargetsName(2), "file": ""} {
		for _, held := range []uint64{0, 1} {
			t.Run(name, func(t *testing.T) {
				a := trusttest.NewAgency(t, online.Key)
				m := a.NewMirror(online)
				m.Publish(a.Release(1, "example.org"))
				old := copyOf(t, m.Dir)
				s := newSubscriber(t, a, m.Dir)
				if held > 0 {
					require.NoError(t, s.refresh(t))
				}
				until := s.Status().Expires
				m.Expires = m.Expires.Add(hour)
				r := a.Release(2, "example.org", "www.example.net")
				m.Publish(r)
				missing := missing
				if missing == "" {
					spec, err := trust.ParseTargets(r.Targets)
					require.NoError(t, err)
					missing = spec.Files[0].URLPath()
				}
				require.NoError(t, os.Rename(m.Path(missing), m.Path("gone")))
				s.restart(t, m.Dir)
				s.refuses(t, os.ErrNotExist, held)
				s.refuses(t, os.ErrNotExist, held)
				assert.Equal(t, until, s.Status().Expires)
				s.restart(t, old)
				s.refuses(t, blocklist.ErrRollback, held)
				require.NoError(t, os.Rename(m.Path("gone"), m.Path(missing)))
				s.restart(t, m.Dir)
				require.NoError(t, s.refresh(t))
				s.enforces(t, 2)
				require.NoError(t, s.refresh(t))
			})
		}
	}
}

// Metadata of a hold counts for rollback even where the hold is lost.
func TestLostHoldForgetsNothing(t *testing.T) {
	t.Parallel()
	a, m, s, _ := guarded(t)
	old := copyOf(t, m.Dir)
	m.Publish(a.Release(2, append(filler(1000), "bank.example")...))
	require.NoError(t, s.refresh(t))
	s.onHold(t, 2, 1)
	require.NoError(t, os.Remove(filepath.Join(s.dir, "lists", a.List, "_", "release.hold.json")))
	s.restart(t, old)
	assert.ErrorIs(t, s.refresh(t), blocklist.ErrRollback)
	s.restart(t, m.Dir)
	require.NoError(t, s.refresh(t))
	s.onHold(t, 2, 1)
}

// A bundle under a root that has expired is refused, as it is over the network.
func TestBundleUnderAnExpiredRoot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := trusttest.NewAgency(t, online.Key)
		a.Roots, a.Expires = nil, time.Now().Add(10*hour)
		a.Rotate()
		s := newSubscriber(t, a, t.TempDir())
		time.Sleep(20 * hour)
		a.Expires = time.Now().Add(1000 * hour)
		stick := filepath.Join(t.TempDir(), "release.tar")
		require.NoError(t, os.WriteFile(stick, a.Bundle(a.Release(1, "example.org")), 0o600))
		_, err := s.Apply(t.Context(), stick)
		require.ErrorIs(t, err, blocklist.ErrExpired)
		s.enforces(t, 0)
		a.Rotate()
		require.NoError(t, os.WriteFile(stick, a.Bundle(a.Release(1, "example.org")), 0o600))
		_, err = s.Apply(t.Context(), stick)
		require.NoError(t, err)
		s.enforces(t, 1)
	})
}

// A mirror leads a subscriber to no service of others, on the same machine or another.
func TestRedirectsLeadNowhereElse(t *testing.T) {
	t.Parallel()
	internal := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Error("asked for", r.Method, r.URL)
	}))
	defer internal.Close()
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, internal.URL+"/latest?do=it", http.StatusTemporaryRedirect)
	}))
	defer evil.Close()
	s := newSubscriber(t, trusttest.NewAgency(t, online.Key), evil.URL)
	assert.ErrorContains(t, s.refresh(t), "none of the origins")
}

// Anyone who hints in vain does not keep other origins from being asked, nor makes the list look as if it could not be
// followed.
func TestHintsInVain(t *testing.T) {
	t.Parallel()
	for name, hints := range map[string]bool{"none": false, "all the time": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := trusttest.NewAgency(t, online.Key)
				m := a.NewMirror(online)
				m.Expires = time.Now().Add(1000 * hour)
				m.Publish(a.Release(1, "example.org"))
				honest := &world{files: http.FileServer(http.Dir(m.Dir)), events: http.NotFound}
				evil := &world{files: http.NotFoundHandler(), events: http.NotFound}
				if hints {
					evil.events = stream("data: {\"list\":\"" + a.List + "\",\"serial\":99}\n\n")
				}
				s := newSubscriber(t, a, "http://origin.example")
				s.c.Client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					if r.URL.Host == "evil.example" {
						return evil.RoundTrip(r)
					}
					return honest.RoundTrip(r)
				})}
				s.restart(t, "http://origin.example", "http://evil.example")
				s.run(t)
				time.Sleep(hour)
				assert.InDelta(t, 120, honest.polls.Load(), 5)
				assert.NoError(t, s.Status().Err)
			})
		})
	}
}

// dripping is a body of which an octet comes each second.
type dripping struct{ ctx context.Context }

func (d dripping) Read(b []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(time.Second):
		b[0] = 'x'
		return 1, nil
	}
}

// A mirror that sends slowly, whichever file, keeps the next one waiting for a time that the length of the release
// bounds.
func TestSlowMirror(t *testing.T) {
	t.Parallel()
	for _, slow := range []string{"/timestamp.json", ".snapshot.json", ".targets.json", ".zst"} {
		t.Run(slow, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := trusttest.NewAgency(t, online.Key)
				m := a.NewMirror(online)
				m.Expires = time.Now().Add(1000 * hour)
				m.Publish(a.Release(1, "example.org"))
				files := &world{files: http.FileServer(http.Dir(m.Dir)), events: http.NotFound}
				s := newSubscriber(t, a, "http://slow.example")
				s.c.Client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					resp, err := files.RoundTrip(r)
					if r.URL.Host == "slow.example" && strings.HasSuffix(r.URL.Path, slow) {
						resp.Body = io.NopCloser(dripping{r.Context()})
					}
					return resp, err
				})}
				s.restart(t, "http://slow.example", "http://origin.example")
				began := time.Now()
				require.NoError(t, s.refresh(t))
				s.enforces(t, 1)
				assert.LessOrEqual(t, time.Since(began), 2*time.Minute)
				assert.Equal(t, "http://origin.example", s.Status().Origin)
			})
		})
	}
}

// It is said once of each root that it ends within 90 days.
func TestRootEndsSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := trusttest.NewAgency(t, online.Key)
		a.Roots, a.Expires = nil, time.Now().Add(91*24*hour)
		a.Rotate()
		m := a.NewMirror(online)
		m.Expires = time.Now().Add(1000 * hour)
		m.Publish(a.Release(1, "example.org"))
		s := newSubscriber(t, a, m.Dir)
		log := &records{}
		s.c.Log = slog.New(log)
		s.restart(t, m.Dir)
		require.NoError(t, s.refresh(t))
		assert.Zero(t, log.count("WARN"))
		assert.WithinDuration(t, a.Expires, s.Status().Root, time.Second)
		time.Sleep(25 * hour)
		require.NoError(t, s.refresh(t))
		require.NoError(t, s.refresh(t))
		assert.Equal(t, 1, log.count("WARN"))
	})
}
