package formats_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// openReal opens a file of real data, which lies outside the repository: in the folder that ARGINE_DATA names.
func openReal(t *testing.T, name string) io.Reader {
	t.Helper()
	dir := os.Getenv("ARGINE_DATA")
	if dir == "" {
		t.Skip("ARGINE_DATA does not name a folder with real lists")
	}
	file, err := os.Open(filepath.Join(dir, name))
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
		"url-blocklist-real.txt.gz": 114_000,
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

func BenchmarkReadDomains(b *testing.B) {
	const names = 1_000_000
	var list bytes.Buffer
	for i := range names {
		fmt.Fprintf(&list, "host-%d.some-domain-%d.example\n", i%977, i)
	}
	b.ReportAllocs()
	for b.Loop() {
		r, err := formats.NewReader(bytes.NewReader(list.Bytes()), formats.Options{})
		require.NoError(b, err)
		count := 0
		for range r.Entries() {
			count++
		}
		require.Equal(b, names, count)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/names, "ns/line")
}
