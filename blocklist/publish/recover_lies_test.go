package publish_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

// alter returns a bundle with one of its files changed.
func alter(t *testing.T, bundle []byte, change func(name string, content []byte) []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for r := tar.NewReader(bytes.NewReader(bundle)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		if content = change(h.Name, content); content == nil {
			continue
		}
		h.Size = int64(len(content))
		require.NoError(t, w.WriteHeader(h))
		_, err = w.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

// Nothing makes a recovery take what was not signed, or what is older. The folder stays as it was.
func TestRecoverRefusesLies(t *testing.T) {
	t.Parallel()
	a, stranger := newAgency(t), ownAgency(t)
	a.add(t, "one.example")
	a.release(t)
	older := a.bundle(t)
	a.add(t, "two.example")
	a.release(t)
	newest, root := a.bundle(t), a.rootFile(t)
	stranger.add(t, "worse.example")
	stranger.release(t)
	behind := &agency{dir: filepath.Join(t.TempDir(), "behind"), anna: a.anna, bruno: a.bruno}
	_, err := behind.recover(t, root, older)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		to     *agency
		bundle []byte
		want   error
	}{
		"older":        {a, older, blocklist.ErrRollback},
		"another root": {behind, stranger.bundle(t), blocklist.ErrUntrusted},
		"unsigned": {behind, alter(t, newest, func(name string, b []byte) []byte {
			if name == "targets.json" {
				return bytes.ReplaceAll(b, []byte(`"entries":2`), []byte(`"entries":3`))
			}
			return b
		}), blocklist.ErrUntrusted},
		"an altered file": {behind, alter(t, newest, func(name string, b []byte) []byte {
			if strings.Contains(name, "snapshot") {
				b[len(b)-1] ^= 1
			}
			return b
		}), blocklist.ErrUntrusted},
		"without a file": {behind, alter(t, newest, func(name string, b []byte) []byte {
			if strings.Contains(name, "snapshot") {
				return nil
			}
			return b
		}), blocklist.ErrMalformed},
		"no bundle": {behind, []byte("garbage"), blocklist.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			before, head := c.to.lines(t), c.to.verified(t).Head
			_, err := c.to.recover(t, root, c.bundle)
			require.ErrorIs(t, err, c.want)
			assert.Equal(t, before, c.to.lines(t))
			assert.Equal(t, head, c.to.verified(t).Head)
			left, err := filepath.Glob(filepath.Join(c.to.dir, ".new-*"))
			require.NoError(t, err)
			assert.Empty(t, left)
			_, err = os.Stat(filepath.Join(c.to.dir, "aside"))
			assert.ErrorIs(t, err, os.ErrNotExist)
		})
	}
	r, err := behind.recover(t, root, newest)
	require.NoError(t, err)
	assert.Equal(t, uint64(2), r.Serial)
	assert.Equal(t, a.lines(t), behind.lines(t))
}
