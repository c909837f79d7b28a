package subscribe_test

import (
	"bytes"
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

// confidentialOrders is a subscriber to a confidential list, whose root allows two urgent orders of two hours each.
func confidentialOrders(t *testing.T) (*trusttest.Agency, *trusttest.Mirror, trusttest.Release, *subscriber) {
	t.Helper()
	identity, to := newRecipient(t, true)
	a := trusttest.NewAgency(t, online.Key)
	a.Key, a.To, a.Roots = trust.NewListKey(), []trust.Recipient{to}, nil
	a.Urgent = trust.Urgent{Entries: 2, Hours: 2}
	a.Rotate()
	m := a.NewMirror(online)
	m.Expires = time.Now().Add(1000 * hour)
	r := a.Release(1, "example.org")
	m.Publish(r)
	s := newReader(t, a, identity, m.Dir)
	require.NoError(t, s.refresh(t))
	return a, m, r, s
}

// Orders for a release to come are refused: those of a confidential list no one could show to the guards before it is
// there.
func TestOrdersForAReleaseToCome(t *testing.T) {
	t.Parallel()
	for name, bring := range map[string]func(*testing.T, *subscriber, *trusttest.Agency, *trusttest.Mirror, trusttest.Release){
		"from an origin": func(t *testing.T, s *subscriber, _ *trusttest.Agency, m *trusttest.Mirror, r trusttest.Release) {
			m.Publish(r)
			require.NoError(t, s.refresh(t))
		},
		"in a bundle": func(t *testing.T, s *subscriber, a *trusttest.Agency, _ *trusttest.Mirror, r trusttest.Release) {
			s.apply(t, a, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, m, r, s := confidentialOrders(t)
				r.Urgent = a.Orders(1, 2, []string{"co.uk expires=2999-01-01"}, anna)
				bring(t, s, a, m, r)
				s.lists(t, false, "www.shop.co.uk")
				r = a.Release(2, "example.org", "www.example.net")
				for range 3 { // the snapshot goes on naming the orders, and each new timestamp is kept
					m.Publish(r)
					require.NoError(t, s.refresh(t))
					s.enforces(t, 2)
					s.lists(t, false, "www.shop.co.uk")
					time.Sleep(hour)
				}
			})
		})
	}
}

// apply brings a release in a bundle.
func (s *subscriber) apply(t *testing.T, a *trusttest.Agency, r trusttest.Release) {
	t.Helper()
	stick := filepath.Join(t.TempDir(), "release.tar")
	require.NoError(t, os.WriteFile(stick, a.Bundle(r), 0o600))
	_, err := s.Apply(t.Context(), stick)
	require.NoError(t, err)
}

// An order lasts as long as the root allows, however often new metadata, a restart or a replay comes.
func TestOrdersAreNotRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, m, r, s := confidentialOrders(t)
		r.Urgent = a.Orders(1, 1, []string{"a.example expires=2999-01-01"}, anna)
		m.Publish(r)
		require.NoError(t, s.refresh(t))
		for range 3 {
			s.lists(t, true, "a.example")
			time.Sleep(39 * time.Minute)
			m.Publish(r)
			require.NoError(t, s.refresh(t))
			s.restart(t, m.Dir)
			s.apply(t, a, r)
		}
		time.Sleep(4 * time.Minute)
		s.lists(t, false, "a.example")
	})
}

// What the operator protects later ends the orders on it, and they never come back.
func TestGuardsEndOrdersInForce(t *testing.T) {
	t.Parallel()
	a, m := urgentAgency(t)
	r := a.Release(1, "example.org")
	r.Urgent = a.Orders(1, 1, []string{"hospital.example expires=2999-01-01"}, anna)
	m.Publish(r)
	s := newSubscriber(t, a, m.Dir)
	require.NoError(t, s.refresh(t))
	s.lists(t, true, "hospital.example")
	before := s.c.Guard
	protect(t, s, "hospital.example")
	s.restart(t, t.TempDir())
	s.lists(t, false, "hospital.example")
	s.lists(t, true, "example.org")
	assert.Zero(t, s.Status().Urgent)

	s.c.Guard = before
	s.restart(t, m.Dir)
	m.Publish(r)
	require.NoError(t, s.refresh(t))
	s.lists(t, false, "hospital.example")
	r.Urgent = a.Orders(2, 1, []string{"hospital.example expires=2999-01-01"}, anna)
	m.Publish(r)
	require.NoError(t, s.refresh(t))
	s.lists(t, true, "hospital.example")
}

// Refused orders count for rollback, and those that were in force before stay.
func TestRefusedOrdersCountForRollback(t *testing.T) {
	t.Parallel()
	a, m := urgentAgency(t)
	r := a.Release(1, "example.org")
	r.Urgent = a.Orders(1, 1, []string{"a.example expires=2999-01-01"}, anna)
	m.Publish(r)
	s := newSubscriber(t, a, m.Dir)
	require.NoError(t, s.refresh(t))
	older := r
	older.Urgent = a.Orders(2, 1, nil, anna)
	r.Urgent = a.Orders(3, 1, []string{"co.uk expires=2999-01-01"}, anna)
	s.apply(t, a, r)
	s.restart(t, t.TempDir())
	s.apply(t, a, older)
	s.lists(t, true, "a.example")
	s.lists(t, false, "www.shop.co.uk")
	r.Urgent = a.Orders(4, 1, nil, anna)
	s.apply(t, a, r)
	s.lists(t, false, "a.example")
}

// One officer's key can use up the numbers on top of a release. The next release begins again, and a root without that
// officer does at once.
func TestOneOfficerKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	for name, revoked := range map[string]bool{"the next release": false, "revoked": true} {
		t.Run(name, func(t *testing.T) {
			o, a, server := newOrigin(t)
			a.Urgent = trust.Urgent{Entries: 2, Hours: 2}
			a.Rotate()
			r := a.Release(1, "example.org") // by anna and bruno
			push(t, o, a, r)
			s := newSubscriber(t, a, server.URL)
			carla := a.Officers[2]
			soon := " expires=" + time.Now().Add(hour).UTC().Format(time.RFC3339)
			order := func(number int64, who trusttest.Person, names ...string) error {
				t.Helper()
				for i := range names {
					names[i] += soon
				}
				r.Urgent = a.Orders(number, serialOf(t, r), names, who)
				_, err := o.Accept(t.Context(), bytes.NewReader(a.Bundle(r)))
				return err
			}
			for number := int64(65520); number <= 65535; number++ {
				require.NoError(t, order(number, carla, "evil.example"))
			}
			require.NoError(t, s.refresh(t))
			s.lists(t, true, "evil.example")
			require.ErrorIs(t, order(1, anna), blocklist.ErrRollback)
			if revoked {
				a.Officers[2] = trusttest.NewPerson("dora")
				a.Rotate(carla)
			} else {
				r = a.Release(2, "example.org")
			}
			require.NoError(t, order(1, anna, "needed.example"))
			require.NoError(t, s.refresh(t))
			s.lists(t, false, "evil.example")
			s.lists(t, true, "needed.example")
			require.NoError(t, order(2, anna))
			require.NoError(t, s.refresh(t))
			s.lists(t, false, "needed.example")
		})
	}
}

func serialOf(t *testing.T, r trusttest.Release) uint64 {
	t.Helper()
	spec, err := trust.ParseTargets(r.Targets)
	require.NoError(t, err)
	return uint64(spec.Version)
}
