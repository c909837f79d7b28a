package publish_test

import (
	"bytes"
	"crypto"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger/ledgertest"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/publish"
)

// signAndRefuse makes a release that anna signs and bruno refuses.
func (a *agency) signAndRefuse(t testing.TB, name string) {
	t.Helper()
	a.add(t, name)
	_, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	a.sign(t, a.anna)
	p, err := a.Pending()
	require.NoError(t, err)
	require.NoError(t, a.Refuse(t.Context(), p, a.bruno, cause))
}

// signAndReplace makes a release that an officer signs, and then one with another name.
func (a *agency) signAndReplace(t testing.TB, officer crypto.Signer, name string) *publish.Pending {
	t.Helper()
	_, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	a.sign(t, officer)
	a.add(t, name)
	p, replaced, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	require.True(t, replaced)
	return p
}

// No serial that was signed is used again, be the release refused or replaced. What follows skips it: a subscriber comes
// by a delta, and an officer signs without an alarm.
func TestSkip(t *testing.T) {
	t.Parallel()
	a, s := newAgency(t), &shelf{}
	root := a.rootFile(t)
	a.signAndRefuse(t, "zero.example")
	for i := range 40 {
		a.add(t, fmt.Sprintf("n%02d.example", i))
	}
	a.pushTo(t, s)
	assert.Equal(t, int64(2), s.targets.Version, "the first release has no step")

	a.signAndRefuse(t, "one.example")
	skipped, err := a.Skipped(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []publish.Skipped{{Serial: 3, Signers: "anna"}}, skipped)
	p := a.signAndReplace(t, a.bruno, "two.example") // serial 4
	assert.Equal(t, uint64(5), p.Serial)
	p = a.signAndReplace(t, a.anna, "three.example")
	assert.Equal(t, uint64(6), p.Serial)
	status, err := a.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []publish.Skipped{{3, "anna"}, {4, "bruno"}, {5, "anna"}}, status.Skipped)
	assert.Equal(t, "serial 4 was signed by bruno and is not used again", status.Skipped[1].String())
	q, err := publish.OpenRequest(bytes.NewReader(a.request(t)), root, nil)
	require.NoError(t, err)
	assert.Equal(t, collect(t, a.Review(p)), collect(t, q.Review()))
	require.NoError(t, q.Close())

	a.pushTo(t, s)
	way, ok := s.targets.UpdatePath(2)
	require.True(t, ok)
	require.Len(t, way, 1)
	assert.Equal(t, []uint64{2, 6}, []uint64{way[0].Release.Base, way[0].Release.Serial})
	assert.Contains(t, s.lines(t, s.way(t)), "three.example")
	a.add(t, "four.example")
	a.pushTo(t, s)
	way, ok = s.targets.UpdatePath(2)
	require.True(t, ok, "the steps over the gap are kept")
	assert.Positive(t, way[0].Release.Base)
	v := a.verified(t)
	assert.Equal(t, []any{3, uint64(7)}, []any{v.Releases, v.Serial})
}

func (s *shelf) way(t testing.TB) []trust.File {
	t.Helper()
	way, ok := s.targets.UpdatePath(0)
	require.True(t, ok)
	return way
}

// A serial is missing in the history only where an operation says so.
func TestVerifySkipped(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.release(t)
	a.signAndRefuse(t, "one.example")
	a.release(t)
	a.add(t, "two.example")
	a.release(t)
	a.verified(t)
	require.NoError(t, a.Close())
	pristine, err := os.ReadFile(filepath.Join(a.dir, "ledger.db"))
	require.NoError(t, err)
	for want, c := range map[string]struct {
		sql     string
		rechain bool
	}{
		"release 3 is missing, or release 4":   {`DELETE FROM releases WHERE serial = 3`, false},
		"release 2 is missing, or release 3":   {`UPDATE operations SET reference = 'serial 2 signed by ' WHERE kind = 'skip'`, true},
		"operation 4 is not what was recorded": {`UPDATE operations SET reference = 'serial 7' || substr(reference, 9) WHERE kind = 'skip'`, false},
	} {
		t.Run(want, func(t *testing.T) {
			b := &agency{dir: a.dir}
			require.NoError(t, os.WriteFile(filepath.Join(a.dir, "ledger.db"), pristine, 0o600))
			ledgertest.Tamper(t, a.dir, c.sql)
			if c.rechain {
				publish.Rechain(t, a.dir)
			}
			b.open(t)
			_, err := b.Verify(t.Context(), nil)
			require.ErrorIs(t, err, blocklist.ErrDamaged)
			assert.ErrorContains(t, err, want)
		})
	}
}

