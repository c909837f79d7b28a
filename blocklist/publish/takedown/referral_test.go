package takedown_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger/ledgertest"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/takedown"
)

func TestPlatforms(t *testing.T) {
	t.Parallel()
	table, err := takedown.ParsePlatforms("# ours\nSocial.example \tThe Network\nvideos.social.example Videos\n\nsocial.test The Network\n198.51.example Numbers\n")
	require.NoError(t, err)
	for target, want := range map[string][2]string{
		"https://www.social.example/user/7":    {"social.example", "The Network"},
		"https://*.social.example/user":        {"social.example", "The Network"},
		"https://a.videos.social.example/7":    {"social.example", "Videos"},
		"https://notsocial.example/":           {"notsocial.example", "notsocial.example"},
		"https://m.social.test/a":              {"social.test", "The Network"},
		"https://a.b.site.co.uk/x":             {"site.co.uk", "site.co.uk"},
		"https://user.github.io/x":             {"user.github.io", "user.github.io"},
		"https://github.io/x":                  {"github.io", "github.io"},
		"https://192.0.2.7/x":                  {"192.0.2.7", "192.0.2.7"},
		"https://[2001:db8::1]/x":              {"2001:db8::1", "2001:db8::1"},
		"https://xn--bcher-kva.social.test/*":  {"social.test", "The Network"},
		"https://videos.social.example./a?b=c": {"social.example", "Videos"},
		"solo.example":                         {"solo.example", "solo.example"},
		"=m.social.test":                       {"social.test", "The Network"},
		"192.0.2.7":                            {"192.0.2.7", "192.0.2.7"},
	} {
		e := entry(t, target)
		assert.Equal(t, want, [2]string{takedown.Platforms{}.Of(e), table.Of(e)}, target)
	}
}

func TestParsePlatformsRefuses(t *testing.T) {
	t.Parallel()
	for text, why := range map[string]string{
		"a.example A\nsocial.example":               "line 2: entry \"social.example\": a domain and the name",
		"https://social.example/ Network":           "line 1: entry",
		"social.example A\nsocial.example B":        "line 2: entry \"social.example B\": the platform of social.example is \"A\" already",
		"social.example " + strings.Repeat("x", 65): "at most 64 bytes",
		"social.example a\x1b[31m":                  "plain text",
		"social.example a\u202eb":                   "plain text",
		"*.example A":                               "does not begin with a domain",
	} {
		_, err := takedown.ParsePlatforms(text)
		require.ErrorIs(t, err, blocklist.ErrMalformed, text)
		assert.ErrorContains(t, err, why)
	}
}

// referrals returns what is to be taken down, without its times.
func (a *agency) referrals(t *testing.T) (all []takedown.Referral) {
	t.Helper()
	for page, err := range takedown.Referrals(t.Context(), a.Ledger, takedown.Platforms{}) {
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now(), page.Listed, time.Minute, page.URL)
		page.Listed, page.Since, page.LastCheck = time.Time{}, time.Time{}, time.Time{}
		all = append(all, page)
	}
	return all
}

