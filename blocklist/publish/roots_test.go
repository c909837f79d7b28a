package publish_test

import (
	"context"
	"crypto"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger/ledgertest"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/publish"
)

// newOfficer makes a key and returns its public half as text.
func newOfficer(t *testing.T, name string) (string, crypto.Signer) {
	t.Helper()
	public, signer := keypair(t, t.TempDir(), name, nil)
	return public[0], signer
}

func (a *agency) rotate(t *testing.T, change publish.RootChange) *publish.Pending {
	t.Helper()
	p, err := a.NewRoot(t.Context(), change, cause)
	require.NoError(t, err)
	return p
}

// push pushes what there is, and returns the bundle.
func (a *agency) push(t *testing.T) (b *trust.Bundle) {
	t.Helper()
	_, err := a.Push(t.Context(), bundleTo(t, &b), toOrigin)
	require.NoError(t, err)
	return b
}

// bundleTo reads the documents of a bundle.
func bundleTo(t *testing.T, b **trust.Bundle) publish.Transport {
	t.Helper()
	return func(_ context.Context, _ string, r io.Reader) (err error) {
		*b, err = trust.OpenBundle(r)
		return err
	}
}

func fingerprint(t *testing.T, text string) string {
	t.Helper()
	f, err := publish.Fingerprint([]byte(text))
	require.NoError(t, err)
	return f
}

// A new root counts with the signatures of enough officers of the one before and enough of its own.
func TestRotateNeedsOldAndNew(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.release(t)
	public, carla := newOfficer(t, "carla")
	p := a.rotate(t, publish.RootChange{Add: []string{public}, Remove: []string{"anna"}})
	assert.Equal(t, int64(2), p.Root)
	require.Len(t, p.Changes, 2)
	assert.Regexp(t, `^officer goes: anna \(([0-9a-f]{4} ?){6}\)$`, p.Changes[0].String())
	assert.Equal(t, "officer comes: carla ("+fingerprint(t, public)+")", p.Changes[1].String())

	_, mallory := newOfficer(t, "mallory")
	_, err := a.Sign(t.Context(), p, mallory)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)

	a.sign(t, carla, a.bruno) // enough of its own, too few of the one before
	p, err = a.Pending()
	require.NoError(t, err)
	assert.Equal(t, []any{[]string{"bruno", "carla"}, []string{"bruno"}, []string{"anna"}, false},
		[]any{p.Signed, p.Before.Signed, p.Before.Missing, p.Enough()})
	a.sign(t, a.anna)
	_, err = a.Pending()
	assert.ErrorIs(t, err, publish.ErrNothingPending)
	s, err := a.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []any{int64(2), 2, []string{"bruno", "carla"}}, []any{s.Root.Version, s.Root.Threshold, s.Root.Officers})
	assert.Equal(t, publish.KindRoot, s.Head.Kind)
	assert.Contains(t, s.Head.Reason, ", officer comes: carla ("+fingerprint(t, public)+"): test")
	_, err = a.Verify(t.Context(), nil)
	assert.NoError(t, err, "the release was signed for the root before")
}

// A release that too few of the remaining officers have signed must be made again; it has a serial of its own.
func TestReleaseOfRevokedOfficerIsMadeAgain(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	a.release(t)
	public, carla := newOfficer(t, "carla")
	a.rotate(t, publish.RootChange{Add: []string{public}, Remove: []string{"anna"}})
	a.sign(t, a.anna, a.bruno, carla)

	_, err = a.Push(t.Context(), toFile(filepath.Join(t.TempDir(), "bundle")), toOrigin)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.ErrorContains(t, err, "blocklist release")
	s, err := a.Status(t.Context())
	require.NoError(t, err)
	require.Len(t, s.Warnings, 1)
	assert.Contains(t, s.Warnings[0].String(), "have signed serial 1")

	p, _, err := a.Release(t.Context(), "bruno")
	require.NoError(t, err)
	assert.Equal(t, uint64(2), p.Serial)
	assert.Empty(t, collect(t, a.Review(p)))
	_, err = a.Sign(t.Context(), p, a.anna)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted, "she is no officer any more")
	a.sign(t, a.bruno, carla)
	b := a.push(t)
	roots, err := trust.OpenRoots(b.Roots)
	require.NoError(t, err)
	require.Len(t, roots, 2)
	_, err = trust.OpenTargets(roots[1], b.Targets)
	assert.NoError(t, err)
	_, err = a.Verify(t.Context(), nil)
	assert.NoError(t, err)
	s, err = a.Status(t.Context())
	require.NoError(t, err)
	assert.Empty(t, s.Warnings)
	_, _, err = a.Release(t.Context(), "bruno")
	assert.ErrorIs(t, err, publish.ErrUnchanged)
}

