package publish_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/takedown"
)

// told is what the history says about one thing, a line for each event.
func (a *agency) told(t *testing.T, text string) (lines []string) {
	t.Helper()
	all, err := a.EntryHistory(t.Context(), text)
	require.NoError(t, err)
	for _, h := range all {
		line := h.Target + ":"
		if h.Covers {
			line = "covered by " + line
		}
		for _, e := range h.Events {
			line += " " + e.Change
			switch {
			case e.Release != nil:
				line += "@" + strings.Join(e.Release.Signed, "+")
			case e.Pending > 0:
				line += "@pending"
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func TestEntryHistory(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	add := func(lines ...string) {
		_, err := a.Add(t.Context(), entries(t, lines...), override)
		require.NoError(t, err)
	}
	add("example.com ref=1", "=www.example.com", "https://www.example.com/page", "192.0.2.0/24")
	a.overrideAndRelease(t)
	_, err := takedown.Record(t.Context(), a.Ledger, func(yield func(takedown.Check, error) bool) {
		yield(takedown.Check{Page: entry(t, "https://www.example.com/page"), Removed: true, Checked: time.Now()}, nil)
	}, cause)
	require.NoError(t, err)
	_, err = a.Remove(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	_, _, err = a.Release(t.Context(), "anna")
	require.NoError(t, err)
	add("example.com ref=3")

	want := "example.com: added@anna+bruno removed@pending added"
	assert.Equal(t, []string{want}, a.told(t, "EXAMPLE.com:443"))
	assert.Equal(t, []string{"=www.example.com: added@anna+bruno", "covered by " + want}, a.told(t, "www.example.com"))
	assert.Equal(t, []string{
		"https://www.example.com/page?x: ", "covered by https://www.example.com/page: added@anna+bruno",
		"covered by =www.example.com: added@anna+bruno", "covered by " + want,
	}, addBlank(a.told(t, "http://www.example.com/page?x")))
	assert.Equal(t, []string{"192.0.2.7: ", "covered by 192.0.2.0/24: added@anna+bruno"}, addBlank(a.told(t, "192.0.2.7")))
	assert.Equal(t, []string{"never.example:"}, a.told(t, "never.example"))

	_, err = a.Add(t.Context(), entries(t, "example.com ref=4 expires=2099-01-01"), override)
	require.NoError(t, err)
	all, err := a.EntryHistory(t.Context(), "example.com")
	require.NoError(t, err)
	assert.Equal(t, []string{"example.com ref=3", "example.com ref=4 expires=2099-01-01"}, all[0].Orders)
	last := all[0].Events[3]
	assert.Equal(t, publish.ChangeOrders, last.Change)
	assert.Equal(t, []string{"example.com ref=4 expires=2099-01-01"}, last.Given)
	_, err = a.Withdraw(t.Context(), "3", entries(t, "example.com"), cause)
	require.NoError(t, err)
	all, err = a.EntryHistory(t.Context(), "example.com")
	require.NoError(t, err)
	last = all[0].Events[4]
	assert.Equal(t, publish.ChangeChanged, last.Change)
	assert.Equal(t, []string{"example.com ref=3"}, last.Withdrawn)
	assert.Equal(t, "example.com ref=3", last.Before)
	assert.Equal(t, []string{last.After}, all[0].Orders)

	all, err = a.EntryHistory(t.Context(), "https://www.example.com/page")
	require.NoError(t, err)
	require.Len(t, all[0].Checks, 1)
	assert.True(t, all[0].Checks[0].Removed)
	assert.Equal(t, publish.KindTakedown, all[0].Checks[0].Operation.Kind)
	assert.Equal(t, "https://www.example.com/page", all[0].Entry)
	_, err = a.EntryHistory(t.Context(), "a b")
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
}

// addBlank puts a blank behind a colon at the end of the first line.
func addBlank(lines []string) []string {
	lines[0] += " "
	return lines
}

// overrideAndRelease is release for entries that the guards hold.
func (a *agency) overrideAndRelease(t *testing.T) {
	t.Helper()
	_, err := a.Override(t.Context(), override)
	require.NoError(t, err)
	a.release(t)
}

// The releases count the entries that are listed in one and not in the one before, not the lines between them.
func TestReleasesCountEntries(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.add(t, "one.example", "two.example ref=1", "three.example")
	a.release(t)
	a.add(t, "four.example", "five.example", "two.example ref=1 category=x", "two.example ref=2")
	_, err := a.Remove(t.Context(), entries(t, "five.example", "one.example", "three.example"), cause)
	require.NoError(t, err)
	a.add(t, "three.example")
	a.release(t)
	_, err = a.Remove(t.Context(), entries(t, "four.example"), cause)
	require.NoError(t, err)
	a.release(t)
	var counted [][]uint64
	for r, err := range a.Releases(t.Context(), 0) {
		require.NoError(t, err)
		counted = append(counted, []uint64{r.Added, r.Removed, r.Listed, r.Delisted})
	}
	assert.Equal(t, [][]uint64{{3, 0, 3, 0}, {4, 4, 1, 1}, {0, 1, 0, 1}}, counted)
}

// A signer is named only if the signature is valid and the metadata belongs to the release.
func TestReleasesNameSignersOfValidSignatures(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	for _, name := range []string{"example.com", "example.net", "example.org"} {
		_, err := a.Add(t.Context(), entries(t, name), cause)
		require.NoError(t, err)
		a.release(t)
	}
	read := func(last int) (all []publish.ReleaseInfo) {
		for r, err := range a.Releases(t.Context(), last) {
			require.NoError(t, err)
			all = append(all, r)
		}
		return all
	}
	all := read(0)
	require.Len(t, all, 3)
	for i, r := range all {
		assert.Equal(t, uint64(i+1), r.Serial)
		assert.Equal(t, []string{"anna", "bruno"}, r.Signed)
		assert.Equal(t, uint64(1), r.Added)
		assert.Empty(t, r.Problem)
		assert.WithinDuration(t, time.Now(), r.Created, time.Minute)
	}
	assert.Equal(t, all[2:], read(1))
	var signed []publish.ReleaseInfo
	for r, err := range a.SignedReleases(t.Context(), all[0].Pushed) {
		require.NoError(t, err)
		assert.Zero(t, r.Listed)
		r.Listed = 1
		signed = append(signed, r)
	}
	assert.Equal(t, all, signed)
	for r := range a.SignedReleases(t.Context(), all[2].Pushed.Add(time.Second)) {
		assert.Fail(t, "a release of before", "serial %d", r.Serial)
	}

	path := func(serial string) string { return filepath.Join(a.dir, "releases", serial, "targets.json") }
	first, err := os.ReadFile(path("1"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path("2"), first, 0o600)) // of another release, with valid signatures
	require.NoError(t, os.WriteFile(path("1"), []byte(strings.Replace(string(first), `"serial":1`, `"serial":7`, 1)), 0o600))
	require.NoError(t, os.Remove(path("3")))
	all = read(0)
	require.Len(t, all, 3)
	for _, r := range all {
		assert.Empty(t, r.Signed, r.Serial)
		assert.NotEmpty(t, r.Problem, r.Serial)
	}
	assert.Equal(t, []string{"example.com: added@"}, a.told(t, "example.com"))
}

func TestLog(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	by := func(author, reference string) publish.Audit {
		return publish.Audit{Author: author, Reference: reference}
	}
	_, err := a.Add(t.Context(), entries(t, "a.example.com", "b.example.com", "c.example.com", "d.example.com"), by("anna", "order 2026/17"))
	require.NoError(t, err)
	_, err = a.Add(t.Context(), entries(t, "b.example.com category=x", "e.example.com"), by("bruno [x]", "order 2026/171"))
	require.NoError(t, err)
	_, err = a.Remove(t.Context(), entries(t, "a.example.com"), by("anna", "revocation 4"))
	require.NoError(t, err)
	ids := func(f publish.LogFilter) (all []int64) {
		for o, err := range a.Log(t.Context(), f) {
			require.NoError(t, err)
			all = append(all, o.ID)
		}
		return all
	}
	now := time.Now()
	for _, c := range []struct {
		f    publish.LogFilter
		want []int64
	}{
		{publish.LogFilter{}, []int64{1, 2, 3, 4}},
		{publish.LogFilter{Last: 2}, []int64{3, 4}},
		{publish.LogFilter{Author: "anna", Last: 2}, []int64{2, 4}},
		{publish.LogFilter{Author: "bruno [x]"}, []int64{3}},
		{publish.LogFilter{Author: "bruno ?x?"}, nil},
		{publish.LogFilter{Reference: "order 2026/17"}, []int64{2}},
		{publish.LogFilter{Reference: "order 2026/17*"}, []int64{2, 3}},
		{publish.LogFilter{Reference: "*order*", Kinds: []string{"remove"}}, nil},
		{publish.LogFilter{Kinds: []string{"init", "remove"}}, []int64{1, 4}},
		{publish.LogFilter{Target: "http://A.example.com:80"}, nil},
		{publish.LogFilter{Target: "A.example.com:80"}, []int64{2, 4}},
		{publish.LogFilter{Target: "b.example.com"}, []int64{2, 3}},
		{publish.LogFilter{Since: now.Add(-time.Hour), Until: now.Add(time.Hour)}, []int64{1, 2, 3, 4}},
		{publish.LogFilter{Since: now.Add(time.Hour)}, nil},
		{publish.LogFilter{Until: now.Add(-time.Hour)}, nil},
	} {
		assert.Equal(t, c.want, ids(c.f), "%+v", c.f)
	}
	var changed [][]string
	var more []uint64
	for o, err := range a.Log(t.Context(), publish.LogFilter{}) {
		require.NoError(t, err)
		changed, more = append(changed, o.Changed), append(more, o.More)
	}
	assert.Equal(t, [][]string{nil, {"+a.example.com", "+b.example.com", "+c.example.com"}, {"b.example.com", "+e.example.com"}, {"-a.example.com"}}, changed)
	assert.Equal(t, []uint64{0, 1, 0, 0}, more)
}

func TestOperation(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.com", "example.net ref=1"), cause)
	require.NoError(t, err)
	o, err := a.Operation(t.Context(), "2")
	require.NoError(t, err)
	byHash, err := a.Operation(t.Context(), strings.ToUpper(o.Hash[:10]))
	require.NoError(t, err)
	assert.Equal(t, o, byHash)
	first, err := a.Operation(t.Context(), "1")
	require.NoError(t, err)
	assert.Equal(t, first.Hash, o.Before)
	assert.Nil(t, o.Release)
	var lines []string
	for l, err := range a.OperationLines(t.Context(), o.Operation) {
		require.NoError(t, err)
		lines = append(lines, l.Sign+l.Target+l.Attributes)
	}
	assert.Equal(t, []string{"+example.com", "+example.net ref=1"}, lines)
	for _, name := range []string{"0", "3", "-1", "zz", "", "abc", "99999999999999999999", strings.Repeat("0", 64), "\x1b"} {
		_, err = a.Operation(t.Context(), name)
		require.ErrorIs(t, err, publish.ErrNoOperation, "%q", name)
	}
}
