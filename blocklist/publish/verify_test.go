package publish_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger/ledgertest"
	"github.com/argine-dns/argine/blocklist/publish"
)

// A row that was altered, removed or inserted behind the program's back is found, and named.
func TestVerifyFinds(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.com", "example.org category=test"), cause)
	require.NoError(t, err)
	_, err = a.Remove(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	a.release(t)
	_, err = a.Add(t.Context(), entries(t, "example.net"), cause)
	require.NoError(t, err)
	require.NoError(t, a.SetGuard(t.Context(), publish.GuardSettings{Protected: "hospital.example\n"}, cause))
	v, err := a.Verify(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, int64(3), v.Unsigned, "the push itself, an entry and the settings of the guards")
	require.NoError(t, a.Close())
	pristine, err := os.ReadFile(filepath.Join(a.dir, "ledger.db"))
	require.NoError(t, err)

	for name, c := range map[string]struct{ sql, want string }{
		"author altered":            {`UPDATE operations SET author = 'carla' WHERE id = 2`, "operation 2 is not what was recorded"},
		"reason altered":            {`UPDATE operations SET reason = 'none' WHERE id = 3`, "operation 3 is not what was recorded"},
		"time altered":              {`UPDATE operations SET time = '2020-01-01T00:00:00Z' WHERE id = 5`, "operation 5 is not what was recorded"},
		"counts altered":            {`UPDATE operations SET entries = 7 WHERE id = 2`, "operation 2 is not what was recorded"},
		"operation missing":         {`DELETE FROM operations WHERE id = 3`, "operation 3 is missing"},
		"last one missing":          {`DELETE FROM operations WHERE id >= 5`, `change 4 ("+example.net") belongs to no operation`},
		"operation inserted":        {`INSERT INTO operations SELECT 7, time, author, kind, reason, reference, added, removed, last_change, changes_hash, entries, digest, hash FROM operations WHERE id = 5`, "operation 7"},
		"line altered":              {`UPDATE changes SET target = 'other.example' WHERE id = 1`, "changes of operation 2"},
		"attribute altered":         {`UPDATE changes SET attributes = ' category=other' WHERE id = 2`, "changes of operation 2"},
		"sign altered":              {`UPDATE changes SET sign = '+' WHERE id = 3`, "changes of operation 3"},
		"change missing":            {`DELETE FROM changes WHERE id = 2`, "change 2, of operation 2, is missing"},
		"change inserted":           {`INSERT INTO changes VALUES (5, '+', 'more.example', '', NULL)`, `change 5 ("+more.example") belongs to no operation`},
		"link missing":              {`UPDATE changes SET before = NULL WHERE id = 3`, `links between the changes of "example.com"`},
		"link elsewhere":            {`UPDATE changes SET before = 2 WHERE id = 3`, `links between the changes of "example.com"`},
		"link in a circle":          {`UPDATE changes SET before = 3 WHERE id = 1`, `links between the changes of "example.com"`},
		"link of an entry":          {`UPDATE entries SET change = 4 WHERE target = 'example.org'`, `links between the changes of "example.`},
		"link of a removed entry":   {`UPDATE gone SET change = 1`, `links between the changes of "example.com"`},
		"removed entry missing":     {`DELETE FROM gone`, `links between the changes of "example.com"`},
		"entry altered":             {`UPDATE entries SET attributes = '' WHERE target = 'example.org'`, `entry "example.org"`},
		"entry missing":             {`DELETE FROM entries WHERE target = 'example.org'`, `entry "example.org"`},
		"entry inserted":            {`INSERT INTO entries (target, attributes) VALUES ('example.com', '')`, `entry "example.com"`},
		"release altered":           {`UPDATE releases SET head = 'x' WHERE serial = 1`, "release 1 was made from operation 3"},
		"release moved":             {`UPDATE releases SET operation = 5, head = (SELECT hash FROM operations WHERE id = 5)`, "not the one that was signed"},
		"expiry beside an entry":    {`UPDATE entries SET expires = 1 WHERE target = 'example.org'`, `entry "example.org category=test" has another expiry`},
		"place beside an entry":     {`UPDATE entries SET place = 'test.' WHERE target = 'example.org'`, `entry "example.org category=test" has another expiry or place`},
		"protected names altered":   {`UPDATE meta SET value = '' WHERE key = 'guard-protected'`, "settings of the guards"},
		"limits altered":            {`UPDATE meta SET value = '{"max_growth":9}' WHERE key = 'guard'`, "settings of the guards"},
		"popular names inserted":    {`INSERT OR REPLACE INTO meta VALUES ('guard-popular', 'example.org')`, "settings of the guards"},
		"release pushed later":      {`UPDATE releases SET pushed = '2026-01-01T00:00:00Z'`, "no operation has pushed release 1"},
		"control characters":        {`UPDATE operations SET reason = 'x' || char(27) || '[8m' WHERE id = 2`, "operation 2: the reason"},
		"line end in a reason":      {`UPDATE operations SET reason = 'x' || char(10) || 'sign this?' WHERE id = 2`, "operation 2: the reason"},
		"control characters in who": {`UPDATE operations SET author = 'x' || char(155) WHERE id = 2`, "operation 2: the author"},
		"release inserted":          {`INSERT INTO releases SELECT 3, operation, head, pushed FROM releases`, "release 2 is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &agency{dir: a.dir}
			require.NoError(t, os.WriteFile(filepath.Join(a.dir, "ledger.db"), pristine, 0o600))
			ledgertest.Tamper(t, a.dir, c.sql)
			b.open(t)
			_, err := b.Verify(t.Context(), nil)
			require.ErrorIs(t, err, blocklist.ErrDamaged)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

// The metadata of a release that was pushed is held to the officers' signatures.
func TestVerifyFindsUnsigned(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.release(t)
	path := filepath.Join(a.dir, "releases", "1", "targets.json")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := range b {
		if string(b[i:min(len(b), i+7)]) == `"ledger` {
			b[i+12] ^= 1
			break
		}
	}
	require.NoError(t, os.WriteFile(path, b, 0o600))
	_, err = a.Verify(t.Context(), nil)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
}
