package publish_test

import (
	"bytes"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// An origin that has another state of the serial says so over HTTP, and an error of the same kind comes back. One that is
// only older is something else.
func TestPushOfEquivocation(t *testing.T) {
	t.Parallel()
	h := newHouse(t, false)
	h.list(t, "one.example")
	h.publish(t)
	older, fork := h.copy(t), h.copy(t)
	h.list(t, "two.example")
	h.publish(t)
	server := httptest.NewServer(h.origin.Handler())
	defer server.Close()
	transport := publish.ToHTTP(server.Client(), server.URL)

	fork.add(t, "other.example")
	_, _, err := fork.Release(t.Context(), "anna")
	require.NoError(t, err)
	fork.sign(t, fork.anna, fork.bruno)
	_, err = fork.Push(t.Context(), transport, toOrigin)
	require.ErrorIs(t, err, blocklist.ErrEquivocation)
	assert.ErrorContains(t, err, "it.example/test serial 2: digest ")
	assert.Equal(t, 1, strings.Count(err.Error(), "equivocation"), err)

	_, err = older.Push(t.Context(), transport, toOrigin)
	require.ErrorIs(t, err, blocklist.ErrRollback)
	require.NotErrorIs(t, err, blocklist.ErrEquivocation)
}

// An origin has another state of a serial that the ledger has pushed, signed by enough officers. A recovery calls it
// what it is, in the ledger as well, and loses nothing; an officer who has signed the first state signs nothing that
// follows from the second.
func TestRecoverFromEquivocatingOrigin(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.add(t, "one.example")
	a.release(t)
	fork := a.copy(t)
	a.add(t, "two.example")
	_, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	seen, err := a.Remember(pending(t, a), nil)
	require.NoError(t, err)
	a.release(t)
	fork.add(t, "other.example")
	fork.release(t)

	r, err := a.recover(t, a.rootFile(t), fork.bundle(t))
	require.NoError(t, err)
	require.NotEmpty(t, r.Notes)
	assert.Contains(t, r.Notes[0], "equivocation: ")
	assert.Contains(t, r.Operation.Reason, "equivocation: ")
	require.Len(t, r.Aside, 1, "what was signed first is evidence")
	assert.Contains(t, r.Aside[0], filepath.Join("releases", "2"))
	assert.Equal(t, []string{"+two.example"}, collect(t, a.Unreleased(t.Context())))
	a.verified(t)

	_, _, err = a.Release(t.Context(), "anna")
	require.NoError(t, err)
	require.ErrorIs(t, a.CheckSeen(t.Context(), pending(t, a), seen), blocklist.ErrEquivocation)
	q, err := publish.OpenRequest(bytes.NewReader(a.request(t)), a.rootFile(t), nil)
	require.NoError(t, err)
	require.ErrorIs(t, q.CheckSeen(t.Context(), q.Pending(), seen), blocklist.ErrEquivocation)
	require.NoError(t, q.Close())
}
