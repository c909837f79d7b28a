package subscribe_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

// onHold fails the test unless serial is on hold and what was in force before is, and returns the hold.
func (s *subscriber) onHold(t *testing.T, serial, inForce uint64) subscribe.Hold {
	t.Helper()
	s.enforces(t, inForce)
	_, ok := s.store.LookupHost("www.bank.example")
	assert.False(t, ok)
	h := s.Status().Hold
	require.NotNil(t, h)
	assert.Equal(t, serial, h.Serial)
	assert.NotZero(t, h.Report.Held)
	return *h
}

// guarded makes a subscriber that protects bank.example and enforces serial 1, and what logs go to.
func guarded(t *testing.T) (*trusttest.Agency, *trusttest.Mirror, *subscriber, *records) {
	t.Helper()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	m.Publish(a.Release(1, filler(1000)...))
	s := newSubscriber(t, a, m.Dir)
	log := &records{}
	s.c.Log = slog.New(log)
	protect(t, s, "bank.example")
	s.restart(t, m.Dir)
	require.NoError(t, s.refresh(t))
	s.enforces(t, 1)
	return a, m, s, log
}

func protect(t *testing.T, s *subscriber, lines string) {
	t.Helper()
	protected, err := guard.ReadProtected(strings.NewReader(lines))
	require.NoError(t, err)
	s.c.Guard, err = guard.New(guard.Limits{Protected: protected})
	require.NoError(t, err)
}

func (r *records) count(level string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(r.seen), func(s string) bool { return !strings.HasPrefix(s, level+" ") }))
}

func TestHoldByDeltaIsAccepted(t *testing.T) {
	t.Parallel()
	a, m, s, log := guarded(t)
	m.Publish(a.Delta(a.Release(1, filler(1000)...), "+bank.example"))
	changed, err := s.Refresh(t.Context())
	require.NoError(t, err)
	assert.False(t, changed)
	h := s.onHold(t, 2, 1)
	assert.Equal(t, map[guard.Check]uint64{guard.CheckProtect: 1}, h.Report.Counts)
	for range 2 { // it is not fetched or told again
		require.NoError(t, s.refresh(t))
	}
	assert.Equal(t, 1, log.count("ERROR"))
	assert.Equal(t, uint64(1), s.Status().Held)

	s.restart(t, m.Dir)
	assert.Equal(t, h, s.onHold(t, 2, 1), "it outlasts a restart")
	require.NoError(t, s.refresh(t))
	assert.Equal(t, h, s.onHold(t, 2, 1), "and is the same when it is judged again")
	require.NoError(t, os.RemoveAll(m.Dir)) // what is on hold is kept
	assert.ErrorIs(t, s.Accept(t.Context(), "another"), subscribe.ErrNoHold)
	s.onHold(t, 2, 1)
	require.NoError(t, s.Accept(t.Context(), h.ID))
	s.enforces(t, 2)
	_, ok := s.store.LookupHost("www.bank.example")
	assert.True(t, ok)
	assert.Nil(t, s.Status().Hold)
	assert.ErrorIs(t, s.Accept(t.Context(), h.ID), subscribe.ErrNoHold)
	s.restart(t, m.Dir)
	s.enforces(t, 2)
	assert.Nil(t, s.Status().Hold)
	assert.NoFileExists(t, filepath.Join(s.dir, "lists", a.List, "_", "release.hold.json"))
}

func TestHoldBySnapshot(t *testing.T) {
	t.Parallel()
	a, m, s, _ := guarded(t)
	m.Publish(a.Release(2, filler(500)...))
	require.NoError(t, s.refresh(t))
	h := s.onHold(t, 2, 1)
	assert.Equal(t, map[guard.Check]uint64{guard.CheckShrink: 1}, h.Report.Counts, "the changes are exact")
	require.NoError(t, s.Accept(t.Context(), h.ID))
	s.enforces(t, 2)
	assert.Less(t, s.Status().Entries, uint64(600))
}

func TestRejectedUntilOneComesThatPasses(t *testing.T) {
	t.Parallel()
	a, m, s, log := guarded(t)
	m.Publish(a.Release(2, append(filler(1000), "bank.example")...))
	require.NoError(t, s.refresh(t))
	first := s.onHold(t, 2, 1)
	require.NoError(t, s.Reject(t.Context(), first.ID))
	assert.True(t, s.onHold(t, 2, 1).Rejected)

	m.Publish(a.Release(3, append(filler(1000), "bank.example", "x.example")...))
	require.NoError(t, s.refresh(t))
	again := s.onHold(t, 3, 1)
	assert.True(t, again.Rejected, "exactly the same was found")
	assert.NotEqual(t, first.ID, again.ID)
	assert.ErrorIs(t, s.Accept(t.Context(), first.ID), subscribe.ErrNoHold, "no one accepts what they have not seen")
	s.restart(t, m.Dir)
	assert.True(t, s.onHold(t, 3, 1).Rejected)
	assert.Equal(t, 1, log.count("ERROR"))

	m.Publish(a.Release(4, append(filler(1000), "bank.example", "www.bank.example")...))
	require.NoError(t, s.refresh(t))
	assert.False(t, s.onHold(t, 4, 1).Rejected, "something else was found")
	assert.Equal(t, 2, log.count("ERROR"))

	m.Publish(a.Release(5, append(filler(1000), "x.example")...))
	require.NoError(t, s.refresh(t))
	s.enforces(t, 5)
	assert.Nil(t, s.Status().Hold)
}

