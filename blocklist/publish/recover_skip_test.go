package publish_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/publish"
)

// A pending release that a recovery sets aside keeps its serial if officers have signed it: the history says so.
func TestRecoverSkipsSigned(t *testing.T) {
	t.Parallel()
	draft := func(a *agency, name string) {
		a.add(t, name)
		_, _, err := a.Release(t.Context(), "anna")
		require.NoError(t, err)
		a.sign(t, a.anna)
	}
	for name, damage := range map[string][]string{
		"behind": nil, "a file": {"files/*delta*3*"}, "the ledger": {"ledger.db*"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAgency(t)
			a.add(t, "one.example")
			a.release(t)
			b := a.copy(t)
			a.add(t, "two.example")
			a.release(t)
			if name == "a file" {
				b = a.copy(t)
			} else {
				draft(b, "two.example ref=b")
			}
			draft(b, "three.example")
			require.NoError(t, b.Close())
			b.damage(t, damage, os.RemoveAll)
			r, err := b.recover(t, a.rootFile(t), a.bundle(t))
			require.NoError(t, err)
			require.Len(t, r.Skipped, 1)
			assert.Equal(t, publish.Skipped{Serial: 3, Signers: "anna"}, r.Skipped[0])
			skipped, err := b.Skipped(t.Context())
			require.NoError(t, err)
			assert.Equal(t, r.Skipped, skipped)
			b.add(t, "four.example")
			p, _, err := b.Release(t.Context(), "anna")
			require.NoError(t, err)
			assert.Equal(t, uint64(4), p.Serial)
			b.sign(t, b.anna, b.bruno)
			b.bundle(t)
			b.verified(t)
		})
	}
}

// A recovery waits for another process that changes the folder, and says whom it waits for.
func TestRecoverWaits(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.add(t, "one.example")
	a.release(t)
	bundle, root := a.bundle(t), a.rootFile(t)
	unlock, err := ledger.LockFolder(t.Context(), a.dir, 0, nil)
	require.NoError(t, err)
	o := publish.RecoverOptions{Root: root, Audit: recovering}
	_, err = publish.Recover(t.Context(), a.dir, bytes.NewReader(bundle), o)
	require.ErrorIs(t, err, blocklist.ErrBusy)
	assert.ErrorContains(t, err, "process ")
	asked := make(chan publish.Holder, 1)
	o.Wait, o.Waiting = 1<<40, func(h publish.Holder) {
		asked <- h
		unlock()
	}
	_, err = publish.Recover(t.Context(), a.dir, bytes.NewReader(bundle), o)
	require.NoError(t, err)
	assert.Equal(t, os.Getpid(), (<-asked).PID)
}

// A confidential list whose folder is lost with its keys comes back with the identity of a subscriber, and the next
// release is one that this subscriber can open.
func TestRecoverConfidential(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{trust.KindX25519, trust.KindHybrid} {
		h := newHouse(t, true)
		identity, recipient, err := trust.NewIdentity(kind)
		require.NoError(t, err)
		stranger, _, err := trust.NewIdentity(kind)
		require.NoError(t, err)
		require.NoError(t, h.AddSubscriber(t.Context(), "isp", recipient, cause))
		h.list(t, "secret.example ref=7")
		h.publish(t)
		h.list(t, "further.example")
		h.publish(t)
		root, bundle := h.rootFile(t), h.bundle(t)

		lost := &agency{dir: filepath.Join(t.TempDir(), "new"), anna: h.anna, bruno: h.bruno}
		for _, wrong := range []string{"", stranger} {
			_, err = publish.Recover(t.Context(), lost.dir, bytes.NewReader(bundle), publish.RecoverOptions{Root: root, Identity: []byte(wrong), Audit: recovering})
			require.ErrorIs(t, err, blocklist.ErrNoKey)
		}
		r, err := publish.Recover(t.Context(), lost.dir, bytes.NewReader(bundle), publish.RecoverOptions{Root: root, Identity: []byte(identity), Audit: recovering})
		require.NoError(t, err)
		assert.Equal(t, uint64(2), r.Entries)
		lost.open(t)
		assert.Equal(t, h.lines(t), lost.lines(t))
		lost.verified(t)
		assert.Contains(t, r.Notes[len(r.Notes)-1], "subscriber add")

		require.NoError(t, lost.AddSubscriber(t.Context(), "isp", recipient, cause))
		lost.add(t, "third.example")
		b := lost.release(t)
		spec, err := trust.ParseTargets(b.Targets)
		require.NoError(t, err)
		assert.Equal(t, int64(3), spec.Version)
		f, ok := spec.KeyFile(kind)
		require.True(t, ok)
		identities, err := trust.ParseIdentities([]byte(identity))
		require.NoError(t, err)
		opened := false
		for {
			path, content, err := b.Next()
			if err == io.EOF { //nolint:errorlint // Next returns it as it is
				break
			}
			require.NoError(t, err)
			if path != f.Path {
				continue
			}
			sealed, err := io.ReadAll(content)
			require.NoError(t, err)
			_, err = identities.DecryptKey(sealed)
			require.NoError(t, err)
			opened = true
		}
		assert.True(t, opened)
		lost.verified(t)
	}
}
