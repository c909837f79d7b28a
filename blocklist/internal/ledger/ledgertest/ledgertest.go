// Package ledgertest alters the databases of ledgers without an operation, for tests of the code that detects such
// changes.
package ledgertest

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // the driver
)

// Tamper runs a statement on the database of the ledger in dir. It fails the test unless the statement changes a row.
func Tamper(t testing.TB, dir, statement string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "ledger.db"))
	check(t, err)
	done, err := db.ExecContext(t.Context(), statement, args...)
	check(t, err)
	n, err := done.RowsAffected()
	check(t, err)
	if n == 0 {
		t.Fatalf("nothing was changed by: %s", statement)
	}
	check(t, db.Close())
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
