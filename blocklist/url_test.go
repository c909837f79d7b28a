package blocklist_test

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

func TestParseURL(t *testing.T) {
	for raw, want := range map[string]string{
		// escapes
		"http://h.example/%25%32%35":             "http://h.example/%25",
		"http://h.example/%2525252525252525":     "http://h.example/%25",
		"http://h.example/%%%25%32%35asd%%":      "http://h.example/%25%25%25asd%25%25",
		"http://h.example/%7Ea%2521b%2540c%2523": "http://h.example/~a!b@c%23",
		"http://h.example/a b\x01\x80":           "http://h.example/a%20b%01%80",
		"http://h.example/%e2%82%ac":             "http://h.example/%E2%82%AC",
		"http://h.example/q?x%3Dy%26z%20":        "http://h.example/q?x=y&z%20",
		"http://h.example/a%3Fb":                 "http://h.example/a%3Fb",
		"http://h.example/x/..%3Fy":              "http://h.example/x/..%3Fy",
		// paths
		"http://h.example":                "http://h.example/",
		"http://h.example/a/../b/./c":     "http://h.example/b/c",
		"http://h.example/a/..":           "http://h.example/",
		"http://h.example/../../a/.":      "http://h.example/a/",
		"http://h.example//a///b//?c//d":  "http://h.example/a/b/?c//d",
		"http://h.example/a/%2e%2E/b%2Fc": "http://h.example/b/c",
		`http:\\h.example\a\..\b`:         "http://h.example/b",
		// queries and fragments
		"http://h.example?q":           "http://h.example/?q",
		"http://h.example/?":           "http://h.example/?",
		"http://h.example/a?b?c#d?e#f": "http://h.example/a?b?c",
		"http://h.example/a%23b":       "http://h.example/a%23b",
		// what is left out
		"h.example":                            "http://h.example/",
		"h.example:8080/x":                     "http://h.example/x",
		" \t http://h.example/ \r\n":           "http://h.example/",
		"ht\ntp://h.ex\tample/a\r\nb":          "http://h.example/ab",
		"https://user:p%40ss@x@h.example:443/": "https://h.example/",
		"https:h.example/a":                    "https://h.example/a",
		"HTTP:////h.example/a":                 "http://h.example/a",
		"ftp://h.example/a":                    "ftp://h.example/a",
		"http://h.example:/a":                  "http://h.example/a",
		// hosts
		"http://..WWW..Example.COM../": "http://www.example.com/",
		"http://%77ww.example/":        "http://www.example/",
		"http://h%23.example/":         "http://h%23.example/",
		"http://a%2Fb.example/":        "http://a%2Fb.example/",
		"http://a%3A80/":               "http://a%3A80/",
		"http:// lead.example/":        "http://%20lead.example/",
		"http://\x01\x80.example/":     "http://%01%80.example/",
		"http://bücher.example/ü":      "http://xn--bcher-kva.example/%C3%BC",
		"http://b%C3%BCcher.example/":  "http://xn--bcher-kva.example/",
		"http://ｗｗｗ。example/":          "http://www.example/",
		"http://r3---ü.example/":       "http://xn--r3----ova.example/",
		// addresses in every spelling
		"http://3221225991/":           "http://192.0.2.7/",
		"http://0xC0.0.02.0x7/":        "http://192.0.2.7/",
		"http://192.519/":              "http://192.0.2.7/",
		"http://0300.0.519/":           "http://192.0.2.7/",
		"http://192.0.2.7./":           "http://192.0.2.7/",
		"http://１９２.0.2.7/":            "http://192.0.2.7/",
		"http://192.0.2.7 x/":          "http://192.0.2.7/",
		"http://192.0.2.08/":           "http://192.0.2.08/", // no octal digit: a name
		"http://192.0.2.7.1/":          "http://192.0.2.7.1/",
		"http://192.0.2.00x7/":         "http://192.0.2.00x7/",
		"http://[2001:DB8:0:0::1]:80/": "http://[2001:db8::1]/",
		"http://%5B2001:db8::1]/":      "http://[2001:db8::1]/",
		"http://[64:ff9b::c000:207]/":  "http://192.0.2.7/",
		"http://192.0x.0X2.7/":         "http://192.0.2.7/",
		"http://[::ffff:192.0.2.7]/":   "http://192.0.2.7/",
		"http://..[2001:db8::1]./":     "http://[2001:db8::1]/",
		"http://.[a].b/":               "http://%5Ba%5D.b/",
	} {
		u, err := blocklist.ParseURL(raw)
		require.NoError(t, err, "%q", raw)
		assert.Equal(t, want, u.String(), "%q", raw)
		again, err := blocklist.ParseURL(u.String())
		require.NoError(t, err, "%q", raw)
		assert.Equal(t, u, again, "%q", raw)
	}
}

