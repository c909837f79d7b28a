package blocklist_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/testdata/longtest"
)

func TestLookupURL(t *testing.T) {
	s := openStore(t, t.TempDir())
	blocktest.SetList(t, s, "local",
		"domain.example", "=host.example", "192.0.2.0/28", "192.0.2.3", "2001:db8::/32",
		"https://site.example/a", "https://site.example/tree/*", "https://site.example/tree/of/*", "https://site.example/p.php?id=7",
		"https://site.example/q?b=2&a=1#any-order", "https://*.below.example/user", "https://*.below.example/user/*", "https://x.below.example/user",
		"https://all.example/*", "https://www.domain.example/page", "https://192.0.2.130/x", "https://[2001:db9::1]/x", "https://old.example/ expires=2020-01-01",
	)
	for raw, want := range map[string]string{
		// names and addresses
		"http://domain.example/":                  "domain.example",
		"http://a.b.domain.example:8080/x?y":      "domain.example",
		"http://host.example/x":                   "=host.example",
		"http://www.host.example/":                "",
		"http://notdomain.example/":               "",
		"http://192.0.2.1/x":                      "192.0.2.0/28",
		"http://192.0.2.3/":                       "192.0.2.3",
		"http://0xc0.0.0x203/":                    "192.0.2.3",
		"http://192.0.2.16/":                      "",
		"http://[2001:db8:7::7]/":                 "2001:db8::/32",
		"http://[::ffff:c000:203]/":               "192.0.2.3",
		"http://[64:ff9b::c000:203]/":             "192.0.2.3",
		"http://192.0.2.130/x?y":                  "https://192.0.2.130/x",
		"http://[2001:DB9:0::1]:80/x":             "https://[2001:db9::1]/x",
		"http://[2001:db9::1]/":                   "",
		"http://" + strings.Repeat("a", 64) + "/": "",
		// exact paths
		"https://site.example/a":        "https://site.example/a",
		"http://u:p@SITE.example.:80/a": "https://site.example/a",
		"https://site.example/a?any":    "https://site.example/a",
		"https://site.example/a#part":   "https://site.example/a",
		"https://site.example/a/":       "",
		"https://site.example/A":        "",
		"https://site.example/ab":       "",
		"https://www.site.example/a":    "",
		"https://example/a":             "",
		// everything below
		"https://site.example/tree":         "https://site.example/tree/*",
		"https://site.example/tree?q":       "https://site.example/tree/*",
		"https://site.example/tree/":        "https://site.example/tree/*",
		"https://site.example/tree/x/y?q":   "https://site.example/tree/*",
		"https://site.example/tree/of/x":    "https://site.example/tree/of/*",
		"https://site.example/tree/of":      "https://site.example/tree/of/*",
		"https://site.example/trees":        "",
		"https://site.example/x/tree/":      "",
		"https://site.example/tree/../b":    "",
		"https://site.example/b/../tree/*":  "https://site.example/tree/*",
		"https://all.example":               "https://all.example/*",
		"https://all.example?q":             "https://all.example/*",
		"https://all.example/a/b/c/d/e/f/g": "https://all.example/*",
		// queries
		"https://site.example/p.php?id=7":     "https://site.example/p.php?id=7",
		"https://site.example/p.php?i%64=%37": "https://site.example/p.php?id=7",
		"https://site.example/p.php?id=7&":    "",
		"https://site.example/p.php?id=70":    "",
		"https://site.example/p.php":          "",
		"https://site.example/p.php?":         "",
		"https://site.example/q?a=1&b=2":      "https://site.example/q?a=1&b=2#any-order",
		"https://site.example/q?b=2&a=1":      "https://site.example/q?a=1&b=2#any-order",
		"https://site.example/q?b=2&a=1&a=1":  "",
		"https://site.example/q?b=2":          "",
		"https://site.example/q?":             "",
		// hosts below
		"https://below.example/user":       "https://*.below.example/user",
		"https://a.b.below.example/user?q": "https://*.below.example/user",
		"https://x.below.example/user":     "https://x.below.example/user",
		"https://y.x.below.example/user/z": "https://*.below.example/user/*",
		"https://below.example/":           "",
		"https://notbelow.example/user":    "",
		// the most specific one
		"https://www.domain.example/page":  "https://www.domain.example/page",
		"https://www.domain.example/other": "domain.example",
		// nothing to look up, or nothing any more
		"": "", "https://": "", "https:///a": "", "https://old.example/": "", "mailto:": "",
	} {
		m, ok := s.LookupURL(raw)
		assert.Equal(t, want != "", ok, "%q", raw)
		if ok {
			assert.Equal(t, want, m.Entry(), "%q", raw)
			assert.Equal(t, "local", m.List, "%q", raw)
		}
	}
}

