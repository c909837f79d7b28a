package formats_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
)

// rows makes lines of a pattern, with the numbers from 1 to n for %.
func rows(n int, pattern string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(pattern, "%", fmt.Sprint(i+1)) + "\n")
	}
	return b.String()
}

// A first line or header that only one format has decides, whatever odd rows follow.
func TestSignatures(t *testing.T) {
	urls := func(n int) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprintf("https://www.e%d.test/a", i+1))
		}
		return out
	}
	names := func(n int) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprintf("www.e%d.test", i+1))
		}
		return out
	}
	for name, tt := range map[string]struct {
		text    string
		format  formats.Format
		want    []string
		skipped string
	}{
		"cncpo": {
			lines("1236;20240523103000") + rows(60, "http://www.e%.test/a;www.e%.test;;") + lines("http://www.one.test/;one.test;;"),
			formats.CNCPO, urls(60), "the URL and the name beside it disagree: 1 @ [62]",
		},
		"cncpo with trailing separators": {
			lines("# note", "1236;20240523;;") + rows(4, "http://www.e%.test/a;www.e%.test;;"), formats.CNCPO, urls(4), "",
		},
		"csv": {
			lines("url,category,status") + rows(30, "http://www.e%.test/a,x,block") + lines("http://one.test/,x,odd"),
			formats.CSV, urls(30), "status is neither block nor monitor: 1 @ [32]",
		},
		"one column": {
			lines("# made today", "Domain") + rows(5, "www.e%.test") + lines("@@"), formats.CSV, names(5), "not a domain name: 1 @ [8]",
		},
		"one quoted column": {lines(`"url"`) + rows(3, `"https://www.e%.test/a"`), formats.CSV, urls(3), ""},
		"a zone":            {lines("$TTL 60") + rows(3, "www.e%.test CNAME .") + rows(3, "||www.e%.test^"), formats.RPZ, nil, ""},
		"an order": {
			lines("0000351_2025.30.08", "www.e1.test", "www.e2.test"), formats.Domains, names(2), "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			entries, skipped, err := read(t, tt.text, formats.Options{})
			if tt.want == nil {
				require.ErrorContains(t, err, "are not "+string(tt.format))
				return
			}
			require.NoError(t, err)
			for i := range entries {
				entries[i] = strings.Fields(entries[i])[0]
			}
			assert.Equal(t, tt.want, entries)
			assert.Equal(t, tt.skipped, strings.Join(skipped, ","))
		})
	}
}

// Short orders have number and day in the first line. That is the reference of the list, and no entry.
func TestOrderHeader(t *testing.T) {
	for _, header := range []string{"0000351_2025.30.08", "12 2026.11.05", "351_2026-05-11", "7_20260511", "351_11.05.2026"} {
		for _, f := range []formats.Format{formats.Auto, formats.Domains} {
			r, err := formats.NewReader(strings.NewReader("\n"+header+"\r\none.test\ntwo.test\n"), formats.Options{Format: f})
			require.NoError(t, err)
			assert.Equal(t, map[string]bool{"one.test": true, "two.test": true}, set(t, r.Entries()))
			assert.Equal(t, header, r.Report().Reference)
			assert.Empty(t, r.Report().Skipped)
		}
	}
	for _, other := range []string{"351_2026-15-15", "x_2026.11.05", "_2026.11.05", "351_"} {
		_, skipped, err := read(t, lines(other)+rows(9, "a%.test"), formats.Options{})
		require.NoError(t, err)
		require.Len(t, skipped, 1)
		assert.Contains(t, skipped[0], ": 1 @ [1]")
	}
}

