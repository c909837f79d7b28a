package ledger

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
)

func change(t *testing.T, dir string) {
	t.Helper()
	l, err := Open(dir, func(context.Context) error { return nil })
	require.NoError(t, err)
	require.NoError(t, l.Change(t.Context(), KindGuard, cause, nil))
	require.NoError(t, l.Close())
}

// A reader that can't write is told at the end if what it has read has changed meanwhile.
func TestReadOnlyNoticesChanges(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Create(t.Context(), dir, "it.example/test", cause, nil))
	l, err := openReadOnly(dir)
	require.NoError(t, err)
	head, err := l.Head(t.Context())
	require.NoError(t, err)
	assert.Equal(t, int64(1), head.ID)
	require.NoError(t, l.Close())

	l, err = openReadOnly(dir)
	require.NoError(t, err)
	change(t, dir)
	assert.ErrorIs(t, l.Close(), blocklist.ErrBusy)

	require.NoError(t, os.WriteFile(filepath.Join(dir, DatabaseFile+"-wal"), []byte("changes"), 0o600))
	_, err = openReadOnly(dir)
	assert.ErrorIs(t, err, os.ErrPermission)
}

// A process that finds the lock taken says who has it.
func TestBusyNamesTheHolder(t *testing.T) {
	dir := newLedger(t).dir
	open := func() *Ledger {
		l, err := Open(dir, func(context.Context) error { return nil })
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
		return l
	}
	first, second := open(), open()
	unlock, err := first.Lock(t.Context())
	require.NoError(t, err)
	_, err = second.Lock(t.Context())
	require.ErrorIs(t, err, blocklist.ErrBusy)
	assert.ErrorContains(t, err, fmt.Sprintf("in use by process %d (", os.Getpid()))
	assert.Equal(t, os.Getpid(), disk.ReadHolder(filepath.Join(second.dir, lockFile)).PID)
	require.NoError(t, os.WriteFile(filepath.Join(second.dir, lockFile), []byte("{\x1b"), 0o600))
	assert.Equal(t, "an unknown process", disk.ReadHolder(filepath.Join(second.dir, lockFile)).String())
	unlock()
	info, err := os.Stat(filepath.Join(second.dir, lockFile))
	require.NoError(t, err)
	assert.Zero(t, info.Size())
	unlock, err = second.Lock(t.Context())
	require.NoError(t, err)
	unlock()
}
