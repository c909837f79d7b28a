package subscribe_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

var anna = trusttest.NewPerson("anna")

// urgentAgency is an agency whose root allows two urgent orders of two hours each.
func urgentAgency(t *testing.T) (*trusttest.Agency, *trusttest.Mirror) {
	t.Helper()
	a := trusttest.NewAgency(t, online.Key)
	a.Urgent, a.Roots = trust.Urgent{Entries: 2, Hours: 2}, nil
	a.Rotate()
	m := a.NewMirror(online)
	m.Expires = time.Now().Add(100 * hour)
	return a, m
}

func (s *subscriber) lists(t *testing.T, want bool, names ...string) {
	t.Helper()
	for _, name := range names {
		_, ok := s.store.LookupHost(name)
		assert.Equal(t, want, ok, name)
	}
}

// An order of one officer is enforced at once, survives a restart without a network, ends by itself, and can be
// withdrawn.
func TestUrgentOrders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, m := urgentAgency(t)
		r := a.Release(1, "example.org")
		m.Publish(r)
		s := newSubscriber(t, a, m.Dir)
		require.NoError(t, s.refresh(t))
		before := s.store.Version()

		r.Urgent = a.Orders(1, 1, []string{"a.example expires=2999-01-01", "b.example ref=x expires=2999-01-01"}, anna)
		m.Publish(r)
		changed, err := s.Refresh(t.Context())
		require.NoError(t, err)
		assert.True(t, changed)
		s.lists(t, true, "example.org", "a.example", "www.b.example")
		with := s.store.Version()
		assert.NotEqual(t, before, with)
		match, _ := s.store.LookupHost("b.example")
		assert.Equal(t, []any{a.List, "x", 2 * hour}, []any{match.List, match.Reference, time.Until(match.Expires).Round(time.Minute)})
		st := s.Status()
		assert.Equal(t, []any{uint64(1), uint64(1), 2}, []any{st.Serial, st.Entries, st.Urgent}, "the release is what it was")

		s.restart(t, t.TempDir())
		s.lists(t, true, "example.org", "a.example", "b.example")
		assert.Equal(t, with, s.store.Version())
		s.restart(t, m.Dir)
		time.Sleep(hour)
		r.Urgent = a.Orders(2, 1, []string{"a.example expires=2999-01-01"}, anna)
		m.Publish(r)
		require.NoError(t, s.refresh(t))
		s.lists(t, true, "example.org", "a.example")
		s.lists(t, false, "b.example")
		assert.NotContains(t, []string{before, with}, s.store.Version())
		time.Sleep(hour)
		s.lists(t, false, "a.example")
		s.lists(t, true, "example.org")
	})
}

// The next release ends all orders; those that it contains stay with it.
func TestReleaseSupersedesOrders(t *testing.T) {
	t.Parallel()
	a, m := urgentAgency(t)
	r := a.Release(1, "example.org")
	r.Urgent = a.Orders(1, 1, []string{"a.example expires=2999-01-01", "b.example expires=2999-01-01"}, anna)
	m.Publish(r)
	s := newSubscriber(t, a, m.Dir)
	require.NoError(t, s.refresh(t))
	s.lists(t, true, "a.example", "b.example")
	m.Publish(a.Release(2, "example.org", "a.example"))
	require.NoError(t, s.refresh(t))
	s.lists(t, true, "example.org", "a.example")
	s.lists(t, false, "b.example")
	match, _ := s.store.LookupHost("a.example")
	assert.True(t, match.Expires.IsZero(), "confirmed")
	assert.Zero(t, s.Status().Urgent)

	r = a.Release(3, "example.org")
	r.Urgent = a.Orders(2, 3, []string{"c.example expires=2999-01-01", "d.example expires=2999-01-01"}, anna)
	m.Publish(r)
	require.NoError(t, s.refresh(t), "counting begins again with a release of the quorum")
	s.lists(t, true, "c.example", "d.example")
}

