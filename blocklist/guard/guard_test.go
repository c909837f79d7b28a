package guard_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
)

// What one addition trips, in short: the checks that hold, and in brackets those that report.
func TestEntries(t *testing.T) {
	g := newGuard(t, guard.Limits{
		Protected: protected(t, "bank.example", "=www.town.example", "198.51.100.0/24", "org.example", "xn--mnchen-3ya.example"),
		Popular:   popular(t, "search.test", "drive.store.test", "mail.store.test", "paypal.test"),
	}).WithDocumentation()
	for entry, want := range map[string]string{
		"bad.example":              "",
		"=bad.example":             "",
		"https://bad.example/path": "",
		// public suffixes
		"com":                       "single-label",
		"=com":                      "single-label",
		"localhost":                 "single-label",
		"co.uk":                     "public-suffix",
		"=co.uk":                    "(public-suffix)",
		"github.io":                 "private-suffix",
		"=github.io":                "(private-suffix)",
		"someone.github.io":         "",
		"kawasaki.jp":               "public-suffix", // the rule is *.kawasaki.jp
		"any.kawasaki.jp":           "(public-suffix)",
		"city.kawasaki.jp":          "", // but for this one
		"xn--55qx5d.cn":             "public-suffix",
		"https://github.io/*":       "(private-suffix)",
		"https://*.github.io/*":     "private-suffix",
		"https://*.github.io/x":     "private-suffix",
		"https://*.github.io/x?y=1": "private-suffix",
		"https://*.com/zzz":         "single-label",
		"https://*.com/":            "single-label",
		"https://*.co.uk/zzz":       "public-suffix",
		"https://*.kawasaki.jp/a/*": "public-suffix",
		"https://com/zzz":           "",
		"https://*.bad.example/zzz": "",
		"github.io status=monitor":  "(private-suffix)",
		"=github.io status=monitor": "(private-suffix)",
		// protected
		"bank.example":                           "protected",
		"=bank.example":                          "protected",
		"login.bank.example":                     "protected", // a protected name covers those below it, as an entry does
		"=a.login.bank.example":                  "protected",
		"embank.example":                         "",
		"www.town.example":                       "protected",
		"=www.town.example":                      "protected",
		"town.example":                           "protected",
		"=town.example":                          "",
		"a.www.town.example":                     "", // =name is that name alone
		"münchen.example":                        "protected",
		"https://bank.example/a":                 "",
		"https://bank.example/*":                 "protected",
		"https://*.bank.example/a":               "protected",
		"https://*.login.bank.example/a":         "protected",
		"https://*.town.example/a":               "protected",
		"https://bank.example/":                  "",
		"bank.example category=x status=monitor": "(protected)",
		// popular
		"search.test":                   "popular",
		"=search.test":                  "popular",
		"www.search.test":               "popular",
		"=www.search.test":              "popular",
		"ads.search.test":               "",
		"=store.test":                   "",
		"store.test":                    "popular",
		"drive.store.test":              "popular",
		"https://drive.store.test/file": "",
		"https://drive.store.test/*":    "popular",
		"https://*.store.test/*":        "popular",
		"https://*.store.test/file":     "popular",
		"https://*.search.test/a":       "popular",
		"https://store.test/*":          "",
		// look-alikes
		"paypa1.test":           "(lookalike)",
		"=login.paypa1.test":    "(lookalike)",
		"раураl.test":           "(lookalike)", // Cyrillic
		"pаypal.test":           "(lookalike)",
		"páypal.test":           "(lookalike)",
		"munchen.example":       "(lookalike)",
		"paypal.bad.example":    "",
		"https://paypa1.test/*": "(lookalike)",
		"https://paypa1.test/a": "",
		"paypal-login.test":     "",
		"раураl.paypal.test":    "",
		// addresses
		"192.0.2.7":               "",
		"192.0.2.0/24":            "",
		"192.0.2.0/23":            "wide-address",
		"198.51.100.7":            "protected",
		"10.1.2.3":                "special-address",
		"100.64.1.1":              "special-address",
		"127.0.0.1":               "special-address",
		"224.0.0.251":             "special-address",
		"255.255.255.255":         "special-address",
		"203.0.112.0/22":          "wide-address special-address",
		"::ffff:10.0.0.1":         "special-address",
		"2001:db8::1":             "special-address",
		"2001:db8::/32":           "wide-address special-address",
		"fe80::1":                 "special-address",
		"ff02::fb":                "special-address",
		"64:ff9b::1.2.3.4":        "special-address",
		"::/0":                    "wide-address special-address",
		"0.0.0.0/0":               "protected wide-address special-address",
		"10.1.2.3 status=monitor": "(special-address)",
		"https://10.1.2.3/*":      "",
		"https://[fe80::1]/*":     "",
	} {
		r := check(t, g, guard.Update{Before: 1000, After: 1001, Changes: additions(lines(entry))})
		var got []string
		for _, f := range r.Findings {
			assert.Equal(t, parse(t, entry).Target(), f.Entry, entry)
			assert.NotEmpty(t, f.Why, entry)
			if f.Severity == guard.SeverityReport {
				got = append(got, "("+string(f.Check)+")")
			} else {
				got = append(got, string(f.Check))
			}
		}
		assert.Equal(t, want, strings.Join(got, " "), entry)
	}
}

