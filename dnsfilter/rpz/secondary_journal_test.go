package rpz_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/rpz"
	"github.com/argine-dns/argine/testdata/longtest"
)

// readCopy reads a copy of a zone as a start does: the file, and the journal.
func readCopy(t testing.TB, s *rpz.Secondary) (*dnsfilter.PolicyZone, dnsfilter.ZoneReport) {
	t.Helper()
	z := dnsfilter.NewPolicyZone(s.Zone)
	file, err := os.Open(s.File)
	require.NoError(t, err)
	defer file.Close()
	report, err := z.Read(file)
	require.NoError(t, err)
	journal, err := rpz.OpenJournal(s.File)
	if errors.Is(err, fs.ErrNotExist) {
		return z, report
	}
	require.NoError(t, err)
	defer journal.Close()
	c, err := z.Change(journal, report)
	require.NoError(t, err)
	c.Adopt()
	return z, c.Report
}

// applies has the changes of a secondary applied to the zone that it has a copy of, which must be read already.
func applies(t testing.TB, s *rpz.Secondary, z *dnsfilter.PolicyZone, report *dnsfilter.ZoneReport) {
	t.Helper()
	s.Apply = func(changes io.Reader, keep func() error) error {
		c, err := z.Change(changes, *report)
		if err != nil {
			return err
		}
		require.NoError(t, keep())
		c.Adopt()
		*report = c.Report
		return nil
	}
}

// requireSame requires that two zones have the same rules.
func requireSame(t testing.TB, a, b *dnsfilter.PolicyZone) {
	t.Helper()
	blocks := func(e blocklist.Entry) { t.Errorf("only one blocks %v", e) }
	require.Zero(t, a.Review(b, blocks), "nothing is new")
	require.Zero(t, b.Review(a, blocks), "nothing is gone")
}

// TestJournal follows random changes of a zone by its journal, which says the same as a copy of the whole zone.
func TestJournal(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	listed := names("n", 1500)
	served := one(t, rpz.Config{}, slices.Clone(listed)...)
	s := newSecondary(t, false, served.addr)
	_, err := s.Update(t.Context())
	require.NoError(t, err)
	first, err := os.ReadFile(s.File)
	require.NoError(t, err)
	z, report := readCopy(t, s)
	applies(t, s, z, &report)
	for round := range longtest.Rounds(6, 20) { // more would make the journal long enough to be merged
		for range 1 + r.IntN(20) {
			i := r.IntN(len(listed))
			listed = slices.Delete(listed, i, i+1)
			if r.IntN(2) == 0 {
				listed = append(listed, fmt.Sprintf("%s%d.n%d.example", []string{"new", "=exact"}[r.IntN(2)], round, r.IntN(1500)))
			}
		}
		slices.Sort(listed)
		listed = slices.Compact(listed)
		served.lists.set(t, "l", slices.Clone(listed)...)
		served.awaitLists()
		u, err := s.Update(t.Context())
		require.NoError(t, err)
		assert.True(t, u.Replaced)
		assert.True(t, u.Incremental)
		assert.Equal(t, u.Copy, s.Copy())
		assert.Equal(t, u.Copy.Serial, report.Serial)
		again, err := s.Update(t.Context())
		require.NoError(t, err)
		assert.False(t, again.Replaced)

		onDisk, onDiskReport := readCopy(t, s)
		assert.Equal(t, report, onDiskReport)
		requireSame(t, z, onDisk)
		whole := newSecondary(t, false, served.addr)
		_, err = whole.Update(t.Context())
		require.NoError(t, err)
		want, wantReport := readCopy(t, whole)
		assert.Equal(t, wantReport.Triggers, report.Triggers)
		requireSame(t, z, want)
	}
	now, err := os.ReadFile(s.File)
	require.NoError(t, err)
	assert.Equal(t, string(first), string(now), "the file stays as it was")

	t.Run("merged", func(t *testing.T) { //nolint:paralleltest // one after the other
		s.Apply = func(io.Reader, func() error) error { return errors.New("the whole zone, please") }
		served.lists.set(t, "l", listed[1:]...)
		served.awaitLists()
		u, err := s.Update(t.Context())
		require.NoError(t, err)
		assert.True(t, u.Incremental)
		assert.NoFileExists(t, rpz.JournalOf(s.File))
		merged, mergedReport := readCopy(t, s)
		assert.Equal(t, u.Copy.Serial, mergedReport.Serial)
		whole := newSecondary(t, false, served.addr)
		_, err = whole.Update(t.Context())
		require.NoError(t, err)
		want, _ := readCopy(t, whole)
		requireSame(t, merged, want)
	})
	t.Run("long", func(t *testing.T) { //nolint:paralleltest // one after the other
		z, report := readCopy(t, s)
		applies(t, s, z, &report)
		for step := range 3 {
			served.lists.set(t, "l", names(fmt.Sprint("long", step), 700)...)
			served.awaitLists()
			_, err := s.Update(t.Context())
			require.NoError(t, err)
			if info, err := os.Stat(rpz.JournalOf(s.File)); err == nil {
				assert.LessOrEqual(t, info.Size(), int64(64<<10))
			}
			_, onDisk := readCopy(t, s)
			assert.Equal(t, 1400, onDisk.Rules, "%d", step)
			assert.Equal(t, s.Copy().Serial, onDisk.Serial)
		}
	})
}

