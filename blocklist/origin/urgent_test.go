package origin_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

// An origin publishes urgent orders with the release they lie on, goes on naming the newest, and takes none that break the
// rules.
func TestUrgentOrders(t *testing.T) {
	h := newHouse(t)
	anna := h.agency.Officers[0]
	h.agency.Urgent = trust.Urgent{Entries: 2, Hours: 2}
	h.agency.Rotate()
	r := h.agency.Release(1, "example.org")
	require.NoError(t, h.push(t, r))
	in := func(d time.Duration) string { return " expires=" + time.Now().Add(d).UTC().Format(time.RFC3339) }
	order := func(version int64, serial uint64, who trusttest.Person, lines ...string) error {
		r.Urgent = h.agency.Orders(version, serial, lines, who)
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
	assert.ErrorIs(t, order(2, 1, anna), blocklist.ErrRollback)
	assert.ErrorIs(t, order(3, 1, anna), blocklist.ErrRollback)
	answer := httptest.NewRecorder()
	h.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/lists/"+trusttest.List+"/3.urgent.json", nil))
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
	with := `{"list":"` + trusttest.List + `","serial":1,"urgent":3}`
	assert.Equal(t, with, next(t, events))
	require.NoError(t, h.push(t, r), "the same again is no news")
	require.NoError(t, h.push(t, h.agency.Release(2, "example.org")))
	assert.Equal(t, strings.Replace(with, `:1,`, `:2,`, 1), next(t, events))
}
