package origin_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/origin"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/testdata/longtest"
)

const (
	crashSerials = 40
	kills        = 16
)

// TestKilled kills an origin at random points of its pushes. A subscriber finds the old release or the new one, whole.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(trusttest.KilledDir); dir != "" {
		acceptAll(t, dir)
		return
	}
	longtest.Only(t, "it starts and kills processes for many seconds")
	h := newHouse(t)
	for serial := range uint64(crashSerials) {
		bundle := h.agency.Bundle(h.agency.Release(serial+1, "example.org", fmt.Sprintf("=n%d.example.net", serial+1)))
		require.NoError(t, os.WriteFile(filepath.Join(h.dir, fmt.Sprint("bundle", serial+1)), bundle, 0o600))
		if serial%7 == 0 {
			h.agency.Rotate()
		}
	}
	last := uint64(0)
	for try := 0; try < kills && last < crashSerials; try++ {
		trusttest.RunKilled(t, h.dir, last+1, time.Duration(rand.IntN(80_000))*time.Microsecond)
		last = checkWhole(t, h, last)
	}
	trusttest.RunKilled(t, h.dir, last+1, time.Minute)
	assert.Equal(t, uint64(crashSerials), checkWhole(t, h, last), "in the end it gets there")
}

// acceptAll takes push after push, in the process that is killed.
func acceptAll(t *testing.T, dir string) {
	t.Helper()
	o, err := origin.Open(dir, origin.Options{})
	require.NoError(t, err)
	from, err := strconv.ParseUint(os.Getenv(trusttest.KilledFrom), 10, 64)
	require.NoError(t, err)
	fmt.Println("ready")
	for serial := from; serial <= crashSerials; serial++ {
		f, err := os.Open(filepath.Join(dir, fmt.Sprint("bundle", serial)))
		require.NoError(t, err)
		_, err = o.Accept(t.Context(), f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
}

// checkWhole reads the folder as it is, as a mirror that copied it would, before anything is mended.
func checkWhole(t *testing.T, h *house, last uint64) uint64 {
	t.Helper()
	if _, err := os.Stat(filepath.Join(h.dir, "lists", filepath.FromSlash(trusttest.List), "timestamp.json")); err != nil {
		return 0
	}
	store, err := blocklist.Open(t.TempDir(), blocklist.Options{})
	require.NoError(t, err)
	defer store.Close()
	sub, err := subscribe.New(store, subscribe.Config{List: trusttest.List, Root: h.agency.Roots[0], Origins: []string{h.dir}})
	require.NoError(t, err)
	_, err = sub.Refresh(t.Context())
	require.NoError(t, err)
	serial := sub.Status().Serial
	require.GreaterOrEqual(t, serial, last)
	_, listed := store.LookupHost(fmt.Sprintf("n%d.example.net", serial))
	assert.True(t, listed)

	_, err = origin.Open(h.dir, origin.Options{})
	require.NoError(t, err)
	left, err := filepath.Glob(filepath.Join(h.dir, "tmp", "*"))
	require.NoError(t, err)
	assert.Empty(t, left)
	return serial
}
