package subscribe_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

// Months offline: the root it knows has expired, as have those that followed; only the newest must be in date.
func TestExpiredRootsAreStepsOnTheWay(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	m.Publish(a.Release(1, "example.org"))
	s := newSubscriber(t, a, m.Dir)
	require.NoError(t, s.refresh(t))

	in := a.Expires
	a.Expires = time.Now().Add(-100 * 24 * hour)
	second := trusttest.NewPerson("second")
	for range 3 {
		gone := a.Officers[0]
		a.Officers = append(a.Officers[1:len(a.Officers):len(a.Officers)], trusttest.NewPerson(gone.Name+"x"))
		a.Online = second.Key
		a.Rotate(gone)
	}
	a.Expires = in
	m.Online = second
	m.Publish(a.Release(2, "example.org"))
	s.refuses(t, blocklist.ErrExpired, 1)

	a.Rotate()
	m.Publish(a.Release(2, "example.org"))
	s.restart(t, m.Dir)
	require.NoError(t, s.refresh(t))
	s.enforces(t, 2)
	fresh := newSubscriber(t, a, m.Dir)
	require.NoError(t, fresh.refresh(t), "with a pinned root that has been replaced")
	fresh.enforces(t, 2)
}

// After a rotation the revoked officer's signature is worth nothing, on new releases or on the one that was published.
func TestRevokedOfficer(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	old := a.Release(1, "example.org") // by anna and bruno
	m.Publish(old)
	s := newSubscriber(t, a, m.Dir)
	require.NoError(t, s.refresh(t))
	before := *a
	anna := a.Officers[0]
	a.Officers = append(a.Officers[1:3:3], trusttest.NewPerson("dora"))
	a.Rotate(anna)

	m.Publish(old)
	s.refuses(t, blocklist.ErrUntrusted, 1)
	m.Publish(before.Release(2, "example.org", "evil.example"))
	s.refuses(t, blocklist.ErrUntrusted, 1)
	_, listed := s.store.LookupHost("evil.example")
	assert.False(t, listed)

	m.Publish(a.Release(2, "example.org"))
	require.NoError(t, s.refresh(t))
	s.enforces(t, 2)
}
