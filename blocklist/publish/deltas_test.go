package publish_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/testdata/longtest"
)

// shelf is an origin of sorts: it keeps the files of the newest release, and says which are missing.
type shelf struct {
	files   map[string][]byte
	targets trust.TargetsSpec
	came    []string // in the last bundle
}

func (s *shelf) deliver(_ context.Context, _ string, r io.Reader) error {
	b, err := trust.OpenBundle(r)
	if err != nil {
		return err
	}
	spec, err := trust.ParseTargets(b.Targets)
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	s.came = nil
	for {
		path, content, err := b.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if files[path], err = io.ReadAll(content); err != nil {
			return err
		}
		s.came = append(s.came, path)
	}
	var missing []string
	for _, f := range spec.Files {
		if held, ok := s.files[f.Path]; ok && files[f.Path] == nil {
			files[f.Path] = held
		}
		if files[f.Path] == nil {
			missing = append(missing, f.Path)
		}
	}
	if missing != nil {
		return &trust.MissingError{Paths: missing}
	}
	s.files, s.targets = files, spec
	return nil
}

func (s *shelf) open(f trust.File) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s.files[f.Path])), nil
}

// lines reads the list by a way.
func (s *shelf) lines(t *testing.T, way []trust.File) (all []string) {
	t.Helper()
	for e, err := range trust.Entries(way, s.open) {
		require.NoError(t, err)
		all = append(all, e.String())
	}
	return all
}

func (a *agency) pushTo(t *testing.T, s *shelf) {
	t.Helper()
	_, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	a.sign(t, a.anna, a.bruno)
	_, err = a.Push(t.Context(), s.deliver, toOrigin)
	require.NoError(t, err)
}

// mostFiles is how many files make up a release: each of them is in the metadata that every subscriber fetches.
const mostFiles = 16

// TestDeltas makes many releases and compares each with the ledger.
func TestDeltas(t *testing.T) {
	t.Parallel()
	a, s := newAgency(t), &shelf{}
	var lines []blocklist.Entry
	for i := range longtest.Rounds(1000, 3000) {
		lines = append(lines, entry(t, fmt.Sprintf("n%05d.example category=c%d", i, rand.IntN(1e9))))
	}
	_, err := a.Import(t.Context(), stream(lines), cause, nil)
	require.NoError(t, err)
	a.pushTo(t, s)
	assert.Equal(t, []string{"snapshot-1.txt.zst"}, s.came)
	states := map[uint64][]string{1: a.lines(t)}
	snapshots := 1
	last := uint64(longtest.Rounds(16, 80))
	for serial := uint64(2); serial <= last; serial++ {
		change := entry(t, fmt.Sprintf("m%d.example category=c%d", serial%40, serial))
		_, err := a.Add(t.Context(), []blocklist.Entry{change}, cause)
		if serial%40 > 30 {
			_, err = a.Remove(t.Context(), []blocklist.Entry{entry(t, fmt.Sprintf("n%05d.example", serial))}, cause)
		}
		require.NoError(t, err)
		before := a.Unreleased(t.Context())
		want := collect(t, before)
		p, _, err := a.Release(t.Context(), "anna")
		require.NoError(t, err)
		require.Equal(t, want, collect(t, a.Review(p)), "serial %d", serial)
		a.sign(t, a.anna, a.bruno)
		_, err = a.Push(t.Context(), s.deliver, toOrigin)
		require.NoError(t, err)
		require.Equal(t, serial, s.targets.Newest().Serial)
		states[serial] = a.lines(t)
		require.LessOrEqual(t, len(s.came), 3, "only what is new was sent")
		require.LessOrEqual(t, len(s.files), mostFiles)
		if slices.Contains(s.came, fmt.Sprintf("snapshot-%d.txt.zst", serial)) {
			snapshots++
		}
		way, ok := s.targets.UpdatePath(0)
		require.True(t, ok)
		require.Equal(t, states[serial], s.lines(t, way))
		for behind := range min(serial, 5) {
			_, ok := s.targets.UpdatePath(serial - behind)
			require.True(t, ok, "the last serials follow by deltas")
		}
	}
	assert.Less(t, snapshots, 10)
	files, err := os.ReadDir(filepath.Join(a.dir, "files"))
	require.NoError(t, err)
	assert.LessOrEqual(t, len(files), 2*mostFiles, "old files are gone")
	second := &shelf{}
	_, err = a.Push(t.Context(), second.deliver, toOrigin)
	require.NoError(t, err)
	assert.Equal(t, s.files, second.files, "a second origin gets all")
	_, err = a.Verify(t.Context(), nil)
	assert.NoError(t, err)
}

// A list that was turned over is a snapshot, not a delta longer than that.
func TestTurnover(t *testing.T) {
	t.Parallel()
	a, s := newAgency(t), &shelf{}
	require.NoError(t, a.SetGuard(t.Context(), publish.GuardSettings{MaxGrowth: 1e6}, cause))
	_, err := a.Add(t.Context(), entries(t, "example.org"), cause)
	require.NoError(t, err)
	a.pushTo(t, s)
	var lines []blocklist.Entry
	for i := range 5000 {
		lines = append(lines, entry(t, fmt.Sprintf("n%05d.example", i)))
	}
	_, err = a.Import(t.Context(), stream(lines), cause, nil)
	require.NoError(t, err)
	p, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	assert.Len(t, collect(t, a.Review(p)), 5000)
	a.sign(t, a.anna, a.bruno)
	_, err = a.Push(t.Context(), s.deliver, toOrigin)
	require.NoError(t, err)
	assert.Equal(t, []string{"snapshot-2.txt.zst"}, s.came)
	assert.Len(t, s.files, 1)
}

// Anyone who prepares a release can't slip an officer a snapshot that differs from the delta which is shown, or a file
// that no one needs.
func TestReviewOfDisagreeingFiles(t *testing.T) {
	t.Parallel()
	a, s := newAgency(t), &shelf{}
	_, err := a.Add(t.Context(), entries(t, "a.example", "b.example"), cause)
	require.NoError(t, err)
	a.pushTo(t, s)
	_, err = a.Add(t.Context(), entries(t, "c.example"), cause)
	require.NoError(t, err)
	_, _, err = a.Release(t.Context(), "anna")
	require.NoError(t, err)
	path := filepath.Join(a.dir, "pending", "release", "targets.json")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	spec, err := trust.ParseTargets(b)
	require.NoError(t, err)
	extra, ok := s.targets.File(0, 1)
	require.True(t, ok)
	extra.Path, extra.Length = "other.txt.zst", extra.Length+1
	spec.Files = append(spec.Files, extra)
	b, err = trust.NewTargets(spec)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, b, 0o600))
	p, err := a.Pending()
	require.NoError(t, err)
	for _, err = range a.Review(p) {
	}
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.ErrorContains(t, err, "neither needed nor was it signed")
}

func TestToOriginThatAnswersNonsense(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	a.sign(t, a.anna, a.bruno)
	tries := 0
	_, err = a.Push(t.Context(), func(_ context.Context, _ string, r io.Reader) error {
		tries++
		_, err := io.Copy(io.Discard, r)
		require.NoError(t, err)
		return &trust.MissingError{Paths: []string{"../../etc/passwd", "what.txt"}}
	}, publish.Audit{Author: "anna", Reason: "an origin"})
	assert.ErrorIs(t, err, blocklist.ErrGap)
	assert.Equal(t, 2, tries)
}
