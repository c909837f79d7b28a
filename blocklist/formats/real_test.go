package formats_test

import (
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/testdata/longtest"
)

// realData holds real lists, which are no part of the repository.
const realData = "../../../shared/data"

func openReal(t *testing.T, name string) io.Reader {
	t.Helper()
	longtest.Only(t, "it reads real lists")
	file, err := os.Open(filepath.Join(realData, name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("there are no real lists beside the repository")
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	text, err := gzip.NewReader(file)
	require.NoError(t, err)
	return text
}

func TestRealLists(t *testing.T) {
	for name, want := range map[string]int{
		"blocklist-real-1m.txt.gz":  1_000_000,
		"blocklist-real-all.txt.gz": 2_871_595,
		"popular-100k.txt.gz":       100_000,
		"url-blocklist-real.txt.gz": 113_700,
	} {
		t.Run(name, func(t *testing.T) {
			r, err := formats.NewReader(openReal(t, name), formats.Options{Name: name})
			require.NoError(t, err)
			count := 0
			for _, err := range r.Entries() {
				require.NoError(t, err)
				count++
			}
			assert.GreaterOrEqual(t, count, want)
			assert.Equal(t, formats.Domains, r.Format())
			t.Log(r.Report())
		})
	}
}
