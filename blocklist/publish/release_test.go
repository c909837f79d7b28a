package publish_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
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

var toOrigin = publish.Audit{Author: "anna", Reason: "an origin"}

func TestReleaseIsWhatWasListed(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.org", "example.com category=test", "=www.example.net"), cause)
	require.NoError(t, err)
	s, err := a.Status(t.Context())
	require.NoError(t, err)
	b := a.release(t)

	require.Len(t, b.Roots, 1)
	root, err := trust.OpenRoot(b.Roots[0])
	require.NoError(t, err)
	targets, err := trust.OpenTargets(root, b.Targets)
	require.NoError(t, err)
	require.Len(t, targets.Files, 1)
	file := targets.Files[0]
	assert.Equal(t, []any{list, uint64(1), uint64(3), s.Head.Digest, s.Head.Hash},
		[]any{file.Release.List, file.Release.Serial, file.Release.Entries, file.Release.Digest, file.Release.Ledger})

	_, content, err := b.Next()
	require.NoError(t, err)
	reader, text, err := trust.OpenRelease(content, file)
	require.NoError(t, err)
	defer text.Close()
	assert.Equal(t, []string{"+=www.example.net", "+example.com category=test", "+example.org"}, collect(t, reader.Changes()))
	_, _, err = b.Next()
	assert.ErrorIs(t, err, io.EOF)
	_, err = a.Verify(t.Context(), nil)
	assert.NoError(t, err)
}

func TestReleaseNeedsRoot(t *testing.T) {
	t.Parallel()
	a := initAgency(t)
	_, _, err := a.Release(t.Context(), "anna")
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	a.sign(t, a.anna)
	_, _, err = a.Release(t.Context(), "anna")
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.NoFileExists(t, filepath.Join(a.dir, "root.json"))
	a.sign(t, a.bruno)
	_, _, err = a.Release(t.Context(), "anna")
	assert.NoError(t, err)
}

func TestReleaseAgain(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	_, replaced, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	assert.False(t, replaced)
	a.sign(t, a.anna)

	p, replaced, err := a.Release(t.Context(), "anna") // the same state: the signature stays
	require.NoError(t, err)
	assert.False(t, replaced)
	assert.Equal(t, []string{"anna"}, p.Signed)

	_, err = a.Add(t.Context(), entries(t, "example.net"), cause)
	require.NoError(t, err)
	p, replaced, err = a.Release(t.Context(), "anna")
	require.NoError(t, err)
	assert.True(t, replaced)
	assert.Empty(t, p.Signed)
	assert.Equal(t, uint64(2), p.Serial, "anna has signed serial 1")
	a.add(t, "example.edu")
	p, replaced, err = a.Release(t.Context(), "anna")
	require.NoError(t, err)
	assert.True(t, replaced)
	assert.Equal(t, uint64(2), p.Serial, "no officer has signed serial 2")
	files, err := os.ReadDir(filepath.Join(a.dir, "files"))
	require.NoError(t, err)
	assert.Len(t, files, 1, "the replaced snapshot is still there")

	a.release(t)
	_, _, err = a.Release(t.Context(), "anna")
	assert.ErrorIs(t, err, publish.ErrUnchanged)
	_, err = a.Pending()
	assert.ErrorIs(t, err, publish.ErrNothingPending)
}

// A release that can't be made loses nothing: the pending one, which no one has signed, stays.
func TestReleaseFails(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.add(t, "one.example")
	before, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	a.add(t, "two.example")
	files, aside := filepath.Join(a.dir, "files"), filepath.Join(a.dir, "aside")
	require.NoError(t, os.Rename(files, aside))
	require.NoError(t, os.Symlink("nowhere", files)) // no file can be made there
	_, _, err = a.Release(t.Context(), "anna")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.Remove(files))
	require.NoError(t, os.Rename(aside, files))
	assert.Equal(t, before.Ledger, pending(t, a).Ledger)
	a.release(t)
	a.verified(t)
}

