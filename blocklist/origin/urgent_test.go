package origin_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

// An origin publishes urgent orders with the release they lie on, goes on naming the newest, and takes none that break
// the rules.
func TestUrgentOrders(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	anna := h.agency.Officers[0]
	h.agency.Urgent = trust.Urgent{Entries: 2, Hours: 2}
	h.agency.Rotate()
	r := h.agency.Release(1, "example.org")
	require.NoError(t, h.push(t, r))
	in := func(d time.Duration) string { return " expires=" + time.Now().Add(d).UTC().Format(time.RFC3339) }
	order := func(number int64, serial uint64, who trusttest.Person, lines ...string) error {
		r.Urgent = h.agency.Orders(number, serial, lines, who)
		return h.push(t, r)
	}
	before := h.visible(t)
	for name, try := range map[string]error{
		"a stranger's": order(1, 1, trusttest.NewPerson("mallory"), "a.example"+in(time.Hour)),
		"too long":     order(1, 1, anna, "a.example"+in(3*time.Hour)),
		"too many":     order(1, 1, anna, "a.example"+in(time.Hour), "b.example"+in(time.Hour), "c.example"+in(time.Hour)),
		"too early":    order(1, 2, anna, "a.example"+in(time.Hour)),
	} {
		assert.ErrorIs(t, try, blocklist.ErrUntrusted, name)
	}
	assert.Equal(t, before, h.visible(t))

	require.NoError(t, order(3, 1, anna, "a.example"+in(time.Hour)))
	newest := r.Urgent
	err := order(2, 1, anna)
	require.ErrorIs(t, err, blocklist.ErrRollback)
	var held *trust.OrdersError
	require.ErrorAs(t, err, &held)
	assert.Equal(t, newest, held.Held, "anyone who is behind can catch up")
	assert.ErrorIs(t, order(3, 1, anna), blocklist.ErrRollback)
	answer := httptest.NewRecorder()
	h.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/lists/"+trusttest.List+"/65539.urgent.json", nil))
	assert.Equal(t, http.StatusOK, answer.Code)

	store, err := blocklist.Open(t.TempDir(), blocklist.Options{})
	require.NoError(t, err)
	defer store.Close()
	sub, err := subscribe.New(store, subscribe.Config{List: h.agency.List, Root: h.agency.Roots[0], Origins: []string{h.dir}})
	require.NoError(t, err)
	follow := func(want bool) {
		t.Helper()
		_, err := sub.Refresh(t.Context())
		require.NoError(t, err)
		_, listed := store.LookupHost("a.example")
		assert.Equal(t, want, listed)
	}
	follow(true)
	r.Urgent = nil
	require.NoError(t, h.push(t, r), "the same release without its orders takes nothing back")
	follow(true)
	require.NoError(t, h.push(t, h.agency.Release(2, "example.org")))
	follow(false)
	_, err = h.Accept(t.Context(), bytes.NewReader(h.agency.Bundle(h.agency.Release(3, "a.example"))))
	require.NoError(t, err)
	follow(true)
}

// Orders are announced like releases.
func TestUrgentOrdersAreAnnounced(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.agency.Urgent = trust.Urgent{Entries: 2, Hours: 2}
	h.agency.Rotate()
	server := httptest.NewServer(h.Handler())
	t.Cleanup(server.Close)
	events, _ := listen(t, server.URL+"/events")
	r := h.agency.Release(1, "example.org")
	require.NoError(t, h.push(t, r))
	assert.Equal(t, said(1), next(t, events))
	r.Urgent = h.agency.Orders(3, 1, []string{"a.example expires=" + time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}, h.agency.Officers[0])
	require.NoError(t, h.push(t, r))
	with := `{"list":"` + trusttest.List + `","serial":1,"urgent":65539}`
	assert.Equal(t, with, next(t, events))
	require.NoError(t, h.push(t, r), "the same again is no news")
	require.NoError(t, h.push(t, h.agency.Release(2, "example.org")))
	assert.Equal(t, strings.Replace(with, `:1,`, `:2,`, 1), next(t, events))
}

// An origin whose urgent orders are of a version that says nothing of their release, as versions did before, goes on
// naming them until there are others: subscribers that have seen them miss them else.
func TestOrdersOfAnEarlierForm(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.agency.Urgent = trust.Urgent{Entries: 2, Hours: 2}
	h.agency.Rotate()
	r := h.agency.Release(1, "example.org")
	require.NoError(t, h.push(t, r))
	anna := h.agency.Officers[0]
	soon := " expires=" + time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	old := h.agency.Orders(1, 1, []string{"a.example" + soon})
	old = trusttest.Sign(t, bytes.Replace(old, []byte(`"version":65537`), []byte(`"version":3`), 1), anna)
	h.nameOrders(t, r.Targets, old, 3)

	store, err := blocklist.Open(t.TempDir(), blocklist.Options{})
	require.NoError(t, err)
	defer store.Close()
	sub, err := subscribe.New(store, subscribe.Config{List: h.agency.List, Root: h.agency.Roots[0], Origins: []string{h.dir}})
	require.NoError(t, err)
	follow := func() {
		t.Helper()
		_, err := sub.Refresh(t.Context())
		require.NoError(t, err)
	}
	follow()
	_, listed := store.LookupHost("a.example")
	assert.False(t, listed)
	require.NoError(t, h.push(t, h.agency.Release(2, "example.org")))
	follow()
	r = h.agency.Release(3, "example.org")
	r.Urgent = h.agency.Orders(1, 3, []string{"b.example" + soon}, anna)
	require.NoError(t, h.push(t, r))
	follow()
	_, listed = store.LookupHost("b.example")
	assert.True(t, listed)
}

// nameOrders publishes urgent orders as they are.
func (h *house) nameOrders(t *testing.T, targets, orders []byte, version int64) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, "online.key"))
	require.NoError(t, err)
	_, key, err := notekey.ParsePrivate(string(text))
	require.NoError(t, err)
	write := func(name string, doc []byte) []byte {
		t.Helper()
		require.NoError(t, os.WriteFile(filepath.Join(h.dir, "lists", trusttest.List, name), doc, 0o600))
		return doc
	}
	sign := func(doc []byte, err error) []byte {
		t.Helper()
		require.NoError(t, err)
		doc, err = tuf.Sign(doc, key)
		require.NoError(t, err)
		return doc
	}
	write(trust.UrgentName(version), orders)
	now, later := time.Now().Unix()+1, time.Now().Add(time.Hour)
	snapshot := write(trust.SnapshotName(now), sign(trust.NewSnapshot(trust.OnlineSpec{
		Version: now, Expires: later, Next: targets, NextVersion: 1, Urgent: orders, UrgentVersion: version,
	})))
	write(trust.TimestampName, sign(trust.NewTimestamp(trust.OnlineSpec{Version: now, Expires: later, Next: snapshot, NextVersion: now, Root: 2})))
}
