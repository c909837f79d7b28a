package service

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/config"
)

// TestWhileChanging: a failure counts at once if the file has settled, else after it has, or after so many times.
func TestWhileChanging(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "list.txt")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	changed := func(ago time.Duration) { require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(-ago))) }
	bad := config.Errors{{File: path, Text: "it is empty"}}
	for _, c := range []struct {
		name    string
		changes int // of the file, while it is read
		ago     time.Duration
		err     error
		reads   int
		fails   string
	}{
		{"settled", 0, time.Hour, bad, 1, "it is empty"},
		{"from the future", 0, -time.Hour, bad, 1, "it is empty"},
		{"changes three times", 3, 0, bad, 4, ""},
		{"says so itself", 2, time.Hour, errChanging, 3, ""},
		{"always", 1000, 0, errChanging, readTries, "the file changed while it was read, 20 times: write a new file beside it, and rename it"},
	} {
		log, reads := &bytes.Buffer{}, 0
		err := whileChanging(slog.New(slog.NewTextHandler(log, nil)), filesOf, func() error {
			changed(c.ago)
			if reads++; reads > c.changes && c.fails == "" {
				return nil
			}
			return c.err
		})
		assert.Equal(t, c.reads, reads, c.name)
		if c.fails == "" {
			require.NoError(t, err, c.name)
		} else {
			require.ErrorContains(t, err, c.fails, c.name)
			assert.True(t, errors.As(err, new(config.Errors)) || errors.Is(err, errChanging), c.name)
		}
		assert.Equal(t, min(reads-1, 1), strings.Count(log.String(), "it is read again"), c.name)
	}
}
