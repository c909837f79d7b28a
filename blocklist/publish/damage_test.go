package publish_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/testdata/longtest"
)

// Each part of the folder that is missing or damaged is named by verify and status, and a recovery brings it back.
func TestDamagedParts(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.add(t, "one.example")
	a.release(t)
	a.add(t, "two.example")
	a.release(t)
	a.add(t, "three.example")
	_, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	root, bundle := a.rootFile(t), a.copy(t).bundleOfLast(t)
	for name, c := range map[string]struct {
		paths   []string // removed, or filled with garbage
		want    string   // in the error
		kinds   string   // of damage; the others where the long tests run
		healed  bool     // by the next command
		pending bool     // what is pending is lost
	}{
		"files":              {kinds: "missing", paths: []string{"files/*"}, want: "files/", pending: true},
		"a snapshot":         {kinds: "garbage", paths: []string{"files/*snapshot-2*"}, want: "snapshot-2.txt.zst"},
		"a pending file":     {kinds: "missing", paths: []string{"files/*delta-2-3*"}, want: "delta-2-3.txt.zst", pending: true},
		"roots":              {kinds: "missing garbage", paths: []string{"roots/1.root.json"}, want: "roots/1.root.json"},
		"root.json":          {kinds: "garbage", paths: []string{"root.json"}, want: "root.json", healed: true},
		"root.json and root": {kinds: "missing", paths: []string{"root.json", "roots/1.root.json"}, want: "roots/1.root.json"},
		"last release":       {kinds: "garbage", paths: []string{"releases/2/targets.json"}, want: "releases/2/targets.json"},
		"first release":      {kinds: "missing", paths: []string{"releases/1/targets.json"}, want: "releases/1/targets.json"},
		"all releases":       {kinds: "missing", paths: []string{"releases/*/targets.json"}, want: "targets.json"},
		"pending":            {kinds: "missing garbage", paths: []string{"pending/release/targets.json"}, want: "pending/release/targets.json", pending: true},
		"all but the ledger": {kinds: "missing", paths: []string{"files/*", "roots/*", "root.json", "releases/*/targets.json", "pending/release/targets.json", "lock"}, want: "", pending: true},
		"ledger":             {kinds: "missing garbage", paths: []string{"ledger.db", "ledger.db-*"}, want: "ledger.db", pending: true},
	} {
		for kind, damage := range map[string]func(string) error{
			"missing": os.RemoveAll,
			"garbage": func(path string) error { return os.WriteFile(path, []byte("\x00garbage{"), 0o600) },
			"short":   func(path string) error { return os.Truncate(path, 10) },
		} {
			if !longtest.Wanted() && !strings.Contains(c.kinds, kind) {
				continue
			}
			t.Run(name+" "+kind, func(t *testing.T) {
				b := a.copy(t)
				require.NoError(t, b.Close())
				b.damage(t, c.paths, damage)
				l, err := publish.Open(b.dir)
				if name == "ledger" && kind != "short" {
					require.Error(t, err)
				} else if err == nil {
					b.Ledger = l
					_, err = b.Verify(t.Context(), nil)
					lost := name == "pending" && kind == "missing"
					if !lost && !c.healed {
						require.ErrorIs(t, err, blocklist.ErrDamaged)
						assert.ErrorContains(t, err, c.want)
						s, err := b.Status(t.Context())
						require.NoError(t, err)
						if name != "first release" {
							assert.Contains(t, s.Damaged, strings.Replace(c.want, "roots/1.", "", 1))
						}
					}
					require.NoError(t, l.Close())
				}
				_, err = b.recover(t, root, bundle)
				require.NoError(t, err)
				b.verified(t)
				p, err := b.Pending()
				if c.pending {
					require.ErrorIs(t, err, publish.ErrNothingPending)
					if name == "ledger" {
						b.add(t, "three.example")
					}
					p, _, err = b.Release(t.Context(), "anna")
				}
				require.NoError(t, err)
				assert.Equal(t, uint64(3), p.Serial)
				b.sign(t, b.anna, b.bruno)
				b.bundle(t)
				b.verified(t)
				assert.Equal(t, []string{"one.example", "three.example", "two.example"}, b.lines(t))
			})
		}
	}
}

func (a *agency) damage(t *testing.T, paths []string, damage func(string) error) {
	t.Helper()
	for _, pattern := range paths {
		all, err := filepath.Glob(filepath.Join(a.dir, filepath.FromSlash(pattern)))
		require.NoError(t, err)
		for _, path := range all {
			require.NoError(t, damage(path))
		}
	}
}

// bundleOfLast returns the last pushed release as a file, whatever is pending.
func (a *agency) bundleOfLast(t *testing.T) []byte {
	t.Helper()
	require.NoError(t, os.RemoveAll(filepath.Join(a.dir, "pending", "release")))
	return a.bundle(t)
}

// What is pending and can't be read is refused by an officer, and made again.
func TestRefuseUnreadable(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.add(t, "one.example")
	_, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	path := filepath.Join(a.dir, "pending", "release", "targets.json")
	require.NoError(t, os.WriteFile(path, []byte("garbage"), 0o600))
	_, err = a.Pending()
	part := (*publish.PartError)(nil)
	require.ErrorAs(t, err, &part)
	assert.True(t, part.Pending())
	_, _, err = a.Release(t.Context(), "anna")
	require.ErrorIs(t, err, blocklist.ErrDamaged)
	p, err := a.Unreadable()
	require.NoError(t, err)
	require.NoError(t, a.Refuse(t.Context(), p, a.bruno, publish.Audit{Reason: "garbage"}))
	_, err = a.Unreadable()
	require.ErrorIs(t, err, publish.ErrNothingPending)
	p, _, err = a.Release(t.Context(), "anna")
	require.NoError(t, err)
	assert.Equal(t, uint64(1), p.Serial)
	a.verified(t)
}

// Damaged files of urgent orders are named, and only what needs them fails.
func TestDamagedUrgentOrders(t *testing.T) {
	t.Parallel()
	for _, name := range []string{filepath.Join("pending", "urgent.json"), filepath.Join("urgent", "65537.urgent.json")} {
		a := urgentAgency(t)
		a.next(t, "example.com")
		p, err := a.Pending()
		require.NoError(t, err)
		require.NoError(t, a.Refuse(t.Context(), p, a.anna, cause))
		_, err = a.order(t, entries(t, "live.example"))
		require.NoError(t, err)
		_, err = a.PrepareUrgent(t.Context(), publish.UrgentChange{Add: entries(t, "wait.example")}, cause)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(a.dir, name), []byte("garbage"), 0o600))
		s, err := a.Status(t.Context())
		require.NoError(t, err, name)
		assert.Contains(t, s.Damaged, name+" is damaged")
		all, err := a.Refusals(t.Context())
		require.NoError(t, err, name)
		assert.Len(t, all, 1)
		_, _, err = a.Release(t.Context(), "anna")
		part := (*publish.PartError)(nil)
		require.ErrorAs(t, err, &part, "it could end an order that can't be read")
		assert.Equal(t, name, part.Part)
		require.NoError(t, os.Remove(filepath.Join(a.dir, name)))
		s, err = a.Status(t.Context())
		require.NoError(t, err)
		assert.Empty(t, s.Damaged)
	}
}
