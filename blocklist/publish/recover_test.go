package publish_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

var recovering = publish.Audit{Author: "anna", Reason: "the disk was lost"}

// bundle returns the newest release as a file.
func (a *agency) bundle(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundle.tar")
	_, err := a.Bundle(t.Context(), toFile(path), publish.Audit{Author: "anna", Reason: "a file"})
	require.NoError(t, err)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

// copy returns the agency in a copy of its folder, as a backup has it.
func (a *agency) copy(t testing.TB) *agency {
	t.Helper()
	require.NoError(t, a.Close())
	b := *a
	b.dir = filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(b.dir, os.DirFS(a.dir)))
	a.open(t)
	b.open(t)
	return &b
}

// recover recovers the folder of a, and opens it again.
func (a *agency) recover(t testing.TB, root, bundle []byte) (publish.Recovered, error) {
	t.Helper()
	r, err := publish.Recover(t.Context(), a.dir, bytes.NewReader(bundle), publish.RecoverOptions{Root: append([]byte("\ufeff"), root...), Audit: recovering})
	if err == nil {
		a.open(t)
	}
	return r, err
}

func (a *agency) add(t testing.TB, lines ...string) {
	t.Helper()
	_, err := a.Add(t.Context(), entries(t, lines...), override)
	require.NoError(t, err)
}

func (a *agency) verified(t testing.TB) publish.Verified {
	t.Helper()
	v, err := a.Verify(t.Context(), nil)
	require.NoError(t, err)
	return v
}

// A ledger that was restored from before serial 2 takes the state of serial 2. What was ordered in it meanwhile waits
// for serial 3.
func TestRecoverRestored(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.add(t, "one.example", "gone.example", "changed.example category=a")
	a.release(t)
	backup := a.copy(t)
	a.add(t, "two.example", "changed.example category=b")
	_, err := a.Remove(t.Context(), entries(t, "gone.example"), cause)
	require.NoError(t, err)
	a.release(t)

	backup.add(t, "urgent.example ref=\"order 99\"")
	_, err = backup.Remove(t.Context(), entries(t, "one.example"), cause)
	require.NoError(t, err)
	_, _, err = backup.Release(t.Context(), "anna")
	require.NoError(t, err)
	backup.sign(t, backup.anna, backup.bruno)

	r, err := backup.recover(t, a.rootFile(t), a.bundle(t))
	require.NoError(t, err)
	assert.Equal(t, uint64(2), r.Serial)
	assert.Equal(t, publish.KindRecover, r.Operation.Kind)
	assert.Equal(t, "anna", r.Operation.Author)
	assert.Contains(t, r.Operation.Reason, "the disk was lost")
	require.Len(t, r.Again, 2)
	assert.Equal(t, []string{publish.KindAdd, publish.KindRemove}, []string{r.Again[0].Kind, r.Again[1].Kind})
	assert.Contains(t, r.Again[1].Reason, "again after a recovery")
	assert.Equal(t, cause.Reference, r.Again[1].Reference)
	require.Len(t, r.Aside, 1, "the fork's release, which two officers have signed")
	assert.Contains(t, r.Aside[0], filepath.Join("pending", "release"))
	assert.Equal(t, []string{"-one.example", "+urgent.example ref=\"order 99\""}, collect(t, backup.Unreleased(t.Context())))
	assert.Equal(t, []string{"changed.example category=b", "two.example", "urgent.example ref=\"order 99\""}, backup.lines(t))
	backup.verified(t)
	_, err = backup.Pending()
	require.ErrorIs(t, err, publish.ErrNothingPending)

	_, _, err = backup.Release(t.Context(), "anna")
	require.NoError(t, err)
	p := pending(t, backup)
	assert.Equal(t, uint64(3), p.Serial)
	var shown []string
	for o, err := range backup.PendingOperations(t.Context(), p) {
		require.NoError(t, err)
		shown = append(shown, o.Kind)
	}
	assert.Equal(t, []string{publish.KindRecover, publish.KindAdd, publish.KindRemove}, shown)
	request := backup.request(t)
	q, err := publish.OpenRequest(bytes.NewReader(request), a.rootFile(t), nil)
	require.NoError(t, err)
	assert.Equal(t, shown, kinds(q.Operations()))
	_, err = q.Sign(a.anna)
	require.NoError(t, err)
	require.NoError(t, q.Close())
	backup.sign(t, backup.anna, backup.bruno)
	backup.verified(t)
	backup.bundle(t)
	backup.verified(t)
}

func kinds(operations []publish.Operation) (all []string) {
	for _, o := range operations {
		all = append(all, o.Kind)
	}
	return all
}

// A lost ledger is made again from what was signed, and goes on from there.
func TestRecoverEmpty(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.add(t, "one.example")
	a.release(t)
	a.add(t, "two.example category=x ref=\"order 2\"")
	a.release(t)
	b := &agency{dir: filepath.Join(t.TempDir(), "new", "folder"), anna: a.anna, bruno: a.bruno}
	r, err := b.recover(t, a.rootFile(t), a.bundle(t))
	require.NoError(t, err)
	assert.Equal(t, uint64(2), r.Entries)
	assert.Empty(t, r.Again)
	assert.Equal(t, a.lines(t), b.lines(t))
	b.verified(t)
	b.add(t, "three.example")
	p, _, err := b.Release(t.Context(), "anna")
	require.NoError(t, err)
	assert.Equal(t, uint64(3), p.Serial)
	b.sign(t, b.anna, b.bruno)
	b.bundle(t)
	b.verified(t)
	assert.Equal(t, 2, b.verified(t).Releases)

	again, err := b.recover(t, a.rootFile(t), b.bundle(t))
	require.NoError(t, err)
	assert.Empty(t, again.Operation, "there is nothing to adopt")
	assert.Empty(t, again.Mended)
	_, err = b.recover(t, a.rootFile(t), a.bundle(t))
	require.ErrorIs(t, err, blocklist.ErrRollback)
}

// The operations that a restored ledger had beyond its last release are in no release that was signed meanwhile, and
// the lines of that one are counted from the last release that is known.
func TestRecoverReleases(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.add(t, "one.example")
	a.release(t)
	backup := a.copy(t)
	for _, name := range []string{"two.example", "three.example"} {
		a.add(t, name)
		a.release(t)
	}
	backup.add(t, "beyond.example")
	_, err := backup.recover(t, a.rootFile(t), a.bundle(t))
	require.NoError(t, err)

	var entries uint64
	for r, err := range backup.Releases(t.Context(), 0) {
		require.NoError(t, err)
		assert.Equal(t, r.Entries, entries+r.Added-r.Removed, "serial %d", r.Serial)
		assert.Equal(t, r.Entries, entries+r.Listed-r.Delisted, "serial %d", r.Serial)
		entries = r.Entries
	}
	all, err := backup.EntryHistory(t.Context(), "beyond.example")
	require.NoError(t, err)
	require.Len(t, all[0].Events, 3)
	for i, kind := range []string{publish.KindAdd, publish.KindRecover, publish.KindAdd} {
		e := all[0].Events[i]
		assert.Equal(t, kind, e.Operation.Kind)
		assert.Equal(t, kind == publish.KindRecover, e.Release != nil, "only the recovery has a release")
	}
}
