package blocklist_test

import (
	"bufio"
	"compress/gzip"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/testdata/longtest"
)

// realLines reads a file of real data, which is no part of the repository.
func realLines(t *testing.T, name string) (lines []string) {
	t.Helper()
	f, err := os.Open("../../shared/data/" + name)
	if err != nil {
		t.Skip("the real data are not here:", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	for scan := bufio.NewScanner(z); scan.Scan(); {
		lines = append(lines, scan.Text())
	}
	return lines
}

// spellings are what browsers make, or take, of one and the same URL, given as host/path?query.
func spellings(url string) []string {
	url, _, _ = strings.Cut(url, "#")
	host, rest, _ := strings.Cut(url, "/")
	host, _, _ = strings.Cut(host, ":") // some entries have a port
	path, query, hasQuery := strings.Cut(rest, "?")
	if hasQuery {
		query = "?" + query
	}
	escaped := ""
	for i := range len(path) {
		if c := path[i]; c == '%' || c == '/' {
			escaped += path[i : i+1]
		} else {
			escaped += "%" + string("0123456789abcdef"[c>>4]) + string("0123456789ABCDEF"[c&15])
		}
	}
	return []string{
		url, "https://" + url, "http://" + url + "#part", "HTTPS://" + strings.ToUpper(host) + "/" + path + query, "http:" + url, "https:///" + url,
		"https://user:word@" + host + ":8443/" + rest, "https://" + host + "./" + rest, `https:\\` + host + `\` + strings.ReplaceAll(path, "/", `\`) + query,
		"https://" + host + "//./x/../%2e/y/%2E%2e/" + rest, "https://" + host + "/../" + rest, "https://" + host + "/" + escaped + query,
		" https://" + host + "/\t" + path + "\r\n" + query + "\n", "https://" + host[:1] + "\n" + host[1:] + "/" + rest,
	}
}

// realEntries reads the real URL entries. Those with a fragment are refused, which is checked, and left out.
func realEntries(t *testing.T) (entries []blocklist.Entry, lines []string) {
	t.Helper()
	refused := 0
	for _, line := range realLines(t, "url-blocklist-real.txt.gz") {
		if _, fragment, _ := strings.Cut(line, "#"); fragment != "" {
			_, err := blocklist.ParseEntry("https://" + line)
			require.ErrorContains(t, err, "never leaves the browser", line)
			refused++
			continue
		}
		entries, lines = append(entries, entry(t, "https://"+line)), append(lines, line)
	}
	assert.Equal(t, 426, refused)
	assert.Len(t, entries, 114_290-426)
	return entries, lines
}

// TestRealURLsAreFound looks every real URL entry up, in every spelling.
func TestRealURLsAreFound(t *testing.T) {
	longtest.Only(t, "it reads real lists")
	entries, lines := realEntries(t)
	s := openStore(t, t.TempDir())
	require.NoError(t, s.SetLocal("local", "", values(entries)))
	for i, line := range lines {
		for _, raw := range spellings(line) {
			m, ok := s.LookupURL(raw)
			if !ok || m.Entry() != entries[i].Target() {
				require.Fail(t, "not found as itself", "%q: %v %q", raw, ok, m.Entry())
			}
		}
		if !strings.ContainsAny(line, "?#") {
			if m, ok := s.LookupURL(line + "x"); ok && m.Entry() == entries[i].Target() {
				require.Fail(t, "widened", "%qx", line)
			}
		}
	}
	t.Logf("%d entries found in %d spellings each", len(lines), len(spellings("a/")))
}

// TestRealURLsAreExplained looks real page loads up in all the real lists. What matches must be covered by the entry
// it says, what does not by none: both are told from the texts alone.
func TestRealURLsAreExplained(t *testing.T) {
	longtest.Only(t, "it reads real lists")
	listed := map[string]bool{}
	entries, _ := realEntries(t)
	for _, line := range realLines(t, "blocklist-real-1m.txt.gz") {
		entries = append(entries, entry(t, line))
	}
	for _, e := range entries {
		listed[e.Target()] = true
	}
	s := openStore(t, t.TempDir())
	require.NoError(t, s.SetLocal("local", "", values(entries)))
	count := map[blocklist.Scope]int{}
	urls := realLines(t, "urls-benign-and-ads-30k.txt.gz")
	for _, raw := range urls {
		if len(raw) > blocklist.MaxURL/2 {
			raw, _, _ = strings.Cut(raw, "?") // no entry has a query as long as that
		}
		u, err := blocklist.ParseURL(raw)
		require.NoError(t, err)
		m, ok := s.LookupURL(raw)
		explained := coverings(u, listed)
		if count[m.Scope]++; ok {
			assert.Contains(t, explained, m.Entry(), raw)
		} else {
			assert.Empty(t, explained, raw)
		}
	}
	t.Logf("of %d URLs: %v match", len(urls), count)
	assert.Zero(t, count[blocklist.ScopeURL], "none of these pages is listed as a URL")
}

// coverings returns the targets that cover a URL among those listed: domains, and URLs without stars.
func coverings(u blocklist.URL, listed map[string]bool) (targets []string) {
	candidates := []string{"https://" + u.Host + u.Path, "https://" + u.Host + u.Path + "?" + u.Query}
	if _, err := netip.ParseAddr(u.Host); err == nil {
		candidates = append(candidates, u.Host)
	} else {
		for name, more := u.Host, true; more; _, name, more = strings.Cut(name, ".") {
			candidates = append(candidates, name)
		}
	}
	for _, c := range candidates {
		if listed[c] {
			targets = append(targets, c)
		}
	}
	return targets
}