func TestReferrals(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	assert.Empty(t, a.referrals(t))
	add := func(reason, ref string, lines ...string) {
		t.Helper()
		_, err := a.Add(t.Context(), entries(t, lines...), publish.Audit{Author: "anna", Reason: reason, Reference: ref, Override: "the guards know no test"})
		require.NoError(t, err)
	}
	add("a name", "1", "example.com", "=www.example.org", "192.0.2.0/24")
	assert.Empty(t, a.referrals(t), "only pages are referred")
	add("first", "order 1", "https://social.example/a", "https://social.example/b/* category=terror ref=77", "https://*.social.example/c")
	add("second", "order 2", "https://social.example/a category=fraud", "https://other.example/p?id=7 status=monitor", "https://other.example/q?x&y#any-order",
		"https://gone.example/a")
	late := func(yield func(blocklist.Entry, error) bool) {
		yield(entry(t, "https://late.example/a expires=2020-01-01"), nil)
	}
	_, err := a.Import(t.Context(), late, cause, nil)
	require.NoError(t, err)
	_, err = a.Remove(t.Context(), entries(t, "https://gone.example/a", "https://social.example/b/*"), cause)
	require.NoError(t, err)
	add("", "order 3", "https://social.example/b/*")
	assert.Equal(t, []takedown.Referral{
		{Platform: "social.example", URL: "https://*.social.example/c", Covers: "the page, on this host and its subdomains", Reference: "order 1", Reason: "first", State: "open"},
		{Platform: "other.example", URL: "https://other.example/p?id=7", Covers: "the page with this query", Reference: "order 2", Reason: "second", State: "open"},
		{Platform: "other.example", URL: "https://other.example/q?x&y#any-order", Covers: "the page with these parameters, in any order", Reference: "order 2", Reason: "second", State: "open"},
		{Platform: "social.example", URL: "https://social.example/a", Covers: "the page", Category: "fraud", Reference: "order 1", Reason: "first", State: "open"},
		{Platform: "social.example", URL: "https://social.example/b/*", Covers: "the page and everything below it", Reference: "order 3", State: "open"},
	}, a.referrals(t), "other attributes are no other listing, a second listing is")
}

// checks are those of a text.
func (a *agency) checks(t *testing.T, text string) (takedown.Result, error) {
	t.Helper()
	return takedown.Record(t.Context(), a.Ledger, takedown.ReadChecks(strings.NewReader(text)), publish.Audit{Author: "carla"})
}

func (a *agency) states(t *testing.T) map[string]string {
	t.Helper()
	states := map[string]string{}
	for page, err := range takedown.Referrals(t.Context(), a.Ledger, takedown.Platforms{}) {
		require.NoError(t, err)
		since := ""
		if page.Since != page.Listed {
			since = " " + page.Since.Format(time.DateOnly)
		}
		states[strings.TrimPrefix(page.URL, "https://social.example/")] = page.State + since
	}
	return states
}

func TestChecks(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "https://social.example/a", "https://social.example/b", "https://social.example/c", "https://social.example/d"), override)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"a": "open", "b": "open", "c": "open", "d": "open"}, a.states(t))

	r, err := a.checks(t, "url,removed,checked\nHTTP://Social.example/a,yes,2026-03-01\nsocial.example/b,no,2026-03-01 10:00:00\nhttps://social.example/x,no,2026-03-01\n")
	require.NoError(t, err)
	assert.Equal(t, takedown.Result{Recorded: 2, NotListed: 1, Unlisted: []string{"https://social.example/x"}}, r)
	assert.Equal(t, map[string]string{"a": "removed 2026-03-01", "b": "open", "c": "open", "d": "open"}, a.states(t))

	// the same again is nothing new; what is told late takes its place in time
	r, err = a.checks(t, "url;removed;checked\nsocial.example/a;Yes;2026-03-01\nsocial.example/a;no;2026-03-04\nsocial.example/a;yes;2026-03-02\nsocial.example/c;TRUE;2026-03-03\n")
	require.NoError(t, err)
	assert.Equal(t, takedown.Result{Recorded: 3, Unchanged: 1}, r)
	assert.Equal(t, map[string]string{"a": "returned 2026-03-04", "b": "open", "c": "removed 2026-03-03", "d": "open"}, a.states(t))

	// a check that is recorded again, with the other result, is a correction
	_, err = a.checks(t, `{"url":"social.example/c","removed":false,"checked":"2026-03-03T00:00:00Z"}`)
	require.NoError(t, err)
	assert.Equal(t, "open", a.states(t)["c"])
	operations := a.operations(t)
	r, err = a.checks(t, `[{"url":"social.example/c","removed":"no","checked":"2026-03-03","note":7}]`)
	require.NoError(t, err)
	assert.Equal(t, takedown.Result{Unchanged: 1}, r)
	assert.Equal(t, operations, a.operations(t), "nothing new is no operation")

	// what was found before a page was listed again is of the past
	_, err = a.Remove(t.Context(), entries(t, "https://social.example/a"), cause)
	require.NoError(t, err)
	_, err = a.Add(t.Context(), entries(t, "https://social.example/a"), override)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"a": "open", "b": "open", "c": "open", "d": "open"}, a.states(t))

	_, err = a.Verify(t.Context(), nil)
	require.NoError(t, err)
}