// TestJournalAfterACrash has files as a crash between two steps leaves them: they are the old zone, or the new one.
func TestJournalAfterACrash(t *testing.T) {
	t.Parallel()
	served := one(t, rpz.Config{}, names("n", 100)...)
	s := newSecondary(t, false, served.addr)
	s.Apply = func(_ io.Reader, keep func() error) error { return keep() }
	update := func(listed ...string) rpz.Update {
		if listed != nil {
			served.lists.set(t, "l", slices.Clone(listed)...)
			served.awaitLists()
		}
		u, err := s.Update(t.Context())
		require.NoError(t, err)
		return u
	}
	rules := func() int { _, report := readCopy(t, s); return report.Rules }
	update()
	first, err := os.ReadFile(s.File)
	require.NoError(t, err)
	update(names("n", 101)...)
	require.Equal(t, 202, rules())
	journal, err := os.ReadFile(rpz.JournalOf(s.File))
	require.NoError(t, err)

	temp := filepath.Join(filepath.Dir(s.File), ".new-zone+journal-1")
	require.NoError(t, os.WriteFile(temp, journal[:50], 0o600)) // while it was written
	assert.False(t, update().Replaced)
	assert.NoFileExists(t, temp)
	require.Equal(t, 202, rules())

	s.Apply = nil
	update(names("n", 102)...)
	require.NoError(t, os.WriteFile(rpz.JournalOf(s.File), journal, 0o600)) // before it was removed
	require.Equal(t, 204, rules(), "it is of the file before")
	assert.False(t, update().Replaced)
	s.Apply = func(_ io.Reader, keep func() error) error { return keep() }
	update(names("n", 103)...)
	require.Equal(t, 206, rules())
	assert.True(t, update(names("n", 104)...).Incremental)
	require.Equal(t, 208, rules())

	require.NoError(t, os.WriteFile(rpz.JournalOf(s.File), []byte(strings.TrimSuffix(string(journal), "\n")), 0o600))
	assert.True(t, update().Incremental, "a journal that is not of the file is none")
	require.Equal(t, 208, rules())

	require.NoError(t, os.Remove(s.File)) // by someone who wants an older serial
	require.NoError(t, os.WriteFile(rpz.JournalOf(s.File), journal, 0o600))
	update()
	assert.NoFileExists(t, rpz.JournalOf(s.File))
	require.NoError(t, os.WriteFile(s.File, first, 0o600))
	assert.True(t, update().Incremental)
	require.Equal(t, 208, rules())
}