// TestDiverts: where the hosts of url entries are led to a proxy, each counts for its host. Urgent orders are held to
// the same.
func TestDiverts(t *testing.T) {
	plain := newGuard(t, guard.Limits{Protected: protected(t, "bank.example"), Popular: popular(t, "store.test")})
	for entry, want := range map[string]guard.Check{
		"https://bank.example/a":                guard.CheckProtect,
		"https://login.bank.example/a":          guard.CheckProtect,
		"https://store.test/file":               guard.CheckPopular,
		"https://www.store.test/file?id=1":      guard.CheckPopular,
		"https://github.io/x":                   "", // one name, as =github.io
		"https://ads.store.test/file":           "",
		"https://192.0.2.1/file":                "",
		"https://bank.example/a status=monitor": "",
	} {
		assert.NoError(t, plain.Hold([]blocklist.Entry{parse(t, entry)}), entry)
		err := plain.Diverting().Hold([]blocklist.Entry{parse(t, entry)})
		if want == "" {
			assert.NoError(t, err, entry)
			continue
		}
		require.ErrorIs(t, err, blocklist.ErrHeld, entry)
		assert.ErrorContains(t, err, string(want), entry)
	}
	for _, entry := range []string{"https://*.com/zzz", "https://*.co.uk/zzz", "https://*.store.test/zzz", "https://*.bank.example/zzz"} {
		assert.ErrorIs(t, plain.Hold([]blocklist.Entry{parse(t, entry)}), blocklist.ErrHeld, entry)
	}
}

// The root can't be written as an entry, but made.
func TestRoot(t *testing.T) {
	root := blocklist.DomainEntry("\x00")
	r := check(t, newGuard(t, guard.Limits{}), guard.Update{After: 1, Changes: func(yield func(blocklist.Change, error) bool) {
		yield(blocklist.Change{Entry: root}, nil)
	}})
	require.Len(t, r.Findings, 1)
	assert.Equal(t, guard.CheckRoot, r.Findings[0].Check)
}

func TestWhy(t *testing.T) {
	g := newGuard(t, guard.Limits{
		Protected: protected(t, "bank.example", "=a.town.example", "=b.town.example"),
		Popular:   []guard.Popular{{Name: name(t, "mail.store.test"), Rank: 40}, {Name: name(t, "drive.store.test"), Rank: 7}, {Name: name(t, "store.test"), Rank: 9}},
	})
	for entry, want := range map[string]string{
		"a.bank.example": "bank.example is protected, with all names below it",
		"town.example":   "it covers a.town.example, which is protected, and 1 other",
		"store.test":     "it covers drive.store.test, popular at rank 7, and 2 others",
		"=store.test":    "it covers store.test, popular at rank 9",
		"www.store.test": "it is the web site of store.test, popular at rank 9",
		"192.168.1.1":    "it covers addresses of 192.168.0.0/16: private use (RFC 1918)",
		"stοre.test":     "stοre.test (xn--stre-1nd.test) looks like store.test; check which of them is meant",
	} {
		r := check(t, g, guard.Update{After: 1, Changes: additions(lines(entry))})
		require.Len(t, r.Findings, 1, entry)
		assert.Equal(t, want, r.Findings[0].Why)
	}
}