func TestLookupURLBlockingGoesFirst(t *testing.T) {
	s := openStore(t, t.TempDir())
	blocktest.SetList(t, s, "local", "site.example category=all", "https://site.example/a category=page status=monitor", "https://t.example/* status=monitor",
		"https://t.example/a status=monitor ref=r")
	m, ok := s.LookupURL("https://site.example/a")
	require.True(t, ok)
	assert.Equal(t, "site.example all false", fmt.Sprint(m.Entry(), " ", m.Category, " ", m.Monitor))
	m, ok = s.LookupURL("https://t.example/a")
	require.True(t, ok)
	assert.Equal(t, "https://t.example/a r true", fmt.Sprint(m.Entry(), " ", m.Reference, " ", m.Monitor))
	require.NoError(t, apply(s, snapshot(t, 1, "https://*.t.example/*")))
	m, ok = s.LookupURL("https://t.example/a")
	require.True(t, ok)
	assert.Equal(t, csam+" https://*.t.example/*", m.List+" "+m.Entry(), "the first list that blocks")
}

// TestLookupAfterMerge looks up what a set got by a merge, with entries of features that it did not hold before.
func TestLookupAfterMerge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	require.NoError(t, apply(s, snapshot(t, 1, "a.example")))
	lines := []string{"192.0.2.0/24", "2001:db8::/33", "a.example"}
	delta := []string{"+192.0.2.0/24", "+2001:db8::/33"}
	for i := range 12_000 {
		line := fmt.Sprintf("https://h%05d.example/p/*", i)
		lines, delta = append(lines, line), append(delta, "+"+line)
	}
	check := func() {
		t.Helper()
		for i := range 12_000 {
			_, ok := s.LookupURL(fmt.Sprintf("http://h%05d.example/p/q", i))
			require.True(t, ok, i)
			_, ok = s.LookupURL(fmt.Sprintf("http://h%05d.example/q", i))
			require.False(t, ok, i)
		}
		for addr, want := range map[string]bool{"192.0.2.9": true, "192.0.3.9": false, "2001:db8::9": true, "2001:db8:8000::": false} {
			_, ok := s.LookupAddr(netip.MustParseAddr(addr))
			require.Equal(t, want, ok, addr)
		}
	}
	require.NoError(t, apply(s, release(t, header(2, 1, lines...), delta...)))
	check()
	merged, err := merge(s)
	require.NoError(t, err)
	require.True(t, merged)
	check()
	require.NoError(t, s.Close())
	s = openStore(t, dir)
	check()
}

// What is too long to be listed may still lie below something that is.
func TestLookupURLOfAnyLength(t *testing.T) {
	s := openStore(t, t.TempDir())
	blocktest.SetList(t, s, "local", "https://site.example/a", "https://site.example/tree/*", "domain.example")
	long := strings.Repeat("x", 3*blocklist.MaxURL)
	for _, listed := range []string{
		"https://domain.example/" + long, "https://site.example/a?" + long, "https://site.example/a#" + long, "https://site.example/tree/" + long,
		"https://site.example/" + long + "/../a", "https://" + long + "@site.example/a", "https://site.example/" + strings.Repeat("\x80/../", 5000) + "a",
	} {
		_, ok := s.LookupURL(listed)
		assert.True(t, ok, "%.40q", listed)
	}
	_, ok := s.LookupURL("https://site.example/a" + long)
	assert.False(t, ok)
	_, ok = s.LookupURL("https://site.example/tree/" + strings.Repeat("a/", 20_000) + strings.Repeat("../", 20_001))
	assert.False(t, ok)
}

// TestLookupURLIsLinear would take minutes if each segment, label or part of a query cost more than a pass.
func TestLookupURLIsLinear(t *testing.T) {
	s := openStore(t, t.TempDir())
	blocktest.SetList(t, s, "local", "https://site.example/a", "https://*.example/b", "https://site.example/q?a&b#any-order")
	for _, raw := range []string{
		"https://site.example/" + strings.Repeat("a/", 1<<18), "https://site.example/" + strings.Repeat("a/../", 1<<17),
		"https://" + strings.Repeat("a.", 120) + "site.example/" + strings.Repeat("b/", 1<<17), "https://site.example/q?" + strings.Repeat("a&b&", 1<<17),
		"https://site.example/" + strings.Repeat("%25", 1<<17), "https://" + strings.Repeat("a.", 1<<18), "https://" + strings.Repeat("%", 1<<18) + "/",
	} {
		_, ok := s.LookupURL(raw)
		assert.False(t, ok)
	}
}

