package blocklist_test

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

func TestParseEntry(t *testing.T) {
	for _, test := range []struct {
		line, canonical string
		scope           blocklist.Scope
	}{
		{"example.com", "example.com", blocklist.ScopeDomain},
		{"  Example.COM.  # why not", "example.com", blocklist.ScopeDomain},
		{"=WWW.example.com", "=www.example.com", blocklist.ScopeHost},
		{"bücher.example", "xn--bcher-kva.example", blocklist.ScopeDomain},
		{`a\"b.example ref=x`, `a\"b.example ref=x`, blocklist.ScopeDomain},
		{`\#.example`, `\#.example`, blocklist.ScopeDomain},
		{`a\032b\.c.example`, `a\032b\.c.example`, blocklist.ScopeDomain},
		{`\*.example`, `\*.example`, blocklist.ScopeDomain},
		{`=\0492.0.2.1`, `=\0492.0.2.1`, blocklist.ScopeHost},
		{"_dmarc.example", "_dmarc.example", blocklist.ScopeDomain},
		{"192.0.2.7", "192.0.2.7", blocklist.ScopeIP},
		{"192.0.2.7/32", "192.0.2.7", blocklist.ScopeIP},
		{"192.0.2.0/24", "192.0.2.0/24", blocklist.ScopeIP},
		{"2001:DB8:0::1", "2001:db8::1", blocklist.ScopeIP},
		{"2001:db8::/32", "2001:db8::/32", blocklist.ScopeIP},
		{"::ffff:192.0.2.7", "192.0.2.7", blocklist.ScopeIP},
		{"::ffff:192.0.2.0/120", "192.0.2.0/24", blocklist.ScopeIP},
		{"http://Site.example:8080", "https://site.example/", blocklist.ScopeURL},
		{"https://site.example/a/./b#", "https://site.example/a/b", blocklist.ScopeURL},
		{"https://site.example/a/*", "https://site.example/a/*", blocklist.ScopeURL},
		{"https://site.example/*", "https://site.example/*", blocklist.ScopeURL},
		{"https://site.example/p.php?id=7", "https://site.example/p.php?id=7", blocklist.ScopeURL},
		{"https://site.example/p?x/*", "https://site.example/p?x/*", blocklist.ScopeURL},
		{"https://site.example/p?c&a=1&b=2&a=1#any-order", "https://site.example/p?a=1&a=1&b=2&c#any-order", blocklist.ScopeURL},
		{"https://site.example/p?x#any-order", "https://site.example/p?x", blocklist.ScopeURL},
		{"https://*.site.example/user", "https://*.site.example/user", blocklist.ScopeURL},
		{`https://site.example/a="b ref=7`, `https://site.example/a="b ref=7`, blocklist.ScopeURL},
		{"https://site.example/what%3F", "https://site.example/what%3F", blocklist.ScopeURL},
		{"https://[2001:db8:0::1]/x", "https://[2001:db8::1]/x", blocklist.ScopeURL},
		{"https://0xc0000207/x", "https://192.0.2.7/x", blocklist.ScopeURL},
		{
			`example.com added=2026-01-02T00:00:00Z status=monitor review=2026-12-01T10:00:00+01:00 expires=2027-05-01 ref="order 2026/17" category="csam"`,
			`example.com category=csam ref="order 2026/17" expires=2027-05-01 review=2026-12-01T09:00:00Z status=monitor added=2026-01-02`,
			blocklist.ScopeDomain,
		},
		{`example.com ref="a \"b\" \\ c" status=block`, `example.com ref="a \"b\" \\ c"`, blocklist.ScopeDomain},
		{`example.com ref=a#b # c`, `example.com ref="a#b"`, blocklist.ScopeDomain},
	} {
		e, err := blocklist.ParseEntry(test.line)
		require.NoError(t, err, "%s", test.line)
		assert.Equal(t, test.canonical, e.String())
		assert.Equal(t, test.scope, e.Scope, "%s", test.line)
		again, err := blocklist.ParseEntry(e.String())
		require.NoError(t, err)
		assert.Equal(t, e, again, "%s", test.line)
	}
}

func TestParseEntryAttributes(t *testing.T) {
	e, err := blocklist.ParseEntry(`example.com category=csam ref="order 2026/17" expires=2027-05-01 review=2026-12-01T09:30:00.9Z status=monitor source=de.example/wol@41 added=1970-01-01`)
	require.NoError(t, err)
	assert.Equal(t, blocklist.Attributes{
		Category:  "csam",
		Reference: "order 2026/17",
		Expires:   time.Date(2027, 5, 1, 0, 0, 0, 0, time.UTC),
		Review:    time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC),
		Added:     time.Unix(0, 0).UTC(),
		Source:    "de.example/wol@41",
		Monitor:   true,
	}, e.Attributes)
}

