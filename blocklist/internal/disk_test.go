package internal_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/internal/disk"
)

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		all = append(all, f.Name())
	}
	return all
}

func TestWriteFileReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	require.NoError(t, disk.WriteFile(path, []byte("old"), 0o600))
	require.NoError(t, disk.WriteFile(path, []byte("new"), 0o640))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "new", string(b))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o640), info.Mode().Perm(), "whatever the umask")
	assert.Equal(t, []string{"state"}, names(t, dir))
}

// A failed write keeps the old content, and leaves no temporary file.
func TestWriteThatFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	require.NoError(t, disk.WriteFile(path, []byte("old"), 0o600))
	broken := errors.New("broken")
	err := disk.Write(path, 0o600, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half of the new")
		return broken
	})
	require.ErrorIs(t, err, broken)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "old", string(b))
	assert.Equal(t, []string{"state"}, names(t, dir))
	require.ErrorIs(t, disk.WriteFile(filepath.Join(dir, "none", "state"), nil, 0o600), os.ErrNotExist)
}

// Concurrent readers see either the old or the new content as a whole.
func TestReadersSeeWholeFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	require.NoError(t, disk.WriteFile(path, []byte(strings.Repeat("0", 1<<16)), 0o600))
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := range 20 {
			assert.NoError(t, disk.WriteFile(path, []byte(strings.Repeat(string('a'+rune(i)), 1<<16)), 0o600))
		}
	})
	for range 200 {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Len(t, b, 1<<16)
		require.Equal(t, strings.Repeat(string(b[:1]), 1<<16), string(b))
	}
	writing.Wait()
}

// RemoveTemps removes the temporary files and folders of interrupted writes, and nothing else.
func TestRemoveTemps(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"state", disk.TempPrefix + "state-123", "other" + disk.TempPrefix} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, disk.TempPrefix+"folder", "in"), 0o700))
	require.NoError(t, disk.RemoveTemps(dir))
	assert.Equal(t, []string{"other" + disk.TempPrefix, "state"}, names(t, dir))
	require.NoError(t, disk.RemoveTemps(filepath.Join(dir, "none")))
}

const lockedPath = "ARGINE_TEST_LOCKED"

// TestLock acquires a lock in this process and in another one. One owner has it until it closes the lock or is killed.
func TestLock(t *testing.T) {
	if path := os.Getenv(lockedPath); path != "" {
		holdUntilKilled(t, path)
	}
	path := filepath.Join(t.TempDir(), "lock")
	first, err := disk.Lock(path)
	require.NoError(t, err)
	_, err = disk.Lock(path)
	require.ErrorIs(t, err, disk.ErrLocked)
	require.NoError(t, first.Close())

	other := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLock$")
	other.Env = append(os.Environ(), lockedPath+"="+path)
	out, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	_, err = io.ReadFull(out, make([]byte, len("locked")))
	require.NoError(t, err)
	_, err = disk.Lock(path)
	require.ErrorIs(t, err, disk.ErrLocked)
	require.NoError(t, other.Process.Kill())
	require.Error(t, other.Wait())
	again, err := disk.Lock(path)
	require.NoError(t, err, "a lock ends with its process")
	require.NoError(t, again.Close())
	_, err = disk.Lock(filepath.Join(t.TempDir(), "none", "lock"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func holdUntilKilled(t *testing.T, path string) {
	t.Helper()
	_, err := disk.Lock(path)
	require.NoError(t, err)
	_, _ = io.WriteString(os.Stdout, "locked")
	<-t.Context().Done()
}

func TestMap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "set")
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("0123456789", 1000)), 0o600))
	f, err := os.Open(path)
	require.NoError(t, err)
	b, err := disk.Map(f, 5000)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, os.Remove(path))
	assert.Equal(t, strings.Repeat("0123456789", 500), string(b), "a mapping outlives its file")
	require.NoError(t, disk.Unmap(b))
}

func TestLockWithin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := disk.Lock(path)
	require.NoError(t, err)
	_, err = disk.LockWithin(t.Context(), path, 0, nil)
	require.ErrorIs(t, err, disk.ErrLocked)
	ctx, cancel := context.WithCancel(t.Context())
	_, err = disk.LockWithin(ctx, path, time.Hour, func(disk.Holder) { cancel() })
	require.ErrorIs(t, err, context.Canceled, "the owner has waited for a second, and ends it")
	time.AfterFunc(50*time.Millisecond, func() { first.Close() })
	second, err := disk.LockWithin(t.Context(), path, time.Minute, nil)
	require.NoError(t, err)
	require.NoError(t, second.Close())
}

// A file or folder gets the rights of its folder, whatever the umask.
func TestInherit(t *testing.T) {
	for _, mode := range []os.FileMode{0o700, 0o750, 0o770 | os.ModeSetgid} {
		dir := filepath.Join(t.TempDir(), "dir")
		require.NoError(t, os.Mkdir(dir, 0o700))
		require.NoError(t, os.Chmod(dir, mode))
		below := filepath.Join(dir, "a", "b")
		require.NoError(t, disk.MkdirAll(below))
		require.NoError(t, disk.MkdirAll(below))
		require.NoError(t, disk.WriteFile(filepath.Join(below, "file"), nil, disk.Inherit))
		folder, err := os.Stat(below)
		require.NoError(t, err)
		assert.Equal(t, mode|os.ModeDir, folder.Mode())
		file, err := os.Stat(filepath.Join(below, "file"))
		require.NoError(t, err)
		assert.Equal(t, mode&0o666, file.Mode())
	}
}

// Who finds a lock taken learns by whom; a lock in a published folder says nothing.
func TestLockNamesTheHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	require.NoError(t, os.WriteFile(path, []byte(`{"pid":1,"command":"killed"}`), 0o600))
	held, err := disk.Lock(path)
	require.NoError(t, err)
	_, err = disk.Lock(path)
	require.ErrorIs(t, err, disk.ErrLocked)
	assert.ErrorContains(t, err, fmt.Sprintf("in use by process %d (", os.Getpid()))
	require.NoError(t, held.Close())
	left, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Empty(t, left)

	held, err = disk.LockSilently(path)
	require.NoError(t, err)
	left, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.Empty(t, left)
	_, err = disk.Lock(path)
	assert.ErrorContains(t, err, "in use by an unknown process")
	require.NoError(t, held.Close())
}
