//go:build unix

package internal_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/internal/disk"
)

// A process that is being started has copies of all descriptors. They don't keep a lock that was closed.
func TestLockEndsInSpiteOfCopies(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := disk.Lock(path)
	require.NoError(t, err)
	clone, err := syscall.Dup(int(first.(interface{ Fd() uintptr }).Fd()))
	require.NoError(t, err)
	defer syscall.Close(clone)
	require.NoError(t, first.Close())
	again, err := disk.Lock(path)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}