// Signatures that a pending release has got from an officer who is then revoked count no more.
func TestPendingReleaseAcrossRotation(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	a.sign(t, a.anna)
	public, carla := newOfficer(t, "carla")
	a.rotate(t, publish.RootChange{Add: []string{public}, Remove: []string{"anna"}})
	a.sign(t, a.anna, a.bruno, carla)
	p, err := a.Pending()
	require.NoError(t, err)
	assert.Equal(t, []any{uint64(1), []string{}, []string{"bruno", "carla"}}, []any{p.Serial, p.Signed, p.Missing})
	a.sign(t, a.bruno, carla)
	a.push(t)
	_, err = a.Verify(t.Context(), nil)
	assert.NoError(t, err)
}

// A renewal, and another key of the origin, need no new release: the newest goes out again with the new root.
func TestRenewRoot(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.release(t)
	p := a.rotate(t, publish.RootChange{})
	require.Len(t, p.Changes, 1)
	assert.Contains(t, p.Changes[0].String(), "renewed until")
	_, err := a.NewRoot(t.Context(), publish.RootChange{}, cause)
	assert.ErrorIs(t, err, publish.ErrPending)
	a.sign(t, a.anna, a.bruno)
	origin, _ := newOfficer(t, "second-origin")
	p = a.rotate(t, publish.RootChange{OriginKey: origin})
	assert.Contains(t, p.Changes[0].String(), "the origin's key: second-origin ("+fingerprint(t, origin)+")")
	a.sign(t, a.anna, a.bruno)
	b := a.push(t)
	roots, err := trust.OpenRoots(b.Roots)
	require.NoError(t, err)
	require.Len(t, roots, 3)
	assert.Equal(t, origin, roots[2].Spec().Online.String())
	targets, err := trust.OpenTargets(roots[2], b.Targets)
	require.NoError(t, err)
	assert.Equal(t, int64(1), targets.Version)
}

func TestRotateRefuses(t *testing.T) {
	t.Parallel()
	fresh := initAgency(t)
	_, err := fresh.NewRoot(t.Context(), publish.RootChange{}, cause)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted, "the first root is not signed yet")

	a := newAgency(t)
	public, _ := newOfficer(t, "carla")
	for name, c := range map[string]struct {
		change publish.RootChange
		want   error
	}{
		"who is not there":     {publish.RootChange{Remove: []string{"dora"}}, publish.ErrNoOfficer},
		"too few for m":        {publish.RootChange{Remove: []string{"anna"}}, blocklist.ErrMalformed},
		"the same key twice":   {publish.RootChange{Add: []string{public, public}}, blocklist.ErrMalformed},
		"threshold beyond n":   {publish.RootChange{Threshold: 3}, blocklist.ErrMalformed},
		"negative threshold":   {publish.RootChange{Threshold: -1}, blocklist.ErrMalformed},
		"an officer's online":  {publish.RootChange{Add: []string{public}, OriginKey: public}, blocklist.ErrMalformed},
		"no key":               {publish.RootChange{Add: []string{"carla"}}, blocklist.ErrMalformed},
		"no key of the origin": {publish.RootChange{OriginKey: "x"}, blocklist.ErrMalformed},
	} {
		_, err := a.NewRoot(t.Context(), c.change, cause)
		assert.ErrorIs(t, err, c.want, name)
	}
	_, err = a.Pending()
	assert.ErrorIs(t, err, publish.ErrNothingPending)
	s, err := a.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, publish.KindInit, s.Head.Kind, "nothing was recorded")
}

// A process killed after a root was put under its number, before it was made the one in force.
func TestRotationKilledBeforeTheEnd(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	old, err := os.ReadFile(filepath.Join(a.dir, "root.json"))
	require.NoError(t, err)
	a.rotate(t, publish.RootChange{})
	a.sign(t, a.anna, a.bruno)
	signed, err := os.ReadFile(filepath.Join(a.dir, "roots", "2.root.json"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(a.dir, "root.json"), old, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(a.dir, "pending", "2.root.json"), signed, 0o600))

	_, err = a.Pending()
	assert.ErrorIs(t, err, publish.ErrNothingPending)
	a.release(t)
	now, err := os.ReadFile(filepath.Join(a.dir, "root.json"))
	require.NoError(t, err)
	assert.Equal(t, signed, now)
	assert.NoFileExists(t, filepath.Join(a.dir, "pending", "2.root.json"))
}

