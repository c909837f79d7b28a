package publish

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Rechain computes the hashes of a ledger anew, as who has altered it could.
func Rechain(t *testing.T, dir string) {
	t.Helper()
	l, err := Open(dir)
	require.NoError(t, err)
	before := genesis(l.list)
	var all []Operation
	for o, err := range l.Operations(t.Context()) {
		require.NoError(t, err)
		all = append(all, o)
	}
	for _, o := range all {
		before = o.chain(before)
		_, err := l.db.ExecContext(t.Context(), `UPDATE operations SET hash = ? WHERE id = ?`, before, o.ID)
		require.NoError(t, err)
	}
	require.NoError(t, l.Close())
}