func TestParseURLRefuses(t *testing.T) {
	for _, raw := range []string{
		"", "  ", "/", "/path", "//h.example/", "http://", "http:///", "ftp:///x", "http://?q", "http://.../", "http://user@/", "http://:80/",
		"http://[::1%25eth0]/", "http://[192.0.2.7]/", "http://[x]/", "http://.[0\x8d]/", "http://%2e[x]./", "http://ｈ％41.example/", "http://a／b.example/",
		"http://" + strings.Repeat("ü", 2000) + "/",
	} {
		_, err := blocklist.ParseURL(raw)
		require.ErrorIs(t, err, blocklist.ErrMalformed, "%q", raw)
	}
	for _, raw := range []string{
		strings.Repeat("x", blocklist.MaxURL+1),
		"http://h.example/" + strings.Repeat("\x80", blocklist.MaxURL/2),
	} {
		_, err := blocklist.ParseURL(raw)
		require.ErrorIs(t, err, blocklist.ErrTooLarge)
	}
}

// The published vectors name real hosts, so they are no part of the repository.
func TestParseURLSafeBrowsingVectors(t *testing.T) {
	f, err := os.Open("../../shared/data/safe-browsing-vectors.tsv")
	if err != nil {
		t.Skip("the published vectors are not here:", err)
	}
	defer f.Close()
	lines, tried := bufio.NewScanner(f), 0
	for lines.Scan() {
		raw, want, ok := strings.Cut(lines.Text(), "\t")
		if !ok || raw == "input" {
			continue
		}
		raw, err := strconv.Unquote(`"` + raw + `"`)
		require.NoError(t, err)
		u, err := blocklist.ParseURL(raw)
		require.NoError(t, err, "%q", raw)
		assert.Equal(t, want, u.String(), "%q", raw)
		tried++
	}
	assert.Equal(t, 33, tried)
}

// Each of these would take seconds if any step were quadratic over and above the limit.
func TestParseURLIsLinear(t *testing.T) {
	const n = blocklist.MaxURL - 20
	start := time.Now()
	for _, raw := range []string{
		"http://h/" + strings.Repeat("%", n),
		"http://h/" + strings.Repeat("%25", n/3),
		"http://h/" + strings.Repeat("%", n/3) + strings.Repeat("25", n/3),
		"http://h/" + strings.Repeat("../", n/3),
		"http://h/" + strings.Repeat("a/", n/2),
		"http://" + strings.Repeat(".", n) + "h",
		"http://" + strings.Repeat("@", n) + "h",
		"http://" + strings.Repeat("1.", n/2),
		"http://" + strings.Repeat("ü", n/2),
		"http://h/?" + strings.Repeat("%3F", n/3),
	} {
		for range 20 {
			if u, err := blocklist.ParseURL(raw); err == nil {
				require.LessOrEqual(t, len(u.String()), blocklist.MaxURL)
			}
		}
	}
	assert.Less(t, time.Since(start), 2*time.Second)
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{
		"http://h.example/%25%32%35?a%3Fb#c", `HTTP:\\user@[::1]:80\a\..\b`, "bücher.example//x/./", "http://0x7f.1/ %", "http://h/a%3F/..%2f*",
		"http://％41/", "http://a%3a80@b%2fc:1:2/", "http://XN--\u00fc.example", "P:\\\\user@.[0\x8d]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := blocklist.ParseURL(raw)
		if err != nil {
			return
		}
		again, err := blocklist.ParseURL(u.String())
		require.NoError(t, err, "%q gave %q", raw, u.String())
		require.Equal(t, u, again, "from %q", raw)
		require.NotEmpty(t, u.Host)
		require.Equal(t, "/", u.Path[:1])
	})
}

func BenchmarkParseURL(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := blocklist.ParseURL("https://www.site.example/path/to/page.php?id=7&x=%20y"); err != nil {
			b.Fatal(err)
		}
	}
}