func TestSizes(t *testing.T) {
	g := newGuard(t, guard.Limits{})
	strict := newGuard(t, guard.Limits{MaxGrowth: 0.01, MaxShrink: 0.5})
	for _, c := range []struct {
		g                      *guard.Guard
		before, added, removed int
		want                   string
	}{
		{g, 0, 1000, 0, ""}, // the first state
		{g, 0, 0, 0, "(empty)"},
		{g, 1000, 0, 1000, "empty"},
		{g, 1, 0, 1, "empty"},
		{g, 1000, 200, 0, ""},
		{g, 1000, 201, 0, "growth"},
		{g, 1000, 0, 200, ""},
		{g, 1000, 0, 201, "shrink"},
		{g, 1000, 300, 300, "growth shrink"}, // another list of the same size
		{g, 2, 10, 0, ""},
		{g, 2, 11, 0, "growth"},
		{g, 20, 0, 10, ""},
		{g, 20, 0, 11, "shrink"},
		{strict, 1000, 11, 499, "growth"},
		{strict, 1000, 10, 501, "shrink"},
		{strict, 100, 11, 0, "growth"},
		{strict, 10, 10, 0, ""},
	} {
		u := guard.Update{Before: uint64(c.before), After: uint64(c.before + c.added - c.removed), Changes: many(c.added)}
		var got []string
		for _, f := range check(t, c.g, u).Findings {
			assert.Empty(t, f.Entry)
			got = append(got, string(f.Check))
			if f.Severity == guard.SeverityReport {
				got[len(got)-1] = "(" + string(f.Check) + ")"
			}
		}
		assert.Equal(t, c.want, strings.Join(got, " "), "%+v", c)
	}
}

// A changed attribute is neither growth nor a new entry, but to block what was only monitored is.
func TestChanged(t *testing.T) {
	g := newGuard(t, guard.Limits{Popular: popular(t, "store.test")})
	changed := func(before, after string) []guard.Finding {
		return check(t, g, guard.Update{Before: 13, After: 13, Changes: func(yield func(blocklist.Change, error) bool) {
			for i := range 12 { // more than a small list may always see
				other := fmt.Sprintf("n%d.example", i)
				if !yield(blocklist.Change{Removed: true, Entry: parse(t, other)}, nil) ||
					!yield(blocklist.Change{Entry: parse(t, other+" ref=new")}, nil) {
					return
				}
			}
			_ = yield(blocklist.Change{Removed: true, Entry: parse(t, before)}, nil) && yield(blocklist.Change{Entry: parse(t, after)}, nil)
		}}).Findings
	}
	assert.Empty(t, changed("store.test", "store.test ref=new"))
	assert.Empty(t, changed("store.test", "store.test status=monitor"))
	assert.Len(t, changed("store.test status=monitor", "store.test"), 1)
	assert.Len(t, changed("=store.test", "store.test"), 1)
}

func TestParents(t *testing.T) {
	g := newGuard(t, guard.Limits{}).WithDocumentation()
	var others []string
	for i := range 98 { // 100 may lie below an entry
		others = append(others, fmt.Sprintf("n%d.host.example", i), fmt.Sprintf("n%d.two.example", i), fmt.Sprintf("https://site.example/n%d", i))
	}
	others = append(others,
		"a.host.example", "=b.host.example", "https://c.host.example/x", "https://host.example/y",
		"two.example", "a.two.example", "=two.example",
		"https://site.example/a", "https://site.example/b", "https://site.example/c", "https://192.0.2.7/", "192.0.2.7",
	)
	for added, want := range map[string]string{
		"host.example":                "102 other entries lie below it, such as https://c.host.example/x",
		"two.example":                 "", // a hundred are below, and a domain is not below itself
		"=host.example":               "",
		"site.example":                "101 other entries lie below it, such as https://site.example/c",
		"=site.example":               "101 entries are for single URLs on it, such as https://site.example/c",
		"=site.example category=x":    "101 entries are for single URLs on it, such as https://site.example/c",
		"site.example status=monitor": "",
		"https://site.example/*":      "",
		"192.0.2.7":                   "",
	} {
		u := guard.Update{Before: 1000, After: 1001, Changes: additions(lines(added)), Entries: entries(lines(append(others, added)...))}
		r := check(t, g, u)
		if want == "" {
			assert.Empty(t, r.Findings, added)
			continue
		}
		require.Len(t, r.Findings, 1, added)
		_, example, _ := strings.Cut(want, "such as ")
		n, err := strconv.ParseUint(strings.Fields(want)[0], 10, 64)
		require.NoError(t, err)
		assert.Equal(t, guard.Finding{
			Check: guard.CheckParent, Severity: guard.SeverityHold, Entry: parse(t, added).Target(), Why: want, Example: example, Others: n - 1,
		}, r.Findings[0])
	}
	// The entries are not asked for what can't be a parent.
	check(t, g, guard.Update{Before: 1, After: 2, Changes: additions(lines("https://site.example/d")), Entries: failing[blocklist.Entry]})
}