func TestLookupURLAllocatesNothing(t *testing.T) {
	s := openStore(t, t.TempDir())
	blocktest.SetList(t, s, "local", "https://site.example/a", "https://*.example/b/*", "192.0.2.0/24", "2001:db8::/32", "domain.example")
	for _, raw := range []string{
		"https://www.shop.example.org/path/to/page.html?a=1&b=2", "HTTPS://Site.Example:443/a%20b/../c?x=%7Ey%20", "https://site.example/c/d/e/f?g#h",
		"http://198.51.100.1/x", "https://site.example/" + strings.Repeat("é", 100),
	} {
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			if _, ok := s.LookupURL(raw); ok {
				t.Fatal("listed")
			}
		}), raw)
	}
	long := "https://site.example/" + strings.Repeat("é", 2000) + "?" + strings.Repeat("%20", 500)
	assert.Equal(t, 1, int(testing.AllocsPerRun(100, func() { s.LookupURL(long) })))
}

func TestAppendURLMatches(t *testing.T) {
	s := openStore(t, t.TempDir())
	blocktest.SetList(t, s, "a", "https://site.example/a", "site.example status=monitor", "192.0.2.0/24")
	blocktest.SetList(t, s, "b", "https://other.example/a")
	blocktest.SetList(t, s, "c", "=site.example status=monitor", "https://*.example/a/*")
	matches := func(url string) (found []string) {
		for _, m := range s.AppendURLMatches([]blocklist.Match{{List: "before"}}, url)[1:] {
			found = append(found, m.List+" "+m.Entry())
		}
		return found
	}
	assert.Equal(t, []string{"a https://site.example/a", "c https://*.example/a/*"}, matches("http://SITE.example/a#part"))
	assert.Equal(t, []string{"a site.example", "c =site.example"}, matches("site.example/b"))
	assert.Equal(t, []string{"a 192.0.2.0/24"}, matches("http://3221225991/"))
	assert.Equal(t, []string{"b https://other.example/a", "c https://*.example/a/*"}, matches("https://other.example/a"))
	assert.Empty(t, matches("https://site.test/a"))
	assert.Empty(t, matches("https:///"))
	assert.Zero(t, testing.AllocsPerRun(100, func() { s.AppendURLMatches(nil, "https://site.test/a") }))
	require.NoError(t, s.Close())
	assert.Empty(t, matches("https://site.example/a"), "closed")
}

// covers is the slow reference: what an entry means, from its text.
func covers(e blocklist.Entry, u blocklist.URL) bool {
	addr, err := netip.ParseAddr(strings.Trim(u.Host, "[]"))
	isName := err != nil
	if name, ok := e.Name(); ok {
		host, err := blocklist.ParseName(presentation(u.Host))
		return isName && err == nil && (host == name || e.Scope == blocklist.ScopeDomain && host.Within(name))
	}
	if p, ok := e.Prefix(); ok {
		return !isName && p.Contains(addr)
	}
	target := strings.TrimPrefix(e.Target(), "https://")
	host, rest, _ := strings.Cut(target, "/")
	rest = "/" + rest
	if below, ok := strings.CutPrefix(host, "*."); ok {
		if u.Host != below && !strings.HasSuffix(u.Host, "."+below) {
			return false
		}
	} else if u.Host != host {
		return false
	}
	if path, query, ok := strings.Cut(rest, "?"); ok {
		got := u.Query
		if parts, ok := strings.CutSuffix(query, "#any-order"); ok {
			sorted := strings.Split(got, "&")
			slices.Sort(sorted)
			query, got = parts, strings.Join(sorted, "&")
		}
		return u.HasQuery && u.Path == path && got == query
	}
	if path, ok := strings.CutSuffix(rest, "/*"); ok {
		return u.Path == path || strings.HasPrefix(u.Path, path+"/")
	}
	return u.Path == rest
}

// presentation writes the percent-escapes of a host as those of a name: each stands for one octet.
func presentation(host string) string {
	return regexp.MustCompile("%[0-9A-F]{2}").ReplaceAllStringFunc(host, func(escaped string) string {
		octet, _ := strconv.ParseUint(escaped[1:], 16, 8)
		return fmt.Sprintf(`\%03d`, octet)
	})
}

// checkURL compares a lookup with the reference: something is found if and only if something covers it, and what is
// found is a listed entry that does.
func checkURL(t *testing.T, s *blocklist.Store, entries map[string]blocklist.Entry, raw string) {
	t.Helper()
	u, err := blocklist.ParseURL(raw)
	want := false
	for _, e := range entries {
		want = want || err == nil && covers(e, u)
	}
	m, got := s.LookupURL(raw)
	require.Equal(t, want, got, "%q, listed: %v", raw, entries)
	if got {
		e, ok := entries[m.Entry()]
		require.True(t, ok && covers(e, u), "%q is covered by %q", raw, m.Entry())
	}
}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

func randomPath(r *rand.Rand) string {
	path := ""
	for range r.IntN(4) {
		path += "/" + pick(r, "a", "b", "*")
	}
	return path
}

