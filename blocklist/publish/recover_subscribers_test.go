package publish_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/publish"
)

// A restored ledger may know other subscribers than the release was encrypted to. The officers of the next one, here and
// elsewhere, see all of them, and that it is not known who they were before.
func TestRecoverSubscribers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, true)
	for _, name := range []string{"one.example", "two.example"} {
		h.subscribe(t, name, trust.KindX25519)
	}
	h.list(t, "first.test")
	h.publish(t)
	backup := h.copy(t)
	h.subscribe(t, "three.example", trust.KindX25519)
	h.list(t, "second.test")
	h.publish(t)

	r, err := backup.recover(t, h.rootFile(t), h.bundle(t))
	require.NoError(t, err)
	require.Len(t, r.Notes, 1)
	assert.Contains(t, r.Notes[0], "the list key is encrypted to 3 x25519 recipients, there are 2 such subscribers")
	assert.Empty(t, r.Again, "nothing is pending again")
	backup.add(t, "third.test")
	_, _, err = backup.Release(t.Context(), "anna")
	require.NoError(t, err)
	p := pending(t, backup)
	private, public, err := trust.NewIdentity(trust.KindX25519)
	require.NoError(t, err)
	var request bytes.Buffer
	require.NoError(t, backup.WriteRequest(t.Context(), &request, p, public))
	q, err := publish.OpenRequest(&request, h.rootFile(t), []byte(private))
	require.NoError(t, err)
	want := publish.Recipients{Subscribers: 2, Before: 3, Come: []string{"one.example", "two.example"}}
	assert.Equal(t, want, q.Recipients())
	_, err = q.Sign(h.anna)
	require.NoError(t, err)
	require.NoError(t, q.Close())
	got, err := backup.PendingRecipients(t.Context(), p)
	require.NoError(t, err)
	assert.Equal(t, want, got)

	backup.sign(t, h.anna, h.bruno)
	_, err = backup.Push(t.Context(), h.deliver, toOrigin)
	require.NoError(t, err)
	backup.verified(t)
	all, err := backup.Subscribers(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 2, "each once")
	assert.Equal(t, cause.Reason, all[0].Reason)

	backup.add(t, "fourth.test")
	_, _, err = backup.Release(t.Context(), "anna")
	require.NoError(t, err)
	got, err = backup.PendingRecipients(t.Context(), pending(t, backup))
	require.NoError(t, err)
	assert.Equal(t, publish.Recipients{Subscribers: 2}, got)
}