func TestErrors(t *testing.T) {
	g := newGuard(t, guard.Limits{})
	_, err := g.Check(guard.Update{After: 1, Changes: failing[blocklist.Change]})
	assert.ErrorIs(t, err, errBroken)
	_, err = g.Check(guard.Update{After: 1, Changes: additions(lines("bad.example")), Entries: failing[blocklist.Entry]})
	assert.ErrorIs(t, err, errBroken)
	_, err = g.Check(guard.Update{Before: 1, After: 3, Changes: additions(lines("bad.example"))})
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
	for _, l := range []guard.Limits{
		{MaxGrowth: -1},
		{MaxShrink: -0.1},
		{Protected: []blocklist.Entry{parse(t, "https://bad.example/")}},
	} {
		_, err := guard.New(l)
		assert.ErrorIs(t, err, blocklist.ErrMalformed, "%+v", l)
	}
}

// What is nil, or no entry, is refused: it must not pass for harmless.
func TestNothingToCheck(t *testing.T) {
	g := newGuard(t, guard.Limits{})
	_, err := g.Check(guard.Update{Before: 1, After: 1})
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	_, err = g.Check(guard.Update{After: 1, Changes: func(yield func(blocklist.Change, error) bool) { yield(blocklist.Change{}, nil) }})
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	wrong := parse(t, "example.com")
	wrong.Scope = blocklist.ScopeURL
	for _, e := range []blocklist.Entry{{}, wrong} {
		require.ErrorIs(t, g.Hold([]blocklist.Entry{e}), blocklist.ErrMalformed)
	}
	_, err = guard.ReadProtected(nil)
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	_, err = guard.ReadPopular(nil, 0)
	require.ErrorIs(t, err, blocklist.ErrMalformed)
}

// TestFirstState: what long-kept lists commonly hold is reported where there is no state before, and holds later;
// what no list may hold always holds.
func TestFirstState(t *testing.T) {
	g := newGuard(t, guard.Limits{})
	lines := []string{"a.bad.example", "b.bad.example", "bad.example", "co.uk", "github.io"}
	all := slices.Clone(lines)
	for i := range 99 {
		all = append(all, fmt.Sprintf("n%d.bad.example", i))
	}
	u := guard.Update{After: 5, Changes: additions(slices.Values(lines)), Entries: entries(slices.Values(all))}
	severities := func(u guard.Update) string {
		var out []string
		for _, f := range check(t, g, u).Findings {
			out = append(out, string(f.Severity)+" "+string(f.Check)+" "+f.Entry)
		}
		return strings.Join(out, ", ")
	}
	assert.Equal(t, "hold public-suffix co.uk, report private-suffix github.io, report parent bad.example", severities(u))
	u.Before, u.After = 1000, 1005
	assert.Equal(t, "hold public-suffix co.uk, hold private-suffix github.io, hold parent bad.example", severities(u))
}