// The lists of ADM and AGCOM, as they come: a byte order mark, upper case, URLs of hosts, addresses. No name is left out
// since one above it is listed, and no URL is cut.
func TestOrdersAsTheyCome(t *testing.T) {
	r, err := formats.NewReader(strings.NewReader("\ufeff0000350_2025.29.08\r\nWWW.ONE.TEST\r\nsub.one.test \r\none.test\r\nHTTP://Two.test/\r\nhttps://three.test/a/B?c=1\r\n192.0.2.7\r\n\r\n"), formats.Options{})
	require.NoError(t, err)
	var entries []string
	for e, err := range r.Entries() {
		require.NoError(t, err)
		entries = append(entries, e.String())
	}
	assert.Equal(t, []string{"www.one.test", "sub.one.test", "one.test", "two.test", "https://three.test/a/B?c=1", "192.0.2.7"}, entries)
	assert.Equal(t, "0000350_2025.29.08", r.Report().Reference)
	assert.Empty(t, r.Report().Skipped)
}

// The daily files of Piracy Shield are names that stand for themselves, and addresses.
func TestPiracyShield(t *testing.T) {
	entries, skipped, err := read(t, "stream.one.test\nlive.stream.one.test\nhttp://two.test\n192.0.2.7\n2001:db8::7\n", formats.Options{Scope: blocklist.ScopeHost})
	require.NoError(t, err)
	assert.Equal(t, []string{"=stream.one.test", "=live.stream.one.test", "=two.test", "192.0.2.7", "2001:db8::7"}, entries)
	assert.Empty(t, skipped)
}

// An attachment that is still encrypted is called what it is.
func TestEncrypted(t *testing.T) {
	for _, text := range []string{
		"-----BEGIN PGP MESSAGE-----\n\nhQ==\n", "\x85\x02\x0c\x03\x01\x02\x00\x04", "\x84\x5e\x03\x01\x02\x00\x04\x05", "\xc1\xc0\x4c\x03\x01\x00", "\xc1\x5e\x03\x01\x02",
	} {
		_, _, err := read(t, text, formats.Options{Format: formats.CNCPO})
		assert.ErrorIs(t, err, blocklist.ErrMalformed)
		assert.ErrorContains(t, err, "gpg --decrypt FILE", "%q", text)
	}
}

// No format takes the rows of a table for URLs.
func TestTablesAreNotURLs(t *testing.T) {
	for name, text := range map[string]string{
		"a CNCPO list without its first row": rows(60, "http://www.e%.test/;www.e%.test;;"),
		"a CSV file without its header":      rows(2, "http://www.e%.test/a,blocked"),
		"with columns that are not known":    lines("uwagi,opis") + rows(20, "http://www.e%.test/a,x") + lines("x.test"),
		"another separator":                  rows(20, "https://www.e%.test/|x|y"),
		"our own lines beside it":            rows(20, "https://www.e%.test/;x") + lines("=host.test"),
	} {
		_, _, err := read(t, text, formats.Options{})
		require.ErrorIs(t, err, blocklist.ErrMalformed, name)
		assert.ErrorContains(t, err, "it is a table with columns separated by", name)
	}
	for _, named := range []formats.Format{formats.Domains, formats.Argine, formats.Dnscrypt} {
		_, _, err := read(t, lines("7;20260511")+rows(20, "http://www.e%.test/;www.e%.test;;"), formats.Options{Format: named})
		require.ErrorIs(t, err, blocklist.ErrMalformed)
		assert.ErrorContains(t, err, "it is a table, of the format cncpo")
	}
	entries, _, err := read(t, rows(20, "https://www.e%.test/a")+lines("https://www.test.test/a;b", "https://www.test.test/@1,2"), formats.Options{})
	require.NoError(t, err)
	assert.Len(t, entries, 22, "a few URLs may have such marks")
}

