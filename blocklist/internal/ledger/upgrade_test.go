package ledger

import (
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

// unpackLedger unpacks a ledger that an older program has made.
func unpackLedger(t *testing.T, file string) (dir string) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", file))
	require.NoError(t, err)
	defer f.Close()
	r, err := gzip.NewReader(f)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, DatabaseFile), b, 0o600))
	return dir
}

// Ledgers that programs of versions 1 and 2 have made are upgraded: their history verifies as it was, and each entry
// rests on one order.
func TestUpgradeOld(t *testing.T) {
	for file, head := range map[string]string{
		"version1.db.gz": "af54a61dd911c98cfb2c3f28a64de87ac09f68216c298a85d32701ad4d6bfae8",
		"version2.db.gz": "fd8dab79022d5f1955016421cba93b479066b3c7f6f6bc0bf0c0a6ace63aebe1",
	} {
		l, err := Open(unpackLedger(t, file), func(context.Context) error { return nil })
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, l.Close()) })
		last, err := l.Verify(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, head, last.Hash)
		var lines []string
		for e, err := range l.Entries(t.Context()) {
			require.NoError(t, err)
			orders, err := l.Orders(t.Context(), e.Target())
			require.NoError(t, err)
			assert.Equal(t, []blocklist.Entry{e}, orders)
			lines = append(lines, e.String())
		}
		assert.Equal(t, []string{
			`192.0.2.0/24 ref="order 5"`, `a.b.example.net ref="order 5"`, `example.org category=other ref="order 99"`,
			`gone.example ref="order 6"`, `https://example.com/page ref="order 5"`,
		}, lines)

		admit := func(blocklist.Entry) func() bool { return nil }
		require.NoError(t, l.Change(t.Context(), KindAdd, cause, func(tx *Tx) error {
			_, err := tx.Put(t.Context(), stream([]blocklist.Entry{entry(t, `gone.example ref="order 7"`)}), admit, nil)
			return err
		}))
		require.NoError(t, l.Change(t.Context(), KindUndo, cause, func(tx *Tx) error { return tx.Undo(t.Context(), 3, admit) }))
		orders, err := l.Orders(t.Context(), "example.org")
		require.NoError(t, err)
		assert.Equal(t, []blocklist.Entry{entry(t, `example.org category=test ref="order 17" expires=2099-05-01`)}, orders,
			"an older program replaced the order: that can be undone")
		_, err = l.Verify(t.Context(), nil)
		require.NoError(t, err)
	}
}

// A published line that does not follow from its orders is found, even if all hashes were computed again.
func TestVerifyFindsForgedLine(t *testing.T) {
	l := newLedger(t)
	admit := func(blocklist.Entry) func() bool { return nil }
	for _, line := range []string{"example.org ref=17", "example.org ref=99"} {
		require.NoError(t, l.Change(t.Context(), KindAdd, cause, func(tx *Tx) error {
			_, err := tx.Put(t.Context(), stream([]blocklist.Entry{entry(t, line)}), admit, nil)
			return err
		}))
	}
	require.NoError(t, l.Change(t.Context(), KindAdd, cause, func(tx *Tx) error {
		_, err := tx.tx.ExecContext(t.Context(), `UPDATE entries SET attributes = ' ref=99' WHERE target = 'example.org'`)
		require.NoError(t, err)
		last, err := tx.lastChange(t.Context(), "example.org")
		require.NoError(t, err)
		last, err = tx.log(t.Context(), signRemoved, "example.org", " ref=17", last)
		require.NoError(t, err)
		last, err = tx.log(t.Context(), signAdded, "example.org", " ref=99", last)
		require.NoError(t, err)
		_, err = tx.tx.ExecContext(t.Context(), `UPDATE entries SET change = ? WHERE target = 'example.org'`, last)
		return err
	}))
	_, err := l.Verify(t.Context(), nil)
	require.ErrorIs(t, err, blocklist.ErrDamaged)
	assert.ErrorContains(t, err, `the line of "example.org" after operation 4 does not follow from its orders`)
}
