package subscribe_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

// A thief of the origin's key stamps the highest version there is, so that nothing newer can come. A root with a new
// key ends that.
func TestFastForward(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t)
		version := st.mirror.Version
		st.mirror.Version = math.MaxInt64
		st.publish(st.release)
		st.follows(3)
		st.mirror.Version = version
		st.publish(st.agency.Delta(st.release, "-fresh.example.net"))
		st.refuses(t, blocklist.ErrRollback, 3)
		second := trusttest.NewPerson("second")
		st.agency.Online, st.mirror.Online = second.Key, second
		st.agency.Rotate()
		st.publish(st.release)
		st.follows(4)
	})
}

func TestPollsAtTheSameTime(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	var all sync.WaitGroup
	var changes atomic.Int32
	for range 8 {
		all.Go(func() {
			changed, err := st.Refresh(t.Context())
			assert.NoError(t, err)
			if changed {
				changes.Add(1)
			}
		})
	}
	all.Wait()
	assert.Equal(t, int32(1), changes.Load())
	st.enforces(t, 3)
}

// Who still reads a set that was replaced reads what was there when it was opened.
func TestMappedFilesStayAsTheyAre(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	sets, err := filepath.Glob(filepath.Join(st.dir, "lists", "it.example", "test", "_", "set-*"))
	require.NoError(t, err)
	open := map[*os.File]string{}
	for _, path := range sets {
		if strings.HasSuffix(path, ".journal") { // it is appended to, and never mapped
			continue
		}
		f, err := os.Open(path)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, f.Close()) })
		open[f] = sum(t, f)
	}
	require.NotEmpty(t, open)
	st.follows(3)
	st.publish(st.agency.Release(9, "example.org"))
	st.follows(9)
	for f, before := range open {
		assert.Equal(t, before, sum(t, f))
	}
}

func sum(t *testing.T, f *os.File) string {
	t.Helper()
	_, err := f.Seek(0, io.SeekStart)
	require.NoError(t, err)
	h := sha256.New()
	_, err = io.Copy(h, f)
	require.NoError(t, err)
	return hex.EncodeToString(h.Sum(nil))
}