func TestReleaseTakesOutExpired(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	lines := []string{"old.example expires=2020-01-01", "new.example expires=2999-01-01", `x.example ref="a expires=2020-01-01"`}
	_, err := a.Import(t.Context(), stream(entries(t, lines...)), cause, nil)
	require.NoError(t, err)
	_, _, err = a.Release(t.Context(), "bruno")
	require.NoError(t, err)
	assert.Equal(t, []string{"new.example expires=2999-01-01", `x.example ref="a expires=2020-01-01"`}, a.lines(t))
	s, err := a.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []any{publish.KindExpire, "bruno"}, []any{s.Head.Kind, s.Head.Author})
}

func TestReview(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "a.example", "b.example", "c.example"), cause)
	require.NoError(t, err)
	a.release(t)
	_, err = a.Remove(t.Context(), entries(t, "a.example"), cause)
	require.NoError(t, err)
	_, err = a.Add(t.Context(), entries(t, "b.example category=test", "d.example"), cause)
	require.NoError(t, err)
	p, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	want := []string{"-a.example", "-b.example", "+b.example category=test", "+d.example"}
	assert.Equal(t, want, collect(t, a.Review(p)))
	assert.Equal(t, want, collect(t, a.Unreleased(t.Context())))
}

// What an officer is shown comes from the bytes they sign: a snapshot that was exchanged is noticed.
func TestReviewOfExchangedSnapshot(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	p, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(a.dir, "files", "*.zst"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	a.sign(t, a.anna)
	require.NoError(t, os.WriteFile(files[0], []byte("something else"), 0o600))
	for _, err := range a.Review(p) {
		assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	}
	_, err = a.Sign(t.Context(), pending(t, a), a.bruno)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	_, err = a.Push(t.Context(), toFile(filepath.Join(t.TempDir(), "bundle")), toOrigin)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
}

func pending(t testing.TB, a *agency) *publish.Pending {
	t.Helper()
	p, err := a.Pending()
	require.NoError(t, err)
	return p
}

func TestSign(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	seen, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)

	_, stranger := keypair(t, t.TempDir(), "mallory", nil)
	_, err = a.Sign(t.Context(), seen, stranger)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.ErrorContains(t, err, "anna, bruno")

	_, err = a.Add(t.Context(), entries(t, "example.net"), cause)
	require.NoError(t, err)
	_, _, err = a.Release(t.Context(), "anna")
	require.NoError(t, err)
	_, err = a.Sign(t.Context(), seen, a.anna) // no one signs what they have not seen
	assert.ErrorContains(t, err, "changed meanwhile")

	a.sign(t, a.anna, a.anna) // one officer is one signature, however often
	p, err := a.Pending()
	require.NoError(t, err)
	assert.Equal(t, []any{[]string{"anna"}, []string{"bruno"}, false}, []any{p.Signed, p.Missing, p.Enough()})
}

func TestPushNeedsSignatures(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Push(t.Context(), nil, toOrigin)
	assert.ErrorIs(t, err, publish.ErrNothingPending)
	_, _, err = a.Release(t.Context(), "anna")
	require.NoError(t, err)
	a.sign(t, a.bruno)
	_, err = a.Push(t.Context(), func(context.Context, string, io.Reader) error {
		t.Error("something was sent")
		return nil
	}, toOrigin)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.ErrorContains(t, err, "1 of 2 signatures")
	assert.ErrorContains(t, err, "of anna")
}

