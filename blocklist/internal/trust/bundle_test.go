package trust_test

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

func TestBundleRoundTrip(t *testing.T) {
	a := trusttest.NewAgency(t, online.Key)
	a.Rotate()
	r := a.Release(3, "example.org")
	b, err := trust.OpenBundle(bytes.NewReader(a.Bundle(r)))
	require.NoError(t, err)
	assert.Equal(t, a.Roots, b.Roots)
	assert.Equal(t, r.Targets, b.Targets)
	path, content, err := b.Next()
	require.NoError(t, err)
	got, err := io.ReadAll(content)
	require.NoError(t, err)
	assert.Equal(t, r.Files[path], got)
	_, _, err = b.Next()
	assert.Equal(t, io.EOF, err)
}

func TestWriteBundleChecksFiles(t *testing.T) {
	a := trusttest.NewAgency(t, online.Key)
	r := a.Release(3, "example.org")
	for name, content := range map[string]string{"short": "x", "long": strings.Repeat("x", 1000)} {
		spec, err := trust.ParseTargets(r.Targets)
		require.NoError(t, err)
		err = trust.WriteBundle(io.Discard, a.Roots, nil, r.Targets, spec.Files, func(trust.File) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(content)), nil
		})
		assert.Error(t, err, name)
	}
}

func TestOpenBundleRefuses(t *testing.T) {
	a := trusttest.NewAgency(t, online.Key)
	whole := a.Bundle(a.Release(3, "example.org"))
	entry := func(name string, size int) []byte {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Size: int64(size), Mode: 0o644}))
		_, err := w.Write(make([]byte, size))
		require.NoError(t, err)
		return out.Bytes()
	}
	tests := map[string]struct {
		bundle []byte
		want   error
	}{
		"empty":        {nil, blocklist.ErrMalformed},
		"not tar":      {bytes.Repeat([]byte("<html>"), 200), blocklist.ErrMalformed},
		"cut short":    {whole[:700], blocklist.ErrMalformed},
		"large root":   {entry("1.root.json", tuf.MaxRoot+1), blocklist.ErrTooLarge},
		"many roots":   {manyRoots(t), blocklist.ErrTooLarge},
		"second first": {entry("2.root.json", 10), blocklist.ErrMalformed},
		"foreign":      {entry("../../etc/passwd", 10), blocklist.ErrMalformed},
	}
	for name, test := range tests {
		_, err := trust.OpenBundle(bytes.NewReader(test.bundle))
		assert.ErrorIs(t, err, test.want, name)
	}
}

// manyRoots is a bundle in which each root is of a length that is allowed.
func manyRoots(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := range int64(trust.MaxAllRoots/tuf.MaxRoot + 1) {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: trust.RootName(i + 1), Size: tuf.MaxRoot, Mode: 0o644}))
		_, err := w.Write(make([]byte, tuf.MaxRoot))
		require.NoError(t, err)
	}
	return out.Bytes()
}

// A small file that unpacks to much is given up as soon as it passes what its length allows.
func TestOpenTextRefusesBombs(t *testing.T) {
	bomb := trusttest.Compress(t, make([]byte, 64<<20))
	text, err := trust.OpenText(bytes.NewReader(bomb), trust.File{Path: "bomb", Length: int64(len(bomb))})
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, text)
	assert.ErrorIs(t, err, blocklist.ErrTooLarge)
	assert.Less(t, n, int64(16<<20))
	require.NoError(t, text.Close())
}

func FuzzOpenBundle(f *testing.F) {
	a := trusttest.NewAgency(f, online.Key)
	f.Add(a.Bundle(a.Release(1, "example.org")))
	f.Fuzz(func(t *testing.T, stream []byte) {
		b, err := trust.OpenBundle(bytes.NewReader(stream))
		if err != nil {
			return
		}
		assert.LessOrEqual(t, len(b.Targets), tuf.MaxTargets)
		for range len(stream)/512 + 1 {
			_, content, err := b.Next()
			if err != nil {
				return
			}
			_, err = io.Copy(io.Discard, content)
			if err != nil {
				return
			}
		}
	})
}
