package publish_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger/ledgertest"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/takedown"
)

// version6 makes a ledger what it would have been in version 6, and each of the others makes it one version older.
const (
	version6 = `
DROP INDEX steps_decisions;
UPDATE meta SET value = '6' WHERE key = 'version';
`
	version5 = version6 + `
DROP INDEX operations_kind;
UPDATE meta SET value = '5' WHERE key = 'version';
`
	version4 = version5 + `
DROP TABLE steps; DROP TABLE step_lines; DROP TABLE proposals; DROP TABLE proposal_counts;
UPDATE meta SET value = '4' WHERE key = 'version';
`
	version3 = `
ALTER TABLE entries DROP COLUMN change; ALTER TABLE changes DROP COLUMN before; DROP TABLE gone;
CREATE INDEX changes_target ON changes (target);
UPDATE meta SET value = '3' WHERE key = 'version';
`
	version2 = `
DROP TABLE orders; DROP INDEX changes_orders; DROP INDEX operations_last_change; DROP INDEX entries_review; DROP INDEX changes_target;
CREATE INDEX changes_pages ON changes (target) WHERE target >= 'https://' AND target < 'https:/0';
UPDATE meta SET value = '2' WHERE key = 'version';
`
	version1 = `
CREATE TABLE entries_1 (target TEXT PRIMARY KEY, attributes TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO entries_1 SELECT target, attributes FROM entries;
DROP TABLE entries; DROP TABLE checks; DROP INDEX changes_pages; DROP INDEX operations_hash;
ALTER TABLE entries_1 RENAME TO entries;
UPDATE meta SET value = '1' WHERE key = 'version';
`
)

const allEntries = `SELECT group_concat(concat_ws(' ', target, attributes, ifnull(place, '-'), ifnull(expires, '-')), char(10)) FROM entries`

func TestUpgrade(t *testing.T) {
	t.Parallel()
	for name, old := range map[string]string{
		"version 1": version4 + version3 + version2 + version1, "version 2": version4 + version3 + version2, "version 3": version4 + version3,
		"version 4": version4, "version 5": version5, "version 6": version6,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAgency(t)
			_, err := a.Add(t.Context(), entries(t, "example.com", "a.example.org expires=2030-01-02", "https://www.example.net/page ref=7", "gone.example"), cause)
			require.NoError(t, err)
			a.release(t)
			_, err = a.Remove(t.Context(), entries(t, "gone.example"), cause)
			require.NoError(t, err)
			require.NoError(t, a.Close())
			want := readLedger(t, a.dir, allEntries)
			ledgertest.Tamper(t, a.dir, old)

			a.open(t)
			assert.Equal(t, want, readLedger(t, a.dir, allEntries))
			assert.Contains(t, want, "org.example.a.")
			_, err = a.Verify(t.Context(), nil)
			require.NoError(t, err)
			_, err = takedown.Summary(t.Context(), a.Ledger, takedown.Platforms{})
			require.NoError(t, err)
			assert.Equal(t, []string{"covered by example.com: added@anna+bruno"}, a.told(t, "www.example.com")[1:])
			assert.Equal(t, []string{"gone.example: added@anna+bruno removed"}, a.told(t, "gone.example"))
			orders, err := a.Orders(t.Context(), "https://www.example.net/page")
			require.NoError(t, err)
			assert.Equal(t, entries(t, "https://www.example.net/page ref=7"), orders)
			_, err = a.Add(t.Context(), entries(t, "example.edu", "gone.example", "https://www.example.net/page ref=8"), cause)
			require.NoError(t, err)
			a.release(t)
			_, err = a.Verify(t.Context(), nil)
			require.NoError(t, err)
		})
	}
}

func TestNewerVersion(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	require.NoError(t, a.Close())
	ledgertest.Tamper(t, a.dir, `UPDATE meta SET value = '8' WHERE key = 'version'`)
	_, err := publish.Open(a.dir)
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	assert.ErrorContains(t, err, `version "8"`)
}

func readLedger(t *testing.T, dir, question string) (answer string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "ledger.db"))
	require.NoError(t, err)
	require.NoError(t, db.QueryRowContext(t.Context(), question).Scan(&answer))
	require.NoError(t, db.Close())
	return answer
}