// No one signs a release that leaves out a serial without a word.
func TestUnexplainedGap(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.next(t, "one.example")
	exchange(t, a, a.lines(t), func(r *trust.Release) { r.Serial = 2 })
	_, err := a.Sign(t.Context(), pending(t, a), a.anna)
	require.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.ErrorContains(t, err, "no operation skips serial 1")
}

// What an officer remembers of skipped serials raises no alarm, and going back does.
func TestSeenSkipped(t *testing.T) {
	t.Parallel()
	a := urgentAgency(t)
	var seen []publish.Seen
	remember := func(a *agency) {
		t.Helper()
		p := pending(t, a)
		require.NoError(t, a.CheckSeen(t.Context(), p, seen))
		next, err := a.Remember(p, seen)
		require.NoError(t, err)
		seen = next
	}
	last := pending(t, a.released(t, "one.example")).Serial
	remember(a)
	backup := a.copy(t)
	a.signAndReplace(t, a.anna, "two.example")
	remember(a)
	a.signAndReplace(t, a.anna, "three.example")
	remember(a)
	assert.Equal(t, last+2, pending(t, a).Serial)
	require.ErrorIs(t, backup.CheckSeen(t.Context(), pending(t, backup), seen), blocklist.ErrRollback)
}

// released pushes nothing, but makes a release with one name more.
func (a *agency) released(t testing.TB, name string) *agency {
	t.Helper()
	a.add(t, name)
	_, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	return a
}

// A process that is killed after it has recorded that a serial is skipped leaves no release of that serial.
func TestSkipInterrupted(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.add(t, "one.example")
	_, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	a.sign(t, a.anna)
	path := filepath.Join(a.dir, "pending", "release", "targets.json")
	signed, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, a.Refuse(t.Context(), pending(t, a), a.bruno, cause))
	require.NoError(t, os.WriteFile(path, signed, 0o600))
	_, err = a.Sign(t.Context(), pending(t, a), a.bruno)
	require.ErrorIs(t, err, blocklist.ErrUntrusted)
	_, err = a.Pending()
	require.ErrorIs(t, err, publish.ErrNothingPending)
	a.release(t)
	a.verified(t)
}

// A recovery takes the state of a release that follows a gap; serials that the ledger has skipped itself stay skipped.
func TestRecoverOverGap(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.release(t)
	backup := a.copy(t)
	a.signAndRefuse(t, "one.example")
	behind := a.copy(t)
	a.add(t, "two.example")
	a.release(t)
	root, bundle := a.rootFile(t), a.bundle(t)
	for _, b := range []*agency{backup, behind, {dir: t.TempDir()}} {
		if b.Ledger != nil {
			require.NoError(t, b.Close())
		}
		b.anna, b.bruno = a.anna, a.bruno
		r, err := b.recover(t, root, bundle)
		require.NoError(t, err)
		assert.Equal(t, uint64(3), r.Serial)
		b.verified(t)
		b.add(t, "three.example")
		b.release(t)
		assert.Equal(t, uint64(4), b.verified(t).Serial)
	}
}

// A ledger that goes on from an old backup signs and skips serials of its own. After the recovery, those beyond the
// release stay skipped.
func TestRecoverSkipped(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.release(t)
	backup := a.copy(t)
	a.add(t, "two.example")
	a.release(t)
	backup.signAndRefuse(t, "fork.example")
	backup.signAndRefuse(t, "branch.example")
	require.NoError(t, backup.Close())
	r, err := backup.recover(t, a.rootFile(t), a.bundle(t))
	require.NoError(t, err)
	assert.Equal(t, uint64(2), r.Serial)
	backup.release(t)
	assert.Equal(t, uint64(4), backup.verified(t).Serial)
}