func TestFirstReleaseOnHold(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	m.Publish(a.Release(7, append(filler(1000), "co.uk", "192.0.2.0/24")...))
	s := newSubscriber(t, a, m.Dir)
	require.NoError(t, s.refresh(t))
	h := s.onHold(t, 7, 0)
	assert.Equal(t, map[guard.Check]uint64{guard.CheckSuffix: 1, guard.CheckSpecial: 1}, h.Report.Counts, "growth from nothing is no finding")
	s.restart(t, m.Dir)
	s.onHold(t, 7, 0)
	require.NoError(t, s.Accept(t.Context(), h.ID))
	s.enforces(t, 7)
}

// Other limits judge what is on hold again.
func TestHoldIsJudgedAnew(t *testing.T) {
	t.Parallel()
	a, m, s, _ := guarded(t)
	m.Publish(a.Release(2, append(filler(1000), "bank.example")...))
	require.NoError(t, s.refresh(t))
	s.onHold(t, 2, 1)
	protect(t, s, "other.example")
	s.restart(t, m.Dir)
	require.NoError(t, s.refresh(t))
	s.enforces(t, 2)
	assert.Nil(t, s.Status().Hold)
}

// A hold opens no way around anything: what was verified stays verified, what is older is refused, what was revoked is
// out.
func TestHoldIsNoWayAround(t *testing.T) {
	t.Parallel()
	t.Run("back to the release before", func(t *testing.T) {
		a, m, s, _ := guarded(t)
		before := copyOf(t, m.Dir)
		m.Publish(a.Release(2, append(filler(1000), "bank.example")...))
		require.NoError(t, s.refresh(t))
		h := s.onHold(t, 2, 1)
		for range 2 {
			s.restart(t, before)
			assert.ErrorIs(t, s.refresh(t), blocklist.ErrRollback)
			assert.Equal(t, h, s.onHold(t, 2, 1))
		}
	})
	t.Run("another release with the same serial", func(t *testing.T) {
		a, m, s, _ := guarded(t)
		m.Publish(a.Release(2, append(filler(1000), "bank.example")...))
		require.NoError(t, s.refresh(t))
		h := s.onHold(t, 2, 1)
		m.Publish(a.Release(2, filler(1001)...))
		assert.ErrorIs(t, s.refresh(t), blocklist.ErrRollback)
		assert.Equal(t, h, s.onHold(t, 2, 1))
	})
	t.Run("signed by officers who have gone since", func(t *testing.T) {
		a, m, s, _ := guarded(t)
		m.Publish(a.Release(2, append(filler(1000), "bank.example")...))
		require.NoError(t, s.refresh(t))
		h := s.onHold(t, 2, 1)
		old := a.Officers
		a.Officers = []trusttest.Person{trusttest.NewPerson("dora"), trusttest.NewPerson("emil"), trusttest.NewPerson("fina")}
		a.Rotate(old...)
		m.Publish(a.Release(3, append(filler(1000), "bank.example")...))
		require.NoError(t, os.Remove(m.Path("3.targets.json"))) // the mirror keeps back what came with the root
		require.Error(t, s.refresh(t))
		assert.ErrorIs(t, s.Accept(t.Context(), h.ID), blocklist.ErrUntrusted)
		s.onHold(t, 2, 1)
	})
	t.Run("a file that was exchanged on the disk", func(t *testing.T) {
		a, m, s, _ := guarded(t)
		m.Publish(a.Release(2, append(filler(1000), "bank.example")...))
		require.NoError(t, s.refresh(t))
		h := s.onHold(t, 2, 1)
		kept, err := filepath.Glob(filepath.Join(s.dir, "lists", a.List, "_", "release-2-*"))
		require.NoError(t, err)
		require.Len(t, kept, 1)
		require.NoError(t, os.WriteFile(kept[0], []byte("something else"), 0o600))
		assert.ErrorIs(t, s.Accept(t.Context(), h.ID), blocklist.ErrUntrusted)
		s.onHold(t, 2, 1)
	})
	t.Run("a damaged file of what is on hold", func(t *testing.T) {
		a, m, s, _ := guarded(t)
		m.Publish(a.Release(2, append(filler(1000), "bank.example")...))
		require.NoError(t, s.refresh(t))
		h := s.onHold(t, 2, 1)
		require.NoError(t, os.WriteFile(filepath.Join(s.dir, "lists", a.List, "_", "release.hold.json"), []byte(`{"id":`), 0o600))
		s.restart(t, m.Dir)
		assert.ErrorIs(t, s.Accept(t.Context(), h.ID), blocklist.ErrDamaged)
		require.NoError(t, s.refresh(t))
		assert.Equal(t, h.ID, s.onHold(t, 2, 1).ID, "the next poll finds it again")
	})
}

// copyOf copies a folder as it is now.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	require.NoError(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}