// The report keeps a few findings of each check and counts all; its digest stands for all that hold, and for nothing
// else.
func TestReport(t *testing.T) {
	g := newGuard(t, guard.Limits{Popular: popular(t, "store.test", "paypal.test")})
	report := func(lines ...string) *guard.Report {
		return check(t, g, guard.Update{Before: 1000, After: 1000 + uint64(len(lines)), Changes: additions(slices.Values(lines))})
	}
	var labels []string
	for i := range 101 { // one more than is shown
		labels = append(labels, fmt.Sprintf("label%03d", i))
	}
	with := func(more ...string) []string { return append(slices.Clip(labels), more...) }
	r := report(with("co.uk", "github.io", "paypa1.test", "store.test")...)
	assert.Equal(t, map[guard.Check]uint64{"public-suffix": 1, "private-suffix": 1, "single-label": 101, "lookalike": 1, "popular": 1}, r.Counts)
	assert.EqualValues(t, 104, r.Held)
	assert.EqualValues(t, 1, r.Reported)
	var shown []string
	for _, f := range r.Findings {
		shown = append(shown, f.Entry)
	}
	assert.Equal(t, append(slices.Clip(labels[:100]), "co.uk", "github.io", "store.test", "paypa1.test"), shown)

	assert.Equal(t, r, report(with("co.uk", "github.io", "paypa1.test", "store.test")...))
	assert.Equal(t, r.Digest, report(append([]string{"a.example"}, with("co.uk", "github.io", "store.test")...)...).Digest)
	assert.NotEqual(t, r.Digest, report(append(slices.Clip(labels[:100]), "co.uk", "github.io", "paypa1.test", "store.test")...).Digest, "the last was not shown, but counted")
	assert.NotEqual(t, r.Digest, report(append(slices.Clip(labels[:100]), "se", "co.uk", "github.io", "store.test")...).Digest)
	assert.Empty(t, report("paypa1.test").Digest)

	b, err := json.Marshal(report("paypa1.test"))
	require.NoError(t, err)
	assert.JSONEq(t, `{"findings": [{"check": "lookalike", "severity": "report", "entry": "paypa1.test",
		"why": "paypa1.test looks like paypal.test; check which of them is meant", "example": "paypal.test"}],
		"held": 0, "reported": 1, "counts": {"lookalike": 1}, "digest": ""}`, string(b))
	b, err = json.Marshal(report("bad.example"))
	require.NoError(t, err)
	assert.JSONEq(t, `{"findings": [], "held": 0, "reported": 0, "counts": {}, "digest": ""}`, string(b))
}

// Two known sites that look the same are no look-alikes of each other.
func TestKnownTwins(t *testing.T) {
	g := newGuard(t, guard.Limits{Popular: popular(t, "2o7.test", "207.test")})
	r := check(t, g, guard.Update{After: 3, Changes: additions(lines("a.207.test", "a.2o7.test", "a.2ο7.test"))})
	require.Len(t, r.Findings, 1)
	assert.Equal(t, "a.xn--27-jbc.test", r.Findings[0].Entry)
}

func Example() {
	popular, _ := guard.ReadPopular(strings.NewReader("1,search.example\n2,drive.store.example\n"), 0)
	g, _ := guard.New(guard.Limits{Popular: popular})
	order, _ := blocklist.ParseEntry("store.example ref=\"order 2026/17\"")
	report, _ := g.Check(guard.Update{Before: 100, After: 101, Changes: func(yield func(blocklist.Change, error) bool) {
		yield(blocklist.Change{Entry: order}, nil)
	}})
	for _, f := range report.Findings {
		fmt.Println(f.Severity, f.Entry+":", f.Why)
	}
	// Output: hold store.example: it covers drive.store.example, popular at rank 2
}

func newGuard(t testing.TB, l guard.Limits) *guard.Guard {
	t.Helper()
	g, err := guard.New(l)
	require.NoError(t, err)
	return g
}

func check(t testing.TB, g *guard.Guard, u guard.Update) *guard.Report {
	t.Helper()
	r, err := g.Check(u)
	require.NoError(t, err)
	return r
}

func parse(t testing.TB, line string) blocklist.Entry {
	t.Helper()
	e, err := blocklist.ParseEntry(line)
	require.NoError(t, err, line)
	return e
}

func name(t testing.TB, text string) blocklist.Name {
	t.Helper()
	n, err := blocklist.ParseName(text)
	require.NoError(t, err)
	return n
}

func protected(t testing.TB, lines ...string) (out []blocklist.Entry) {
	t.Helper()
	for _, line := range lines {
		out = append(out, parse(t, line))
	}
	return out
}

func popular(t testing.TB, names ...string) (out []guard.Popular) {
	for i, text := range names {
		out = append(out, guard.Popular{Name: name(t, text), Rank: i + 1})
	}
	return out
}

func lines(s ...string) iter.Seq[string] { return slices.Values(s) }

// many adds n harmless names.
func many(n int) iter.Seq2[blocklist.Change, error] {
	return additions(func(yield func(string) bool) {
		for i := range n {
			if !yield(fmt.Sprintf("n%d.example", i)) {
				return
			}
		}
	})
}

func entries(lines iter.Seq[string]) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for line := range lines {
			if !yield(blocklist.ParseEntry(line)) {
				return
			}
		}
	}
}

func additions(lines iter.Seq[string]) iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
		for e, err := range entries(lines) {
			if !yield(blocklist.Change{Entry: e}, err) {
				return
			}
		}
	}
}

var errBroken = errors.New("broken")

func failing[T any](yield func(T, error) bool) {
	var zero T
	yield(zero, errBroken)
}