// What breaks the limits is refused, and holds up neither the release nor the orders that stand.
func TestRefusedOrders(t *testing.T) {
	t.Parallel()
	for name, orders := range map[string]func(*trusttest.Agency) []byte{
		"a stranger's": func(a *trusttest.Agency) []byte {
			return a.Orders(2, 1, []string{"c.example expires=2999-01-01"}, trusttest.NewPerson("mallory"))
		},
		"more than two since the release": func(a *trusttest.Agency) []byte {
			return a.Orders(2, 1, []string{"b.example expires=2999-01-01", "c.example expires=2999-01-01"}, anna)
		},
		"a top-level domain": func(a *trusttest.Agency) []byte { return a.Orders(2, 1, []string{"org expires=2999-01-01"}, anna) },
		"a public suffix":    func(a *trusttest.Agency) []byte { return a.Orders(2, 1, []string{"co.uk expires=2999-01-01"}, anna) },
	} {
		t.Run(name, func(t *testing.T) {
			a, m := urgentAgency(t)
			r := a.Release(1, "example.org")
			r.Urgent = a.Orders(1, 1, []string{"a.example expires=2999-01-01"}, anna)
			m.Publish(r)
			s := newSubscriber(t, a, m.Dir)
			require.NoError(t, s.refresh(t))
			r.Urgent = orders(a)
			m.Publish(r)
			require.NoError(t, s.refresh(t))
			s.lists(t, true, "a.example", "example.org")
			s.lists(t, false, "b.example", "c.example", "www.org", "a.co.uk")
			s.restart(t, m.Dir)
			s.lists(t, true, "a.example")
			m.Publish(a.Release(2, "example.org", "www.example.net"))
			require.NoError(t, s.refresh(t))
			s.enforces(t, 2)
			s.lists(t, false, "a.example", "c.example")
		})
	}
}

// A mirror can neither replay older orders, nor drop them, nor exchange them.
func TestOrdersFromHostileMirrors(t *testing.T) {
	t.Parallel()
	a, m := urgentAgency(t)
	r := a.Release(1, "example.org")
	m.Publish(r)
	s := newSubscriber(t, a, m.Dir)
	r.Urgent = a.Orders(1, 1, []string{"a.example expires=2999-01-01"}, anna)
	m.Publish(r)
	first := *m
	r.Urgent = a.Orders(2, 1, nil, anna)
	m.Publish(r)
	require.NoError(t, s.refresh(t))
	s.lists(t, false, "a.example")

	replay := first
	replay.Version = m.Version
	r.Urgent = a.Orders(1, 1, []string{"a.example expires=2999-01-01"}, anna)
	replay.Publish(r)
	assert.ErrorIs(t, s.refresh(t), blocklist.ErrRollback)
	s.lists(t, false, "a.example")

	m.Version = replay.Version
	r.Urgent = a.Orders(3, 1, []string{"b.example expires=2999-01-01"}, anna)
	m.Publish(r)
	m.Write(trust.UrgentName(trust.UrgentVersion(1, 3)), a.Orders(3, 1, []string{"c.example expires=2999-01-01"}, anna))
	assert.ErrorIs(t, s.refresh(t), blocklist.ErrUntrusted)
	require.NoError(t, os.Remove(m.Path(trust.UrgentName(trust.UrgentVersion(1, 3)))))
	assert.ErrorIs(t, s.refresh(t), os.ErrNotExist)
	m.Write(trust.UrgentName(trust.UrgentVersion(1, 3)), r.Urgent)
	require.NoError(t, s.refresh(t))
	s.lists(t, true, "b.example")
	s.lists(t, false, "a.example", "c.example")
}

// A root that allows no orders any more, or whose officers are others, ends them.
func TestRootEndsOrders(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*trusttest.Agency){
		"not allowed": func(a *trusttest.Agency) { a.Urgent = trust.Urgent{} },
		"revoked":     func(a *trusttest.Agency) { a.Officers[2] = trusttest.NewPerson("dora") },
	} {
		t.Run(name, func(t *testing.T) {
			a, m := urgentAgency(t)
			r := a.Release(1, "example.org") // by anna and bruno
			carla := a.Officers[2]
			r.Urgent = a.Orders(1, 1, []string{"a.example expires=2999-01-01"}, carla)
			m.Publish(r)
			s := newSubscriber(t, a, m.Dir)
			require.NoError(t, s.refresh(t))
			s.lists(t, true, "a.example")
			change(a)
			a.Rotate(carla)
			m.Publish(r)
			require.NoError(t, s.refresh(t))
			s.enforces(t, 1)
			s.lists(t, false, "a.example")
			m.Publish(a.Release(2, "example.org"))
			fresh := newSubscriber(t, a, m.Dir)
			log := &records{}
			fresh.c.Log = slog.New(log)
			fresh.restart(t, m.Dir)
			require.NoError(t, fresh.refresh(t))
			assert.NotContains(t, log.seen, "ERROR refusing urgent orders", "they are void anyway")
			fresh.lists(t, false, "a.example")
		})
	}
}

