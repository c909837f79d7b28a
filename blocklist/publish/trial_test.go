package publish_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger/ledgertest"
	"github.com/argine-dns/argine/blocklist/publish"
)

// A trial says what a change does and what the guards say, and records nothing.
func TestTrial(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	before, err := a.History().Head(t.Context())
	require.NoError(t, err)
	r, err := a.Trial().Add(t.Context(), entries(t, "bad.example.net ref=17"), cause)
	require.NoError(t, err)
	assert.Equal(t, uint64(1), r.Added)
	_, err = a.Trial().Add(t.Context(), entries(t, "co.uk"), cause)
	require.ErrorIs(t, err, blocklist.ErrHeld)
	_, err = a.Trial().Remove(t.Context(), entries(t, "bad.example.net"), cause)
	require.ErrorIs(t, err, publish.ErrNotListed)
	after, err := a.History().Head(t.Context())
	require.NoError(t, err)
	assert.Equal(t, before, after)
	assert.Empty(t, a.lines(t))
}

// A change of a state that is not the last one any more is refused, and loses nothing.
func TestAfter(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	seen, err := a.History().Head(t.Context())
	require.NoError(t, err)
	_, err = a.After(seen.Hash).Add(t.Context(), entries(t, "bad.example.net ref=17"), cause)
	require.NoError(t, err)
	_, err = a.After(seen.Hash).Add(t.Context(), entries(t, "worse.example.net ref=17"), cause)
	require.ErrorIs(t, err, publish.ErrMoved)
	assert.Equal(t, []string{"bad.example.net ref=17"}, a.lines(t))
}

func TestRoles(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	require.NoError(t, a.SetRole(t.Context(), "anna", publish.RoleReviewer, cause))
	require.NoError(t, a.SetRole(t.Context(), "carla", publish.RoleClerk, cause))
	require.NoError(t, a.SetRole(t.Context(), "carla", publish.RoleAuditor, cause))
	require.NoError(t, a.SetRole(t.Context(), "dora", publish.RoleReader, cause))
	require.NoError(t, a.SetRole(t.Context(), "dora", "", cause))
	require.ErrorIs(t, a.SetRole(t.Context(), "dora", "", cause), publish.ErrUnchanged)
	require.ErrorIs(t, a.SetRole(t.Context(), "dora", "owner", cause), blocklist.ErrMalformed)
	for _, person := range []string{"", "two words", "bidi\u202e", "line\n"} {
		require.ErrorIs(t, a.SetRole(t.Context(), person, publish.RoleReader, cause), blocklist.ErrMalformed, "%q", person)
	}
	roles, err := a.RolesOf(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"anna": publish.RoleReviewer, "carla": publish.RoleAuditor}, roles)
	_, err = a.Verify(t.Context(), nil)
	require.NoError(t, err)
	ledgertest.Tamper(t, a.dir, `UPDATE meta SET value = '{"anna":"reviewer","eve":"reviewer"}' WHERE key = 'roles'`)
	_, err = a.Verify(t.Context(), nil)
	require.ErrorIs(t, err, blocklist.ErrDamaged)
}

// Ranges of entries and of the history are read page by page.
func TestPages(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "a.example.net", "=b.example.net", "c.example.net", "https://x.c.example.net/a", "d.example.org"), override)
	require.NoError(t, err)
	read := func(r publish.EntryRange) (targets []string) {
		for e, err := range a.EntriesIn(t.Context(), r) {
			require.NoError(t, err)
			targets = append(targets, e.Target())
		}
		return targets
	}
	assert.Equal(t, []string{"a.example.net", "c.example.net"}, read(publish.EntryRange{From: "a", Most: 2}))
	assert.Equal(t, []string{"c.example.net", "a.example.net"}, read(publish.EntryRange{From: "a", Before: "d.example.org", Last: true}))
	var below []string
	for e, err := range a.EntriesUnder(t.Context(), name(t, "example.net"), 3) {
		require.NoError(t, err)
		below = append(below, e.Target())
	}
	assert.Equal(t, []string{"a.example.net", "=b.example.net", "c.example.net"}, below)
	var kinds []string
	for o, err := range a.Log(t.Context(), publish.LogFilter{Before: 2}) {
		require.NoError(t, err)
		kinds = append(kinds, o.Kind)
	}
	assert.Equal(t, []string{publish.KindInit}, kinds)
}

func name(t *testing.T, text string) blocklist.Name {
	t.Helper()
	n, _, err := blocklist.ParseHost(text)
	require.NoError(t, err)
	return n
}