func TestParseEntryRefuses(t *testing.T) {
	for line, why := range map[string]string{
		"":                                     "no name",
		" # only a comment":                    "no name",
		".":                                    "root",
		"=":                                    "empty",
		"=.":                                   "root",
		"a..example":                           "empty label",
		".example":                             "empty label",
		"*.example.com":                        "without a star",
		"example.com/path":                     "https://",
		"exa mple.com":                         "key=value",
		"exam$ple.com":                         `'$'`,
		"example.com#x":                        `'#'`,
		`a\300.example`:                        "backslash",
		`a\.ü.example`:                         "Unicode",
		"a／b.example":                          "Unicode",
		"192.0.2":                              "neither an address",
		"192.0.2.256":                          "neither an address",
		"１.２.３.４":                              "neither an address",
		"3221225985":                           "neither an address",
		"192.0.2.7/24":                         "write 192.0.2.0/24",
		"203.0.113.0/4":                        "/4 means all of 192.0.0.0/4; the network that begins at this address is 203.0.113.0/24",
		"2001:db8::/8":                         "/8 means all of 2000::/8; the network that begins at this address is 2001:db8::/32",
		"info@example.com":                     "e-mail address; to block all of its domain, list example.com",
		"mailto:info@example.com":              "e-mail address",
		"bad7[.]example[.]com":                 "do you mean bad7.example.com?",
		"hxxps://bad7.example/x":               "do you mean https://bad7.example/x?",
		"hxxp[://]bad7(.)example":              "do you mean http://bad7.example?",
		"www.example.com:8080":                 "a name has no port; do you mean www.example.com?",
		"192.0.2.7:53":                         "a name has no port; do you mean 192.0.2.7?",
		"[2001:db8::1]":                        "brackets; do you mean 2001:db8::1?",
		"exampl,e.com":                         "comma",
		"example .com":                         `there is a space before ".com"`,
		".bad.example.com":                     "empty label: a name has no dot in front; bad.example.com covers",
		"fe80::1%eth0":                         `':'`,
		strings.Repeat("a", 64) + ".example":   "63 octets",
		strings.Repeat("a.", 128) + "example":  "255 octets",
		strings.Repeat("ü", 30000):             "255 octets",
		strings.Repeat("a", 65537):             "64 KiB",
		"ftp://site.example/":                  "begins with https://",
		"https://":                             "no host",
		"https:///":                            "no host",
		"https://user@:80/":                    "no host",
		"https://*.192.0.2.7/":                 "no subdomains",
		"https://a*b.example/":                 "not a name",
		"https://%2a.example/":                 "not a name",
		"https://app.example/#/profile/7":      "never leaves the browser",
		"https://app.example#!profile":         "never leaves the browser",
		"https://site.example/a#/*":            "never leaves the browser",
		"https://site.example/a?b#c#any-order": "never leaves the browser",
		"https://site.example/p#any-order":     "needs a query",
		"https://site.example/p/*#any-order":   "needs a query",
		"https://site.example/%2A":             "escaped star",
		"https://site.example/a%2F*":           "escaped star",
		"https://site.example/\x01/*":          "control characters",
		"https://s.example/" + strings.Repeat("\x80", 3000): "too large",
		"example.com colour=red":                            "unknown attribute",
		"example.com category=":                             "empty",
		"example.com category=a category=a":                 "twice",
		"example.com ref=a ref=b":                           "twice",
		"example.com status=block status=block":             "twice",
		"example.com status=allow":                          "block or monitor",
		"example.com expires=soon":                          "needs a day",
		"example.com expires=0001-01-01":                    "needs a day",
		"example.com expires=9999-12-31T23:59:59-01:00":     "needs a day",
		"example.com added=2026-13-01":                      "needs a day",
		`example.com ref="open`:                             "badly quoted",
		`example.com ref=a"b"`:                              "badly quoted",
		`example.com ref="a\n"`:                             "badly quoted",
		"example.com ref=\"a\x1b[2J\"":                      "control characters",
		"example.com ref=a\xff":                             "control characters",
		"example.com ref=a\u202eb":                          "control characters",
		"a.example ref=" + strings.Repeat("#", 65521):       "64 KiB",
	} {
		_, err := blocklist.ParseEntry(line)
		var entryErr *blocklist.EntryError
		require.ErrorAs(t, err, &entryErr, "%.90s", line)
		require.ErrorIs(t, err, blocklist.ErrMalformed)
		assert.Contains(t, entryErr.Why, why, "%.90s", line)
		assert.Less(t, len(err.Error()), 700)
	}
}

func TestEntryMeant(t *testing.T) {
	for line, meant := range map[string]string{
		"hxxps://bad7.example/x category=a": "https://bad7.example/x",
		"htps:/bad7.example":                "https://bad7.example",
		".bad7.example":                     "bad7.example",
		"htps:/bad7..example":               "",
		"hxxps://*.bad7.example/":           "https://*.bad7.example/",
		"info@example.com":                  "",
		"bad7.example colour=red":           "",
		"exa$mple.com":                      "",
	} {
		_, err := blocklist.ParseEntry(line)
		var entryErr *blocklist.EntryError
		require.ErrorAs(t, err, &entryErr, line)
		assert.Equal(t, meant, entryErr.Meant, line)
	}
}