// Orders add: what is listed stays as it is, also when they end.
func TestOrdersChangeNothingThatIsListed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, m := urgentAgency(t)
		until := time.Now().Add(hour).UTC().Format(time.RFC3339)
		r := a.Release(1, "example.org ref=law", "watch.example status=monitor", "brief.example expires="+until)
		r.Urgent = a.Orders(1, 1, []string{"brief.example expires=2999-01-01", "example.org expires=2999-01-01"}, anna)
		m.Publish(r)
		s := newSubscriber(t, a, m.Dir)
		require.NoError(t, s.refresh(t))
		match, _ := s.store.LookupHost("example.org")
		assert.Equal(t, "law", match.Reference)
		time.Sleep(hour + time.Minute)
		s.lists(t, true, "brief.example", "example.org")
		time.Sleep(hour)
		s.lists(t, false, "brief.example")
		s.lists(t, true, "example.org")
	})
}

// Orders on top of a release that is on hold count when it is accepted, not before.
func TestOrdersOnAHeldRelease(t *testing.T) {
	t.Parallel()
	a, m := urgentAgency(t)
	m.Publish(a.Release(1, "example.org"))
	s := newSubscriber(t, a, m.Dir)
	require.NoError(t, s.refresh(t))
	r := a.Release(2, "example.org", "co.uk")
	r.Urgent = a.Orders(1, 2, []string{"a.example expires=2999-01-01"}, anna)
	m.Publish(r)
	require.NoError(t, s.refresh(t))
	hold := s.Status().Hold
	require.NotNil(t, hold)
	s.enforces(t, 1)
	s.lists(t, false, "a.example")
	require.NoError(t, s.Accept(t.Context(), hold.ID))
	s.lists(t, true, "a.example", "example.co.uk")
	assert.Equal(t, 1, s.Status().Urgent)
}

// An order is in force as soon as it is announced.
func TestAnnouncedOrders(t *testing.T) {
	t.Parallel()
	o, a, server := newOrigin(t)
	a.Urgent = trust.Urgent{Entries: 2, Hours: 2}
	a.Rotate()
	r := a.Release(1, "example.org")
	push(t, o, a, r)
	s := newSubscriber(t, a, server.URL)
	s.c.Interval = hour
	s.restart(t, server.URL)
	s.run(t)
	require.Eventually(t, func() bool { return s.Status().Serial == 1 }, 10*time.Second, time.Millisecond)
	for version, name := range []string{"a.example", "b.example"} {
		r.Urgent = a.Orders(int64(version)+1, 1, []string{name + " expires=" + time.Now().Add(hour).UTC().Format(time.RFC3339)}, anna)
		push(t, o, a, r)
		require.Eventually(t, func() bool { _, ok := s.store.LookupHost(name); return ok }, 10*time.Second, time.Millisecond)
	}
}

// A bundle carries orders, held to the same rules.
func TestBundledOrders(t *testing.T) {
	t.Parallel()
	a, m := urgentAgency(t)
	stick := filepath.Join(t.TempDir(), "release.tar")
	r := a.Release(1, "example.org")
	s := newSubscriber(t, a, stick)
	order := func(version int64, who trusttest.Person, names ...string) bool {
		t.Helper()
		for i := range names {
			names[i] += " expires=2999-01-01"
		}
		r.Urgent = a.Orders(version, 1, names, who)
		require.NoError(t, os.WriteFile(stick, a.Bundle(r), 0o600))
		changed, err := s.Refresh(t.Context())
		require.NoError(t, err)
		return changed
	}
	assert.True(t, order(1, anna, "a.example"))
	s.lists(t, true, "example.org", "a.example")
	assert.False(t, order(1, anna, "a.example"), "the same again")
	assert.True(t, order(3, anna, "b.example"))
	s.lists(t, false, "a.example")
	s.lists(t, true, "b.example")
	assert.False(t, order(2, anna, "a.example"), "a rollback")
	assert.False(t, order(4, trusttest.NewPerson("mallory"), "c.example"))
	assert.False(t, order(4, anna, "c.example", "d.example"), "a third and a fourth on top of one release")
	s.restart(t, stick)
	s.lists(t, false, "a.example", "c.example")
	s.lists(t, true, "b.example")

	// Where the origin does not know of them yet, they stay.
	r.Urgent = nil
	m.Publish(r)
	s.restart(t, m.Dir)
	require.NoError(t, s.refresh(t))
	s.lists(t, true, "b.example")
	s.restart(t, stick)
	r = a.Delta(r, "+www.example.test")
	assert.True(t, order(4, anna, "c.example"), "they were for the release before")
	s.lists(t, false, "b.example", "c.example")
	s.lists(t, true, "www.example.test")
}
