// Package examples_test runs the configurations of the folders beside it with the programs that they are for. It is one
// package, since each costs every run of the tests a linked program.
package examples_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// folder returns a temporary folder that servers can read, whatever account they have.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "example-") //nolint:usetesting // what t.TempDir makes is closed to others
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}
