//go:build unix

package subscribe_test

import (
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

// A folder, perhaps on a stick that someone brought, has a pipe that no one writes to in the place of a document.
func TestPipeInAFolder(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	m.Publish(a.Release(1, "example.org"))
	s := newSubscriber(t, a, m.Dir)
	require.NoError(t, s.refresh(t))
	m.Publish(a.Release(2, "example.org"))
	pipe := m.Path("timestamp.json")
	require.NoError(t, os.Remove(pipe))
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	s.refuses(t, fs.ErrNotExist, 1)
}
