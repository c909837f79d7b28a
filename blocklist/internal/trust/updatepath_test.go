package trust_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

func TestWay(t *testing.T) {
	spec := trust.TargetsSpec{Version: 9}
	for _, f := range []struct {
		base, serial uint64
		length       int64
	}{{0, 3, 1000}, {3, 7, 100}, {3, 4, 10}, {4, 5, 10}, {5, 6, 10}, {6, 7, 10}, {7, 8, 10}, {8, 9, 10}, {0, 8, 5000}, {1, 2, 10}} {
		spec.Files = append(spec.Files, trust.File{
			Path: fmt.Sprintf("%d-%d", f.base, f.serial), Length: f.length, Release: trust.Release{Base: f.base, Serial: f.serial},
		})
	}
	for from, want := range []string{
		"0-3 3-4 4-5 5-6 6-7 7-8 8-9", "none", "none", "3-4 4-5 5-6 6-7 7-8 8-9", "4-5 5-6 6-7 7-8 8-9", "5-6 6-7 7-8 8-9",
		"6-7 7-8 8-9", "7-8 8-9", "8-9", "", "none",
	} {
		way, ok := spec.UpdatePath(uint64(from))
		got := "none"
		if ok {
			var paths []string
			for _, f := range way {
				paths = append(paths, f.Path)
			}
			got = strings.Join(paths, " ")
		}
		assert.Equal(t, want, got, "from %d", from)
	}
	spec.Files[1].Length = 1 // the bridge 3-7 is shorter now
	way, _ := spec.UpdatePath(0)
	assert.Equal(t, int64(1021), trust.Length(way))
}

func TestTargetsNeedOneHistory(t *testing.T) {
	a := trusttest.NewAgency(t, online.Key)
	r := a.Delta(a.Release(1, "example.org"), "+example.net")
	spec, err := trust.ParseTargets(r.Targets)
	require.NoError(t, err)
	require.Len(t, spec.Files, 2)

	gap := spec
	gap.Files = spec.Files[:1] // the delta alone
	_, err = trust.NewTargets(gap)
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
	assert.ErrorContains(t, err, "no way")

	fork := spec.Files[1]
	fork.Path, fork.Release.Serial, fork.Release.Entries = "snapshot-2.txt.zst", 2, 7
	spec.Files = append(spec.Files, fork)
	_, err = trust.NewTargets(spec)
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
	assert.ErrorContains(t, err, "another state")
}

func TestEntriesOfWay(t *testing.T) {
	a := trusttest.NewAgency(t, online.Key)
	r := a.Release(1, "b.example", "d.example category=x", "f.example")
	r = a.Delta(r, "+a.example", "-b.example", "-d.example category=x", "+d.example category=y", "+g.example")
	r = a.Delta(r, "+b.example category=back", "+e.example", "-g.example")
	spec, err := trust.ParseTargets(r.Targets)
	require.NoError(t, err)
	way, ok := spec.UpdatePath(0)
	require.True(t, ok)
	require.Len(t, way, 3)
	open := func(f trust.File) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Files[f.Path])), nil }
	var got []string
	for e, err := range trust.Entries(way, open) {
		require.NoError(t, err)
		got = append(got, e.String())
	}
	assert.Equal(t, []string{"a.example", "b.example category=back", "d.example category=y", "e.example", "f.example"}, got)
	for range trust.Entries(way, open) {
		break // it can be left early
	}

	// A delta that does not belong upon what was signed for its base.
	h, err := way[1].Release.Header()
	require.NoError(t, err)
	h.Digest.Add([]byte("x"))
	bad := a.Join(a.Release(1, "b.example"), h, r.Files[way[1].Path])
	spec, err = trust.ParseTargets(bad.Targets)
	require.NoError(t, err)
	way, _ = spec.UpdatePath(0)
	for _, err = range trust.Entries(way, func(f trust.File) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(bad.Files[f.Path])), nil
	}) {
	}
	assert.ErrorIs(t, err, blocklist.ErrUntrusted, "the file says another digest")
}
