package publish

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// Rechain computes the hashes of a ledger again, as who has altered it could.
func Rechain(t *testing.T, dir string) {
	t.Helper()
	l, err := Open(dir)
	require.NoError(t, err)
	db, err := sql.Open("sqlite", filepath.Join(dir, "ledger.db"))
	require.NoError(t, err)
	before := ledger.InitialHash(l.list)
	var all []Operation
	for o, err := range l.Operations(t.Context()) {
		require.NoError(t, err)
		all = append(all, o)
	}
	for _, o := range all {
		before = o.LinkHash(before)
		_, err := db.ExecContext(t.Context(), `UPDATE operations SET hash = ? WHERE id = ?`, before, o.ID)
		require.NoError(t, err)
	}
	require.NoError(t, db.Close())
	require.NoError(t, l.Close())
}