func (a *agency) operations(t *testing.T) (n int) {
	t.Helper()
	for o, err := range a.Operations(t.Context()) {
		require.NoError(t, err)
		n = int(o.ID)
	}
	return n
}

func TestChecksAreAllOrNothing(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "https://social.example/a"), override)
	require.NoError(t, err)
	good := "url,removed,checked\nsocial.example/a,yes,2026-03-01\n"
	before := a.operations(t)
	for text, wants := range map[string][]string{
		good + "social.example/a,perhaps,2026-03-01\nsocial.example/b,yes,soon\n,yes,2026-03-01\n": {
			`line 3: "social.example/a": malformed: removed is "perhaps": yes or no is needed`, `line 4: "social.example/b": malformed: checked is "soon"`, "line 5: \"\": malformed: there is no url",
		},
		good + "social.example/a,no,2026-03-01\n":                              {"both removed and not, at the same time 2026-03-01T00:00:00Z"},
		good + "social.example/a,no,2999-01-01\n":                              {"checked in the future"},
		good + "social.example/a#x,no,2026-03-01\n":                            {"line 3", "never leaves the browser"},
		good + "social.example/a ref=1,no,2026-03-01\n":                        {"line 3", "blanks"},
		good + "\"social.example/a,no,2026-03-01\n":                            {"line 3", `extraneous or missing "`},
		good + "social.example/a\n":                                            {`line 3`, `removed is ""`},
		"url,removed\nsocial.example/a,yes\n":                                  {`line 1: malformed: there is no column "checked"`},
		"url,removed,checked,removed\nsocial.example/a,yes,2026-03-01,no\n":    {`the column "removed" is there twice`},
		"url,removed,checked\nsocial.example/x,yes,2026-03-01\n":               {"not on the list", "none of the pages is, such as https://social.example/x"},
		`[{"url":"social.example/a","removed":true,"checked":"2026-03-01"}`:    {"the array has no end"},
		`[{"url":"social.example/a","removed":true,"checked":"2026-03-01"}] x`: {"something follows the array"},
		`{"url":"social.example/a","checked":"2026-03-01"}`:                    {`value 1: "social.example/a": malformed: removed is ""`},
		`{"url":"social.example/a","removed":1,"checked":"2026-03-01"}`:        {`value 1`, `removed is "1"`},
		`{"url":7}`: {"value 1: malformed"},
		"":          {"there is no column \"url\""},
		good + strings.Repeat("social.example/a,?,2026-03-01\n", 50):    {"line 12"},
		good + strings.Repeat("\n", takedown.MaxChecks):                 {"more than 64 MiB"},
		`{"url":"` + strings.Repeat("x", 70<<10) + `","removed":false}`: {"longer than 64 KiB"},
	} {
		_, err := a.checks(t, text)
		require.Error(t, err)
		for _, want := range wants {
			assert.ErrorContains(t, err, want)
		}
		assert.NotContains(t, err.Error(), "line 14", "the first few are enough")
		assert.Less(t, len(err.Error()), 4000)
	}
	assert.Equal(t, before, a.operations(t))
	assert.Equal(t, map[string]string{"a": "open"}, a.states(t))
}