func TestEntryConstructors(t *testing.T) {
	name, err := blocklist.ParseName("www.example.com")
	require.NoError(t, err)
	digits, err := blocklist.ParseName("192.0.2.7")
	require.NoError(t, err)
	for want, e := range map[string]blocklist.Entry{
		"www.example.com":  blocklist.DomainEntry(name),
		"=www.example.com": blocklist.HostEntry(name),
		`\04992.0.2.7`:     blocklist.DomainEntry(digits),
		"192.0.2.0/24":     blocklist.IPEntry(netip.MustParsePrefix("192.0.2.7/24")),
		"192.0.2.7":        blocklist.IPEntry(netip.MustParsePrefix("::ffff:192.0.2.7/128")),
		"0.0.0.0/0":        blocklist.IPEntry(netip.MustParsePrefix("::ffff:0.0.0.0/96")),
		"::/90":            blocklist.IPEntry(netip.MustParsePrefix("::/90")),
	} {
		assert.Equal(t, want, e.Target())
		again, err := blocklist.ParseEntry(e.Target())
		require.NoError(t, err)
		assert.Equal(t, e, again)
	}
}

func TestEntryParts(t *testing.T) {
	for line, want := range map[string]string{"a.example": "\x01a\x07example\x00", "192.0.2.0/24": "192.0.2.0/24", "https://h.example/p/*": "h.example/p/*"} {
		e, err := blocklist.ParseEntry(line)
		require.NoError(t, err)
		assert.Equal(t, want, e.Key())
		name, isName := e.Name()
		assert.Equal(t, e.Scope == blocklist.ScopeDomain, isName)
		assert.Equal(t, isName, name != "")
		prefix, isIP := e.Prefix()
		assert.Equal(t, e.Scope == blocklist.ScopeIP, isIP)
		assert.Equal(t, isIP, prefix.IsValid())
	}
	assert.Equal(t, "domain host url ip invalid", strings.Join([]string{
		blocklist.ScopeDomain.String(), blocklist.ScopeHost.String(), blocklist.ScopeURL.String(),
		blocklist.ScopeIP.String(), blocklist.Scope(9).String(),
	}, " "))
}

// No matter who fills the attributes in, from a spreadsheet say, an entry stays one line that reads back.
func TestEntryIsOneLine(t *testing.T) {
	e, err := blocklist.ParseEntry("example.com")
	require.NoError(t, err)
	e.Reference = "first\nsecond\x00\xff\u202e"
	assert.Equal(t, "example.com ref=\"first second \uFFFD \"", e.String())
	again, err := blocklist.ParseEntry(e.String())
	require.NoError(t, err)
	assert.Equal(t, e.String(), again.String())
}

func TestParseTime(t *testing.T) {
	got, err := blocklist.ParseTime("2026-11-22T12:00:00+02:00")
	require.NoError(t, err)
	assert.Equal(t, time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), got)
	_, err = blocklist.ParseTime("22.11.2026")
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	assert.ErrorContains(t, err, "2027-05-01")
}

func FuzzParseEntry(f *testing.F) {
	for _, s := range []string{
		"example.com", "=www.example.com ref=x", "https://*.site.example/a/*", "https://site.example/p?q", "192.0.2.0/24",
		"2001:db8::1", `a\"\032b.example category="a \"b\\"`, "bücher.example added=2026-01-02", "https://[::1]/", "https://h/%25%32%35",
		"https://h.example/p?b&a#any-order", "https://h/?%26&&#any-order", "https://h/a#", "https://h/a#b",
		"example.com expires=2027-05-01T08:00:00Z review=2027-01-01 status=monitor # c", `\049.2`, "https://％41.example/",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		e, err := blocklist.ParseEntry(line)
		if err != nil {
			require.ErrorIs(t, err, blocklist.ErrMalformed)
			return
		}
		canonical := e.String()
		again, err := blocklist.ParseEntry(canonical)
		require.NoError(t, err, "%q gave %q", line, canonical)
		require.Equal(t, canonical, again.String(), "from %q", line)
		require.Equal(t, e, again, "from %q", line)
		require.NotContains(t, canonical, "\n")
	})
}

// A million lines are to be read and written in well under a second.
func BenchmarkParseEntry(b *testing.B) {
	for name, tail := range map[string]string{"plain": "", "attributes": ` category=malware ref="order 2026/17" added=2026-01-02`} {
		lines := make([]string, 1000)
		for i := range lines {
			lines[i] = "www" + strconv.Itoa(i) + ".example-" + strconv.Itoa(7*i) + ".example" + tail
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for i := 0; b.Loop(); i++ {
				e, err := blocklist.ParseEntry(lines[i%len(lines)])
				if err != nil {
					b.Fatal(err)
				}
				buf = e.Append(buf[:0])
			}
		})
	}
}