// What is recognised and not supported is refused by name.
func TestUnsupportedIsNamed(t *testing.T) {
	for text, why := range map[string]string{
		"||a.test^$document\n":                        "no entries in it as adblock (rule with modifiers, unsupported: 1, first in line 1)",
		rows(200, "*.a%.test"):                        "200 of 200 things in it are wildcards (*.name), which do not cover the name itself here; name the format dnscrypt",
		rows(100, "*.a%.test") + rows(100, "b%.test"): "100 of 200 things in it are wildcards",
		rows(2, "*.a%.test") + rows(100000, "b%.test") + rows(60000, "*.c%.test"): "60002 of 160002 things in it are wildcards",
	} {
		_, _, err := read(t, text, formats.Options{})
		require.ErrorIs(t, err, blocklist.ErrMalformed)
		assert.ErrorContains(t, err, why)
	}
	entries, _, err := read(t, rows(200, "*.a%.test"), formats.Options{Format: formats.Dnscrypt})
	require.NoError(t, err)
	assert.Equal(t, "a200.test", entries[199])
}

// A single label would list a top-level domain: no list lists one that only looks like a list of that format.
func TestSingleLabelsAreNotGuessed(t *testing.T) {
	for _, odd := range []string{"ads.*", "=www.odd.test", "odd.test @work", "*.odd.test", "odd.test category=x", "https://odd.test/*", "||", "@@"} {
		for _, label := range []string{"example", "com", "domain", "url"} {
			entries, _, err := read(t, rows(9, "ok%.test")+lines(label, odd), formats.Options{})
			require.NoError(t, err, odd)
			for _, e := range entries {
				assert.Contains(t, e, ".test", odd)
			}
		}
	}
	entries, _, err := read(t, lines("# argine entries", "example", "a.test"), formats.Options{})
	require.NoError(t, err)
	assert.Equal(t, []string{"example", "a.test"}, entries, "where the format is signed it says what it says")
}

// One damaged line among nine good ones lists nothing and hides nothing, in whatever format; and it is counted.
func TestOneDamagedLine(t *testing.T) {
	damaged := []string{
		"://", "||", "||^", "*", ".", "^", "@@", `local-zone: "" always_nxdomain`, "address=//0.0.0.0", "*. CNAME .", ". CNAME .", "*.*", "@@||^", "0.0.0.0 .",
		`"`, `"x`, "..", "=", "= ", ";;;;;", "x;y;z", `a"b;c`,
	}
	for f, form := range map[formats.Format]string{
		formats.Domains: "ok%.test", formats.Hosts: "0.0.0.0 ok%.test", formats.RPZ: "ok%.test CNAME .", formats.Adblock: "||ok%.test^", formats.Dnsmasq: "local=/ok%.test/",
		formats.Unbound: `local-zone: "ok%.test" always_nxdomain`, formats.CSV: "ok%.test,x", formats.CNCPO: ";ok%.test;", formats.Argine: "ok%.test", formats.Dnscrypt: "ok%.test",
	} {
		head := map[formats.Format]string{formats.CSV: "domain,category\n", formats.CNCPO: "7;20260511\n"}[f]
		for _, bad := range damaged {
			for _, named := range []formats.Format{f, formats.Auto} {
				good := strings.SplitAfter(rows(9, form), "\n")
				text := head + strings.Join(good[:4], "") + bad + "\n" + strings.Join(good[4:], "")
				entries, skipped, err := read(t, text, formats.Options{Format: named})
				require.NoError(t, err, "%s as %s: %s", f, named, bad)
				for i := range entries {
					entries[i] = strings.TrimPrefix(strings.Fields(entries[i])[0], "=")
				}
				slices.Sort(entries)
				assert.Equal(t, strings.Fields(rows(9, "ok%.test")), entries, "%s as %s: %s", f, named, bad)
				comment := bad[0] == ';' // in some formats
				assert.True(t, len(skipped) > 0 || comment, "%s as %s: %s: %q", f, named, bad, skipped)
			}
		}
	}
}