func TestSummary(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "https://b.example/1 added=2026-01-01", "https://b.example/2", "https://a.example/1", "https://c.example/1", "https://c.example/2"), override)
	require.NoError(t, err)
	week := time.Now().Add(-5 * 24 * time.Hour).UTC().Format(time.RFC3339)
	_, err = a.checks(t, "url,removed,checked\nb.example/2,no,2026-03-01\na.example/1,yes,2026-03-01\nc.example/1,yes,2026-03-01\nc.example/1,no,"+week+"\nc.example/2,yes,2026-03-01\n")
	require.NoError(t, err)
	got, err := takedown.Summary(t.Context(), a.Ledger, takedown.Platforms{})
	require.NoError(t, err)
	require.Len(t, got, 3)
	assert.Equal(t, "2026-01-01T00:00:00Z", got[0].Oldest.Format(time.RFC3339))
	assert.Equal(t, week, got[1].Oldest.Format(time.RFC3339))
	got[0].Oldest, got[1].Oldest = time.Time{}, time.Time{}
	assert.Equal(t, []takedown.PlatformStatus{
		{Platform: "b.example", Open: 2, Unchecked: 1, UpDay: 1, UpLonger: 1},
		{Platform: "c.example", Returned: 1, Removed: 1, UpWeek: 1},
		{Platform: "a.example", Removed: 1},
	}, got)
	assert.Equal(t, takedown.PlatformStatus{Platform: "b.example", Open: 2, Unchecked: 1, Returned: 1, Removed: 1, UpDay: 1, UpWeek: 1, UpLonger: 1}, got[0].Add(got[1]))
}

// Checks are as much a part of the history as entries are.
func TestVerifyFindsAlteredChecks(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "https://social.example/a", "https://social.example/b"), override)
	require.NoError(t, err)
	_, err = a.checks(t, "url,removed,checked\nsocial.example/a,yes,2026-03-01\nsocial.example/b,no,2026-03-01\n")
	require.NoError(t, err)
	_, err = a.Verify(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, a.Close())
	pristine, err := os.ReadFile(filepath.Join(a.dir, "ledger.db"))
	require.NoError(t, err)
	for statement, want := range map[string]string{
		`UPDATE checks SET removed = 1 WHERE line = 2`:                                                "the changes of operation 3",
		`UPDATE checks SET checked = '2026-03-02T00:00:00Z'`:                                          "the changes of operation 3",
		`DELETE FROM checks WHERE line = 1`:                                                           "the changes of operation 3",
		`DELETE FROM checks`:                                                                          "the changes of operation 3",
		`INSERT INTO checks SELECT 2, line, target, checked, 0 FROM checks`:                           "a check of \"https://social.example/a\" belongs to no operation",
		`UPDATE operations SET kind = 'guard' WHERE kind = 'takedown'`:                                "operation 3",
		`UPDATE checks SET checked = 'soon' WHERE line = 1`:                                           "time \"soon\"",
		`INSERT INTO checks SELECT 3, 3, target || '/x', checked, removed FROM checks WHERE line = 1`: "the changes of operation 3",
	} {
		t.Run(want, func(t *testing.T) {
			b := &agency{dir: a.dir}
			require.NoError(t, os.WriteFile(filepath.Join(a.dir, "ledger.db"), pristine, 0o600))
			ledgertest.Tamper(t, a.dir, statement)
			b.open(t)
			_, err := b.Verify(t.Context(), nil)
			require.ErrorIs(t, err, blocklist.ErrDamaged, statement)
			assert.ErrorContains(t, err, want, statement)
		})
	}
}

func FuzzReadChecks(f *testing.F) {
	for _, text := range []string{
		"url,removed,checked\nsocial.example/a,yes,2026-03-01\n", "\ufeffURL;x;Removed;Checked\r\n\"https://a.example/?b;c\";;no;2026-03-01 10:00:00\r\n",
		`[{"url":"a.example/b","removed":true,"checked":"2026-03-01T08:00:00+02:00"}]`, `{"url":"a.example/b","removed":"no","checked":"2026-03-01"} {`, " [ ] ", "\n\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n := 0
		for c, err := range takedown.ReadChecks(strings.NewReader(text)) {
			if n++; err != nil {
				require.ErrorIs(t, err, blocklist.ErrMalformed)
				continue
			}
			require.Equal(t, blocklist.ScopeURL, c.Page.Scope)
			require.False(t, c.Checked.IsZero())
		}
		require.LessOrEqual(t, n, len(text)+1)
	})
}
