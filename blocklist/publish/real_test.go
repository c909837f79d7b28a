package publish_test

import (
	"bufio"
	"compress/gzip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

// A million real names take the whole way through the ledger.
func TestMillion(t *testing.T) {
	t.Parallel()
	path := os.Getenv("ARGINE_REAL_LIST") // a file of names, compressed with gzip
	if path == "" {
		t.Skip("ARGINE_REAL_LIST names no list")
	}
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	a := newAgency(t)
	step := func(what string, f func()) {
		start := time.Now()
		f()
		t.Logf("%-8s %v", what, time.Since(start).Round(time.Millisecond))
	}
	var n uint64
	names := func(yield func(blocklist.Entry, error) bool) {
		for scan := bufio.NewScanner(z); scan.Scan(); n++ {
			if !yield(blocklist.ParseEntry(scan.Text())) {
				return
			}
		}
	}
	step("import", func() {
		r, err := a.Import(t.Context(), names, cause, nil)
		require.NoError(t, err)
		assert.Equal(t, n, r.Added)
	})
	step("release", func() {
		_, _, err := a.Release(t.Context(), "anna")
		require.NoError(t, err)
	})
	step("review", func() {
		p, err := a.Pending()
		require.NoError(t, err)
		count := uint64(0)
		for _, err := range a.Review(p) {
			require.NoError(t, err)
			count++
		}
		assert.Equal(t, n, count)
	})
	step("status", func() {
		s, err := a.Status(t.Context())
		require.NoError(t, err)
		assert.Equal(t, n, s.Added)
	})
	step("verify", func() {
		_, err := a.Verify(t.Context(), nil)
		require.NoError(t, err)
	})
}