// A line of another format among thirty changes nothing of what they mean.
func TestOneLineOfAnotherFormat(t *testing.T) {
	forms := map[formats.Format]string{
		formats.Domains: "ok%.test", formats.Hosts: "0.0.0.0 ok%.test", formats.RPZ: "ok%.test CNAME .", formats.Adblock: "||ok%.test^", formats.Dnsmasq: "local=/ok%.test/",
		formats.Unbound: `local-zone: "ok%.test" always_nxdomain`, formats.CSV: "ok%.test,x", formats.CNCPO: "http://ok%.test/;ok%.test;;", formats.Argine: "=ok%.test category=x",
	}
	for f, form := range forms {
		good := map[formats.Format]string{formats.CSV: "domain,category\n", formats.CNCPO: "7;20260511\n"}[f] + rows(30, form)
		want, _, err := read(t, good, formats.Options{Format: f})
		require.NoError(t, err)
		for g, odd := range forms {
			odd = strings.ReplaceAll(odd, "ok%", "odd")
			if f == g || f == formats.Argine && g == formats.Domains { // our own lines can be as plain
				continue
			}
			entries, skipped, err := read(t, good+odd+"\n", formats.Options{})
			require.NoError(t, err, "%s with %s", f, odd)
			assert.Equal(t, want, entries[:min(len(want), len(entries))], "%s with %s", f, odd)
			assert.Equal(t, len(want)+1, len(entries)+len(skipped), "%s with %s", f, odd)
		}
	}
}

// A dot in front of a name means the same in every format: the name and all below it. Where names stand for
// themselves alone the line is counted, and the reason says why.
func TestLeadingDot(t *testing.T) {
	for f, text := range map[formats.Format]string{
		formats.Domains:  ".a.test\n.b.test1\nc.test\n",
		formats.Dnscrypt: ".a.test\n.b.test1\nc.test\n",
		formats.Dnsmasq:  "address=/.a.test/#\nlocal=/.b.test1/\nserver=/c.test/\n",
		formats.CSV:      "domain\n.a.test\n.b.test1\nc.test\n",
		formats.CNCPO:    "7;20260511\n;.a.test;;\n;.b.test1;;\n;c.test;;\n",
		formats.Unbound:  "local-zone: \".a.test\" static\nlocal-zone: .b.test1 static\nlocal-zone: c.test static\n",
		formats.Adblock:  "||.a.test^\n||.b.test1^\n||c.test^\n",
	} {
		entries, skipped, err := read(t, text, formats.Options{Format: f})
		require.NoError(t, err, f)
		assert.Empty(t, skipped, f)
		for i := range entries {
			entries[i] = strings.Fields(entries[i])[0]
		}
		assert.Equal(t, []string{"a.test", "b.test1", "c.test"}, entries, f)
	}
	for f, text := range map[formats.Format]string{
		formats.Hosts:  "0.0.0.0 .d.test\n" + rows(9, "0.0.0.0 a%.test"),
		formats.CSV:    "host\n.d.test\n" + rows(9, "a%.test"),
		formats.Argine: ".d.test\n" + rows(9, "a%.test"),
	} {
		entries, skipped, err := read(t, text, formats.Options{Format: f})
		require.NoError(t, err, f)
		assert.Len(t, entries, 9, f)
		require.Len(t, skipped, 1, f)
		assert.Contains(t, skipped[0], "a dot in front of the name: 1 @", f)
	}
	_, skipped, err := read(t, lines(".com", "..a.test")+rows(9, "a%.test"), formats.Options{})
	require.NoError(t, err)
	assert.Equal(t, []string{"a single label: 1 @ [1]", "not a domain name: 1 @ [2]"}, skipped)
}

// A first line of white space of any kind says nothing.
func TestBlankFirstLine(t *testing.T) {
	for _, line := range []string{"\r", "\r\r", "\v", "\f\r", "\u00a0", "\u2003 ", "\t\u0085"} {
		for _, format := range formats.Readable() {
			_, _, _ = read(t, line, formats.Options{Format: format}) // does not panic
			_, _, _ = read(t, line+"\n"+line+"\n", formats.Options{Format: format, MayBeEmpty: true})
		}
		entries, _, err := read(t, line+"\na.test\nb.test\n", formats.Options{})
		require.NoError(t, err)
		assert.Equal(t, []string{"a.test", "b.test"}, entries)
	}
}
