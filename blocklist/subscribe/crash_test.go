package subscribe_test

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
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/testdata/longtest"
)

const (
	crashSerials = 40
	kills        = 16
)

// TestKilled kills a subscriber at random points. What is left is one release, old or new, whole and with its evidence.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(trusttest.KilledDir); dir != "" {
		followAll(t, dir)
		return
	}
	longtest.Only(t, "it starts and kills processes")
	dir := t.TempDir()
	a := trusttest.NewAgency(t, online.Key)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "root.json"), a.Roots[0], 0o600))
	m := a.NewMirror(online)
	for serial := range uint64(crashSerials) {
		m.Publish(a.Release(serial+1, "example.org", fmt.Sprintf("=n%d.example.net", serial+1)))
		require.NoError(t, os.CopyFS(filepath.Join(dir, fmt.Sprint("mirror", serial+1)), os.DirFS(m.Dir)))
		if serial%7 == 0 {
			a.Rotate()
		}
	}
	last := uint64(0)
	for try := 0; try < kills && last < crashSerials; try++ {
		trusttest.RunKilled(t, dir, last+1, time.Duration(rand.IntN(80_000))*time.Microsecond)
		last = checkWhole(t, dir, last)
	}
	trusttest.RunKilled(t, dir, last+1, time.Minute)
	assert.Equal(t, uint64(crashSerials), checkWhole(t, dir, last), "in the end it gets there")
}

// followAll goes from release to release, in the process that is killed.
func followAll(t *testing.T, dir string) {
	t.Helper()
	store, err := blocklist.Open(filepath.Join(dir, "store"), blocklist.Options{})
	require.NoError(t, err)
	from, err := strconv.ParseUint(os.Getenv(trusttest.KilledFrom), 10, 64)
	require.NoError(t, err)
	fmt.Println("ready")
	for serial := from; serial <= crashSerials; serial++ {
		sub, err := subscribe.New(store, crashConfig(t, dir, serial))
		require.NoError(t, err)
		_, err = sub.Refresh(t.Context())
		require.NoError(t, err)
	}
}

func crashConfig(t *testing.T, dir string, serial uint64) subscribe.Config {
	t.Helper()
	root, err := os.ReadFile(filepath.Join(dir, "root.json"))
	require.NoError(t, err)
	return subscribe.Config{List: trusttest.List, Root: root, Origins: []string{filepath.Join(dir, fmt.Sprint("mirror", serial))}}
}

func checkWhole(t *testing.T, dir string, last uint64) uint64 {
	t.Helper()
	store, err := blocklist.Open(filepath.Join(dir, "store"), blocklist.Options{})
	require.NoError(t, err)
	defer store.Close()
	info, _ := store.List(trusttest.List)
	require.NoError(t, info.Err)
	require.GreaterOrEqual(t, info.Serial, last)
	for serial := range uint64(crashSerials) {
		_, listed := store.LookupHost(fmt.Sprintf("n%d.example.net", serial+1))
		require.Equal(t, serial+1 == info.Serial, listed, "serial %d of %d", serial+1, info.Serial)
	}
	if info.Serial == 0 {
		return 0
	}
	sub, err := subscribe.New(store, crashConfig(t, dir, info.Serial))
	require.NoError(t, err)
	assert.NoError(t, sub.Status().Err)
	assert.Equal(t, info.Serial, sub.Status().Serial)
	for _, err := range sub.Entries() {
		require.NoError(t, err, "the file of the release is there")
	}
	return info.Serial
}