func randomQuery(r *rand.Rand) string {
	return pick(r, "", "", "?", "?a", "?a&b", "?b&a", "?b&a&a", "?a&b/*")
}

func randomURL(r *rand.Rand) string {
	return "http://" + pick(r, "", "", "a.", "b.a.") + pick(r, "x.test", "y.test", "test", "192.0.2.1", "[2001:db8::1]") + randomPath(r) + pick(r, "", "/") + randomQuery(r)
}

func randomTarget(r *rand.Rand) string {
	host := pick(r, "", "", "a.") + pick(r, "x.test", "y.test")
	switch r.IntN(10) {
	case 0:
		return pick(r, "", "=") + host
	case 1:
		return pick(r, "192.0.2.1", "192.0.2.0/31", "192.0.0.0/9", "2001:db8::/65", "2001:db8::1")
	}
	host = pick(r, "", "", "*.") + host
	if r.IntN(8) == 0 {
		host = pick(r, "192.0.2.1", "[2001:db8::1]")
	}
	path := strings.ReplaceAll(randomPath(r), "/*", "/c")
	return "https://" + host + pick(r, path+"/*", path, path+"/", path+randomQuery(r), path+"?a&b#any-order")
}

// TestLookupURLModel makes random snapshots and deltas, and looks up random URLs after each.
func TestLookupURLModel(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range longtest.Rounds(3, 10) {
		s := openStore(t, t.TempDir())
		listed := map[string]blocklist.Entry{}
		for serial := uint64(1); serial <= 12; serial++ {
			var delta []string
			for range 1 + r.IntN(6) {
				e := entry(t, randomTarget(r))
				target := e.Target()
				if slices.ContainsFunc(delta, func(line string) bool { return line[1:] == target }) {
					continue
				}
				if _, ok := listed[target]; ok {
					delete(listed, target)
					delta = append(delta, "-"+target)
				} else {
					listed[target] = e
					delta = append(delta, "+"+target)
				}
			}
			lines := model{}
			for target := range listed {
				lines[target] = true
			}
			slices.SortFunc(delta, func(a, b string) int { return strings.Compare(a[1:], b[1:]) })
			if serial == 1 || r.IntN(4) == 0 {
				require.NoError(t, apply(s, snapshot(t, serial, lines.lines()...)))
			} else {
				require.NoError(t, apply(s, release(t, header(serial, serial-1, lines.lines()...), delta...)))
			}
			for range 150 {
				checkURL(t, s, listed, randomURL(r))
			}
		}
	}
}

func FuzzLookupURL(f *testing.F) {
	s := openStore(f, f.TempDir())
	listed := map[string]blocklist.Entry{}
	var all []blocklist.Entry
	for _, line := range []string{
		"domain.test", "=host.test", "192.0.2.0/24", "2001:db8::/32", "https://*.b.test/u/*", "https://s.test/a", "https://s.test/t/*", "https://s.test/?q",
		"https://s.test/q?a&b#any-order", "https://*.test/x%20y", "https://198.51.100.1/*", "https://[2001:db9::1]/a?b",
	} {
		e := entry(f, line)
		listed[e.Target()] = e
		all = append(all, e)
	}
	require.NoError(f, s.SetLocal("local", "", values(all)))
	for _, raw := range []string{
		`HTTP:\\u@a.b.test:1\u\%2e./u/x`, "s.test/a?x#y", "s.test/t//..", "s.test/q?b%26a", "s.test?q", "x.test/x\ty/../x%2520y", "http://3221225985/",
		"http://0xc6.51.0x6401/x", "[2001:0db9::1]/a?b", "a.domain.test", "http://host%2etest./", "http://ＨＯＳＴ。test",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if len(raw) < blocklist.MaxURL/3 {
			checkURL(t, s, listed, raw)
		}
	})
}

func BenchmarkLookupURL(b *testing.B) {
	s := openStore(b, b.TempDir())
	var entries []blocklist.Entry
	for i := range 100_000 {
		entries = append(entries, entry(b, fmt.Sprintf("https://site-%d.example/path/%d", i/3, i)))
	}
	require.NoError(b, s.SetLocal("local", "", values(entries)))
	for _, c := range []struct{ what, format string }{
		{"miss", "https://www.shop-%d.example.org/path/to/page.php?id=7&session=0123456789abcdef"},
		{"missOnListedHost", "https://site-%d.example/path/to/page.php?id=7&session=0123456789abcdef"},
		{"hit", "https://site-%[1]d.example/path/%[2]d"},
	} {
		urls := make([]string, 1<<12)
		for i := range urls {
			urls[i] = fmt.Sprintf(c.format, i*7, i*21)
		}
		b.Run(c.what, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, ok := s.LookupURL(urls[i&(1<<12-1)]); ok != (c.what == "hit") {
					b.Fatal(urls[i&(1<<12-1)])
				}
			}
		})
	}
}