// A release that may have arrived keeps its serial for itself, until an origin has answered.
func TestPushInDoubt(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	_, _, err = a.Release(t.Context(), "anna")
	require.NoError(t, err)
	a.sign(t, a.anna, a.bruno)
	lost := errors.New("connection lost")
	_, err = a.Push(t.Context(), func(_ context.Context, _ string, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return errors.Join(lost, err)
	}, toOrigin)
	require.ErrorIs(t, err, lost)

	_, err = a.Add(t.Context(), entries(t, "example.net"), cause)
	require.NoError(t, err)
	_, _, err = a.Release(t.Context(), "anna")
	assert.ErrorContains(t, err, "push it again first")

	_, err = a.Push(t.Context(), func(context.Context, string, io.Reader) error { return blocklist.ErrUntrusted }, toOrigin)
	require.ErrorIs(t, err, blocklist.ErrUntrusted)
	_, replaced, err := a.Release(t.Context(), "anna") // refused, so it is nowhere
	require.NoError(t, err)
	assert.True(t, replaced)
}

// A process killed between the record of a push and the end leaves the release where it was pending.
func TestPushKilledBeforeTheEnd(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	a.release(t)
	pending, pushed := filepath.Join(a.dir, "pending", "release"), filepath.Join(a.dir, "releases", "1")
	require.NoError(t, os.Rename(pushed, pending))

	_, err = a.Verify(t.Context(), nil)
	assert.NoError(t, err)
	_, err = a.Add(t.Context(), entries(t, "example.net"), cause)
	require.NoError(t, err)
	assert.DirExists(t, pushed)
	assert.NoDirExists(t, pending)
	p, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	assert.Equal(t, uint64(2), p.Serial)
}

func TestPushAgain(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.release(t)
	p, err := a.Push(t.Context(), toFile(filepath.Join(t.TempDir(), "second")), publish.Audit{Author: "anna", Reason: "a second origin"})
	require.NoError(t, err)
	assert.Equal(t, uint64(1), p.Serial)
	s, err := a.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "it.example/test serial 1 to a second origin", s.Head.Reason)
	_, err = a.Verify(t.Context(), nil)
	assert.NoError(t, err)
}

// A ledger that was altered yields no release.
func TestReleaseOfAlteredLedger(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	ledgertest.Tamper(t, a.dir, `UPDATE entries SET target = 'example.org'`)
	_, _, err = a.Release(t.Context(), "anna")
	assert.ErrorIs(t, err, blocklist.ErrDigest)
	_, err = a.Pending()
	assert.ErrorIs(t, err, publish.ErrNothingPending)
}

// TestToHTTPWithoutClient: no client is the default one, as elsewhere.
func TestToHTTPWithoutClient(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }))
	defer server.Close()
	assert.ErrorIs(t, publish.ToHTTP(nil, server.URL)(t.Context(), "it.example/csam", http.NoBody), blocklist.ErrUntrusted)
}

func TestToHTTP(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		want   string
	}{
		{http.StatusOK, ""},
		{http.StatusForbidden, "the origin refused it: carla is missing\ufffd[31m (403 Forbidden)"},
		{http.StatusServiceUnavailable, "the origin is unavailable: carla is missing\ufffd[31m (503 Service Unavailable)"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "POST /base/lists/it.example/test", r.Method+" "+r.URL.Path)
			w.WriteHeader(c.status)
			io.WriteString(w, "carla is missing\x1b[31m\n")
		}))
		a := newAgency(t)
		_, _, err := a.Release(t.Context(), "anna")
		require.NoError(t, err)
		a.sign(t, a.anna, a.bruno)
		_, err = a.Push(t.Context(), publish.ToHTTP(server.Client(), server.URL+"/base/"), toOrigin)
		server.Close()
		if c.want == "" {
			assert.NoError(t, err)
			continue
		}
		assert.ErrorContains(t, err, c.want)
		assert.NotContains(t, err.Error(), "\x1b")
		assert.Equal(t, c.status == http.StatusForbidden, errors.Is(err, blocklist.ErrUntrusted))
		assert.Equal(t, c.status == http.StatusForbidden, errors.Is(err, blocklist.ErrRefused))
		assert.Equal(t, c.status == http.StatusServiceUnavailable, errors.Is(err, blocklist.ErrUnavailable))
	}
}