func TestRefuseRelease(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	p, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	assert.ErrorIs(t, a.Refuse(t.Context(), p, a.bruno, publish.Audit{}), blocklist.ErrMalformed, "without a reason")
	a.sign(t, a.anna)
	why := publish.Audit{Author: "mallory", Reason: "not ours", Reference: "order 17"}
	assert.ErrorIs(t, a.Refuse(t.Context(), p, a.bruno, why), blocklist.ErrUntrusted, "it is not what bruno has seen")
	p, err = a.Pending()
	require.NoError(t, err)
	_, stranger := keypair(t, t.TempDir(), "bruno", nil)
	assert.ErrorIs(t, a.Refuse(t.Context(), p, stranger, why), blocklist.ErrUntrusted, "another key of that name")
	require.NoError(t, a.Refuse(t.Context(), p, a.bruno, why))
	_, err = a.Pending()
	assert.ErrorIs(t, err, publish.ErrNothingPending)
	s, err := a.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []any{publish.KindRefuse, "bruno", "it.example/test serial 1: not ours"}, []any{s.Head.Kind, s.Head.Author, s.Head.Reason})
	assert.Equal(t, []string{"example.com"}, a.lines(t))
	_, err = a.Remove(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	a.release(t)
	_, err = a.Verify(t.Context(), nil)
	assert.NoError(t, err)
}

// Who refused, what and why is signed: anyone who alters the ledger, and computes its hashes again, can't alter that.
func TestRefusalIsSigned(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	p, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	require.NoError(t, a.Refuse(t.Context(), p, a.bruno, cause))
	for _, alter := range []string{
		`author = 'anna'`, `reason = reason || '!'`, `reference = 'other ' || reference`, `reference = ''`, `reference = replace(reference, 'refusal', 'x')`,
	} {
		dir := filepath.Join(t.TempDir(), "copy")
		require.NoError(t, a.Close())
		require.NoError(t, os.CopyFS(dir, os.DirFS(a.dir)))
		ledgertest.Tamper(t, dir, `UPDATE operations SET `+alter+` WHERE kind = 'refuse'`)
		publish.Rechain(t, dir)
		b := &agency{dir: dir}
		b.open(t)
		_, err = b.Verify(t.Context(), nil)
		assert.ErrorIs(t, err, blocklist.ErrDamaged)
		assert.ErrorContains(t, err, "was not signed by", alter)
		a.open(t)
	}
	_, err = a.Verify(t.Context(), nil)
	assert.NoError(t, err)
}

func TestRefuseRoot(t *testing.T) {
	t.Parallel()
	a := initAgency(t)
	p, err := a.Pending()
	require.NoError(t, err)
	assert.ErrorIs(t, a.Refuse(t.Context(), p, a.anna, cause), blocklist.ErrMalformed, "without it there is no list")
	a.sign(t, a.anna, a.bruno)
	p = a.rotate(t, publish.RootChange{})
	require.NoError(t, a.Refuse(t.Context(), p, a.anna, cause))
	p = a.rotate(t, publish.RootChange{})
	assert.Equal(t, int64(2), p.Root)
}

// Why a release is as it is comes from the operations that the signature covers.
func TestReasons(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.com", "example.org"), cause)
	require.NoError(t, err)
	a.release(t)
	_, err = a.Remove(t.Context(), entries(t, "example.com"), publish.Audit{Author: "bruno", Reason: "cleaned", Reference: "revocation 2026/44"})
	require.NoError(t, err)
	p, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	_, err = a.Add(t.Context(), entries(t, "example.net"), cause) // not part of it
	require.NoError(t, err)
	kinds := func() (all []string, last error) {
		for o, err := range a.PendingOperations(t.Context(), p) {
			all, last = append(all, o.Kind+" "+o.Author), err
		}
		return all, last
	}
	all, err := kinds()
	require.NoError(t, err)
	assert.Equal(t, []string{"push anna", "remove bruno"}, all)

	ledgertest.Tamper(t, a.dir, `UPDATE operations SET author = 'mallory' WHERE kind = 'remove'`)
	_, err = kinds()
	assert.ErrorIs(t, err, blocklist.ErrDamaged)
}

// A change can't be hidden in the release before: that one must be what officers have signed.
func TestReviewChecksTheReleaseBefore(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	a.release(t)
	_, err = a.Add(t.Context(), entries(t, "example.net"), cause)
	require.NoError(t, err)
	p, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	path := filepath.Join(a.dir, "releases", "1", "targets.json")
	signed, err := os.ReadFile(path)
	require.NoError(t, err)
	spec, err := trust.ParseTargets(signed)
	require.NoError(t, err)
	spec.Expires = spec.Expires.Add(time.Hour)
	unsigned, err := trust.NewTargets(spec)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, unsigned, 0o600))
	for _, err := range a.Review(p) {
		assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	}
}
