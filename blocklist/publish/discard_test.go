package publish_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// A release is discarded without an officer's key: its signatures are void, its serial is not used again if it had one,
// and what an officer elsewhere signs of it is refused with the reason.
func TestDiscardRelease(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.add(t, "example.com")
	p, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	bruno := a.signedElsewhere(t, p)
	assert.ErrorIs(t, a.Discard(t.Context(), p, publish.Audit{Author: "rita"}), blocklist.ErrMalformed, "without a reason")
	why := publish.Audit{Author: "rita", Reason: "an entry is missing"}
	require.NoError(t, a.Discard(t.Context(), p, why))
	_, err = a.Pending()
	require.ErrorIs(t, err, publish.ErrNothingPending)
	dropped := (*publish.DroppedError)(nil)
	refused := func(signature []byte) {
		t.Helper()
		_, err = a.AddSignature(t.Context(), signature)
		require.ErrorAs(t, err, &dropped)
		assert.Equal(t, []string{"rita", "an entry is missing"}, []string{dropped.By.Author, dropped.Why()})
		assert.ErrorContains(t, err, "serial 1 was discarded by rita on ")
	}
	refused(bruno)

	a.add(t, "example.net")
	p, _, err = a.Release(t.Context(), "anna")
	require.NoError(t, err)
	require.Equal(t, uint64(1), p.Serial, "no one had signed it")
	refused(bruno)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	a.sign(t, a.anna)
	assert.ErrorIs(t, a.Discard(t.Context(), p, why), blocklist.ErrUntrusted, "it was signed since")
	p, err = a.Pending()
	require.NoError(t, err)
	bruno = a.signedElsewhere(t, p)
	require.NoError(t, a.Discard(t.Context(), p, why))
	refusals, err := a.Refusals(t.Context())
	require.NoError(t, err)
	require.Len(t, refusals, 1)
	assert.Equal(t, publish.KindDiscard, refusals[0].Kind)
	p, _, err = a.Release(t.Context(), "anna")
	require.NoError(t, err)
	assert.Equal(t, uint64(2), p.Serial)
	refused(bruno)
	a.verified(t)
}

// signedElsewhere returns bruno's signature on p, made from a request.
func (a *agency) signedElsewhere(t *testing.T, p *publish.Pending) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "request")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, a.WriteRequest(t.Context(), f, p))
	_, err = f.Seek(0, 0)
	require.NoError(t, err)
	root, err := os.ReadFile(filepath.Join(a.dir, "root.json"))
	require.NoError(t, err)
	q, err := publish.OpenRequest(f, root, nil)
	require.NoError(t, err)
	defer q.Close()
	signature, err := q.Sign(a.bruno)
	require.NoError(t, err)
	return signature
}

// What was decided before a release was discarded does not count for the next one.
func TestDiscardCancelsOverride(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "co.uk"), publish.Audit{Author: "anna", Override: "a test"})
	require.NoError(t, err)
	_, _, err = a.Release(t.Context(), "anna")
	require.ErrorIs(t, err, blocklist.ErrHeld)
	override := publish.Audit{Author: "rita", Reason: "the ministry asks for it"}
	_, err = a.Override(t.Context(), override)
	require.NoError(t, err)
	p, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	require.NoError(t, a.Discard(t.Context(), p, publish.Audit{Author: "rita", Reason: "by mistake"}))
	_, _, err = a.Release(t.Context(), "anna")
	assert.ErrorIs(t, err, blocklist.ErrHeld)
}
