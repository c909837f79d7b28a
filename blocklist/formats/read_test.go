package formats_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
)

// read returns the entries of a list as lines, then what was passed over as lines of reason: count @ line numbers.
func read(t *testing.T, text string, o formats.Options) (entries, skipped []string, err error) {
	t.Helper()
	r, err := formats.NewReader(strings.NewReader(text), o)
	if err != nil {
		return nil, nil, err
	}
	for e, err := range r.Entries() {
		if err != nil {
			return entries, nil, err
		}
		entries = append(entries, e.String())
	}
	report := r.Report()
	for _, s := range report.Skipped {
		skipped = append(skipped, fmt.Sprint(s.Reason, ": ", s.Count, " @ ", s.Lines))
	}
	assert.Len(t, entries, report.Entries)
	return entries, skipped, nil
}

func lines(s ...string) string { return strings.Join(s, "\n") + "\n" }

type readTest struct {
	name    string
	format  formats.Format // also the one that must be recognised
	text    string
	want    []string
	skipped []string
}

func readTests() []readTest {
	return []readTest{
		{
			"plain domains", formats.Domains,
			"\ufeff# list\r\nexample.com\r\n\r\nWWW.Example.ORG.   # why\r\n! note\n; note\nb\u00fccher.test\n_dmarc.example.net\n",
			[]string{"example.com", "www.example.org", "xn--bcher-kva.test", "_dmarc.example.net"},
			nil,
		},
		{
			"domains with URLs, addresses and a heading", formats.Domains,
			lines("0000350_2025.29.08", "a.test", "b.test", "http://c.test/", "d.test/path", "192.0.2.7", "2001:db8::/32", "e1.test1"),
			[]string{"a.test", "b.test", "c.test", "https://d.test/path", "192.0.2.7", "2001:db8::/32", "e1.test1"},
			nil,
		},
		{
			"domains with junk", formats.Domains,
			lines("a.test", "b.test", "*.c.test", "d.test", "e.test", "one two", "com", "f.test", "g.test"),
			[]string{"a.test", "b.test", "d.test", "e.test", "f.test", "g.test"},
			[]string{"wildcard *.name, which the format dnscrypt reads: 1 @ [3]", "not a domain name: 1 @ [6]", "a single label: 1 @ [7]"},
		},
		{
			"hosts", formats.Hosts,
			lines("# hosts", "127.0.0.1 localhost localhost.localdomain", "::1 ip6-localhost", "0.0.0.0 0.0.0.0",
				"0.0.0.0 ads.example.com  # ads", "127.0.0.1\ta.test B.test", "::\tc.test", "192.0.2.9 printer.home.test"),
			[]string{"=ads.example.com", "=a.test", "=b.test", "=c.test"},
			[]string{"name of the machine itself: 4 @ [2 3 4]", "leads to another address or name, not blocked: 1 @ [8]"},
		},
		{
			"adblock", formats.Adblock,
			lines("[Adblock Plus 2.0]", "! Title: list", "||a.test^", "||b.test^|", "||c.test^$third-party", "||d.test/path^", "/ads[0-9]/",
				"example.org##.banner", "||e.test^", "@@||ok.e.test^", "@@||f.test/page$script", "||f.test^", "||x.f.test^", "@@/re/", "||zip^"),
			[]string{"a.test", "b.test", "zip"},
			[]string{
				"rule with modifiers, unsupported: 1 @ [5]", "pattern, unsupported: 2 @ [6 7]", "cosmetic rule, unsupported: 1 @ [8]",
				"exception by a pattern, kept for the listed names that it fits, not below them: 1 @ [14]", "has exceptions below it, unsupported: 1 @ [9]", "allowed by an exception: 3 @ [10 11 13]",
			},
		},
		{
			"dnsmasq", formats.Dnsmasq,
			lines("# conf", "port=53", "bogus-priv", "address=/a.test/b.test/0.0.0.0", "local=/c.test/", "server=/d.test/", "address=/.e.test/#",
				"server=/f.test/192.0.2.1", "local=/g.test/", "server=/www.g.test/#", "address=/#/192.0.2.2", "server=/*h.test/"),
			[]string{"a.test", "b.test", "c.test", "d.test", "e.test"},
			[]string{"other setting: 2 @ [2 3]", "pattern, unsupported: 2 @ [11 12]", "allowed by an exception: 2 @ [8 10]", "has exceptions below it, unsupported: 1 @ [9]"},
		},
		{
			"unbound", formats.Unbound,
			lines("server: # names", `  local-zone: "a.test" always_nxdomain`, `local-zone: 'b.test.' redirect`, `local-data: "b.test. A 0.0.0.0"`,
				`local-data: "c.test 3600 IN A 192.0.2.1" # stop page`, `local-zone: "d.test" static`, `local-zone: "www.d.test" transparent`, "local-zone: e.test refuse",
				`local-zone: "f.test" typetransparent`, "verbosity: 1"),
			[]string{"a.test", "b.test", "e.test"},
			[]string{"other setting: 1 @ [10]", "leads to another address or name, not blocked: 1 @ [5]", "has exceptions below it, unsupported: 1 @ [6]", "allowed by an exception: 2 @ [7 9]"},
		},
		{
			"dnscrypt", formats.Dnscrypt,
			lines("# rules", "a.test", "=www.b.test", "*.c.test", "*d.test", "ads.*", "*sex*", "ads*.example.com", "e.test @work"),
			[]string{"a.test", "=www.b.test", "c.test", "d.test"},
			[]string{"pattern, unsupported: 3 @ [6 7 8]", "rule with a schedule, unsupported: 1 @ [9]"},
		},
		{
			"rules with junk", formats.Adblock,
			lines("||a.test^", "||b.test^", "||c.test^", "||d.test^", "||e.test^", "||-- ^"),
			[]string{"a.test", "b.test", "c.test", "d.test", "e.test"},
			[]string{"not a domain name: 1 @ [6]"},
		},
		{
			"settings with junk", formats.Dnsmasq,
			lines("local=/a.test/", "local=/b.test/", "local=/c.test/", "local=/d.test/", "local=/e.test/", "local=/f.test/", "local=/g.test", "what is this"),
			[]string{"a.test", "b.test", "c.test", "d.test", "e.test", "f.test"},
			[]string{"not a line of this format: 2 @ [7 8]"},
		},
		{
			"zones with junk", formats.Unbound,
			lines("local-zone: a.test static", "local-zone: b.test static", "local-zone: c.test static", "local-zone: d.test static", "local-zone: e.test static",
				"local-zone: f.test static", "local-zone: g.test often", "local-data: h.test"),
			[]string{"a.test", "b.test", "c.test", "d.test", "e.test", "f.test"},
			[]string{"not a line of this format: 2 @ [7 8]"},
		},
		{
			"csv with junk", formats.CSV,
			lines("url,ref", "a.test/1,x", "a.test/2,x", "a.test/3,x", "a.test/4,x", "a.test/5,x", "a.test/6,x", `"a.test/7,x`, "a.test/8,\x01"),
			[]string{"https://a.test/1 ref=x", "https://a.test/2 ref=x", "https://a.test/3 ref=x", "https://a.test/4 ref=x", "https://a.test/5 ref=x", "https://a.test/6 ref=x"},
			[]string{"quotation mark out of place: 1 @ [8]", "category or reference too long or not plain text: 1 @ [9]"},
		},
		{
			"cncpo with junk", formats.CNCPO,
			lines("7;20240521", ";a.test;;", ";b.test;;", ";c.test;;", ";d.test;;", ";e.test;;", ";f.test;;", "", "http://g.test/*;g.test;;", "http:///x;;;", "1;2;3;4;5"),
			[]string{
				`a.test ref="CNCPO 7 20240521"`, `b.test ref="CNCPO 7 20240521"`, `c.test ref="CNCPO 7 20240521"`, `d.test ref="CNCPO 7 20240521"`,
				`e.test ref="CNCPO 7 20240521"`, `f.test ref="CNCPO 7 20240521"`,
			},
			[]string{"pattern, unsupported: 1 @ [9]", "not a URL: 1 @ [10]", "not a line of this format: 1 @ [11]"},
		},
		{
			"csv", formats.CSV,
			lines("Domain,Category,Ref,Expires,Status,Note", `a.test,csam,"order ""7"", 2026",2027-05-01,,x`, "b.test,,,,monitor,", "c.test,,,2027-05-01 08:00:00,block,",
				"d.test,,,soon,,", "e.test,,,,,", "f.test,,,,offline,", "# note", "g.test,,,,,", "h.test", "i.test,,"),
			[]string{
				`a.test category=csam ref="order \"7\", 2026" expires=2027-05-01`, "b.test status=monitor", "c.test expires=2027-05-01T08:00:00Z",
				"e.test", "g.test", "h.test", "i.test",
			},
			[]string{"expires is not a day or time: 1 @ [5]", "status is neither block nor monitor: 1 @ [7]"},
		},
		{
			"csv with columns of all scopes", formats.CSV,
			lines("ip;url;host;domain", ";https://a.test/x?id=1;a.test;a.test", ";;www.b.test;b.test", ";;;c.test", "192.0.2.0/24;;;", "192.0.2.1;;;d.test"),
			[]string{"https://a.test/x?id=1", "=www.b.test", "c.test", "192.0.2.0/24", "d.test"},
			[]string{"address beside a name or URL, not listed: 1 @ [6]"},
		},
		{
			"cncpo", formats.CNCPO,
			"1234;20240521103000\r\nhttp://A.test/;a.test;;\r\nhttp://b.test/dir/page.html;b.test;;\r\nc.test; c.test ;;\r\n;;http://192.0.2.8/;192.0.2.8\r\n" +
				";;http://192.0.2.9/x;192.0.2.9\r\nhttp://d.test/;other.test;;\r\nhttp://e.test/;e.test;;\r\n",
			[]string{
				`a.test ref="CNCPO 1234 20240521103000"`, `https://b.test/dir/page.html ref="CNCPO 1234 20240521103000"`, `c.test ref="CNCPO 1234 20240521103000"`,
				`192.0.2.8 ref="CNCPO 1234 20240521103000"`, `https://192.0.2.9/x ref="CNCPO 1234 20240521103000"`, `e.test ref="CNCPO 1234 20240521103000"`,
			},
			[]string{"the URL and the name beside it disagree: 1 @ [7]"},
		},
		{
			"our own lines, plain but for a URL", formats.Argine,
			lines("example.com", "https://t.test/a/*"),
			[]string{"example.com", "https://t.test/a/*"},
			nil,
		},
		{
			"our own lines", formats.Argine,
			lines("# note", "example.com category=csam # why", "=www.example.org", "https://t.test/a/*", "192.0.2.0/24", `zip ref="order 7"`, `\001odd.test`),
			[]string{"example.com category=csam", "=www.example.org", "https://t.test/a/*", "192.0.2.0/24", `zip ref="order 7"`, `\001odd.test`},
			nil,
		},
	}
}

func TestRead(t *testing.T) {
	for _, tt := range readTests() {
		for _, named := range []formats.Format{tt.format, formats.Auto} {
			t.Run(tt.name+"/"+string(named), func(t *testing.T) {
				r, err := formats.NewReader(strings.NewReader(tt.text), formats.Options{Format: named})
				require.NoError(t, err)
				assert.Equal(t, tt.format, r.Format())
				entries, skipped, err := read(t, tt.text, formats.Options{Format: named})
				require.NoError(t, err)
				assert.Equal(t, tt.want, entries)
				assert.Equal(t, tt.skipped, skipped)
			})
		}
	}
}

// A fragment never reaches a server, so no entry can stand for it; an empty one says nothing.
func TestFragmentsAreNotDropped(t *testing.T) {
	for format, text := range map[formats.Format]string{
		formats.Domains: lines("a.test/#", "https://a.test/b#", "a.test/#/profile/7", "https://a.test/#!x", "a.test/q?x&y#any-order"),
		formats.CSV:     lines("url", "a.test/#", "https://a.test/b#", "a.test/#/profile/7", "https://a.test/#!x", "a.test/q?x&y#any-order"),
		formats.CNCPO:   lines("1;20240521", "http://a.test/x#;a.test", "http://a.test/b;a.test", "http://a.test/#/profile/7;a.test;;", "http://a.test/#!x;;", "http://a.test/#*;;"),
		formats.Argine:  lines("https://a.test/#", "https://a.test/b#", "https://a.test/#/profile/7 ref=7", "https://a.test/q?x&y#z#any-order", "https://*.a.test#a"),
	} {
		entries, skipped, err := read(t, text, formats.Options{Format: format})
		require.NoError(t, err, format)
		assert.Len(t, entries, 2, format)
		require.Len(t, skipped, 1, format)
		assert.Contains(t, skipped[0], "URL with a fragment, unsupported: 3 @", format)
	}
	_, _, err := read(t, lines("a.test/#x"), formats.Options{Format: formats.Domains})
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	assert.ErrorContains(t, err, "URL with a fragment", "it is not taken for an empty list")
}

func TestReadRPZ(t *testing.T) {
	head := lines("$TTL 300", "@ IN SOA localhost. nobody.invalid. (", "   1 3600 ; serial", "   600 604800 60 )", "  NS localhost.")
	tests := []struct {
		name, text string
		want       []string
		skipped    []string
	}{
		{"name alone and with those below", lines("a.test CNAME .", "b.test 60 IN CNAME .", "*.b.test CNAME .", "www.c.test IN 1h CNAME *."), []string{"=a.test", "b.test", "=www.c.test"}, nil},
		{"wildcard alone is not widened", lines("*.a.test CNAME .", "b.test CNAME ."), []string{"=b.test"}, []string{"wildcard without the name itself, unsupported: 1 @ [6]"}},
		{"pairs in any order", lines("*.a.test CNAME .", "b.test CNAME .", "*.b.test CNAME .", "a.test CNAME ."), []string{"a.test", "b.test"}, nil},
		{
			"actions", lines("a.test CNAME rpz-drop.", "b.test A 192.0.2.1", " AAAA 2001:db8::1", `c.test TXT "a;b" "(c"`, "d.test CNAME stop.example.", "e.test CNAME rpz-passthru.",
				"f.test CNAME rpz-tcp-only.", "g.test CNAME g.test."),
			[]string{"=a.test"},
			[]string{"data of other types, not blocked: 1 @ [9]", "leads to another address or name, not blocked: 2 @ [7 10]", "allowed by an exception: 3 @ [11 12 13]"},
		},
		{
			"exceptions", lines("a.test CNAME .", "*.a.test CNAME .", "ok.a.test CNAME rpz-passthru.", "x.a.test CNAME .", "*.b.test CNAME rpz-passthru.", "b.test CNAME ."),
			[]string{"=x.a.test", "=b.test"},
			[]string{"has exceptions below it, unsupported: 1 @ [6]", "allowed by an exception: 1 @ [8]"},
		},
		{
			"other triggers", lines("24.0.2.0.192.rpz-ip CNAME .", "32.zz.db8.2001.rpz-ip CNAME .", "128.1.zz.rpz-ip CNAME .", "128.zz.1.db8.2001.rpz-ip CNAME .", "0.zz.rpz-ip CNAME .",
				"32.1.2.0.192.rpz-client-ip CNAME .", "ns.test.rpz-nsdname CNAME .", "33.1.2.0.192.rpz-ip CNAME .", "64.1.2.3.4.5.6.7.8.rpz-ip CNAME ."),
			[]string{"192.0.2.0/24", "2001:db8::/32", "::1", "2001:db8:1::", "::/0"},
			[]string{"rpz-client-ip trigger, unsupported: 1 @ [11]", "rpz-nsdname trigger, unsupported: 1 @ [12]", "not an address: 2 @ [13 14]"},
		},
		{
			"exceptions of addresses", lines("24.0.2.0.192.rpz-ip CNAME .", "32.1.2.0.192.rpz-ip CNAME rpz-passthru.", "32.1.100.51.198.rpz-ip CNAME ."),
			[]string{"198.51.100.1"},
			[]string{"has exceptions below it, unsupported: 1 @ [6]", "allowed by an exception: 1 @ [7]"},
		},
		{"odd octets", lines(`a\.b.test CNAME .`, `\000\255.test CNAME .`, `q\;r\(.test CNAME .`), []string{`=a\.b.test`, `=\000\255.test`, `=q\;r\(.test`}, nil},
		{
			"records with junk", lines("a.test CNAME .", "b.test CNAME .", "c.test CNAME .", "d.test CNAME .", "e.test CNAME .", "f.test CNAME .", "g.test CNAME )", `h.test TXT "open`, "i.test TYPE65 x"),
			[]string{"=a.test", "=b.test", "=c.test", "=d.test", "=e.test", "=f.test"},
			[]string{"badly formed record: 2 @ [12 13]", "data of other types, not blocked: 1 @ [14]"},
		},
		{
			"what is no trigger", lines("a.test CNAME .", "b.test CNAME .", "c.test CNAME .", "d.test NS ns.test.", "e.test WHAT x", "* CNAME .", "$INCLUDE other"),
			[]string{"=a.test", "=b.test", "=c.test"},
			[]string{"record type without a meaning in RPZ, unsupported: 1 @ [9]", "not a line of this format: 1 @ [10]", "wildcard of everything, unsupported: 1 @ [11]", "directive, unsupported: 1 @ [12]"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			entries, skipped, err := read(t, head+tt.text, formats.Options{})
			require.NoError(t, err)
			assert.Equal(t, tt.want, entries)
			assert.Equal(t, tt.skipped, skipped)
		})
	}
}

func TestReadRPZNames(t *testing.T) {
	soa := "SOA localhost. nobody.invalid. 1 2 3 4 5\n"
	for name, tt := range map[string]struct {
		text, origin string
	}{
		"relative to nothing":         {"@ " + soa + "www.a.test CNAME .\n", ""},
		"relative to the SOA's owner": {"rpz.example. " + soa + "www.a.test CNAME .\n", ""},
		"absolute":                    {"rpz.example. " + soa + "www.a.test.rpz.example. CNAME .\n", ""},
		"relative to $ORIGIN":         {"$ORIGIN rpz.example.\n@ " + soa + "www.a.test CNAME .\n", ""},
		"$ORIGIN inside the zone":     {"$ORIGIN rpz.example.\n@ " + soa + "$ORIGIN a.test.rpz.example.\nwww CNAME .\n", ""},
		"$ORIGIN relative":            {"$ORIGIN rpz.example.\n@ " + soa + "$ORIGIN a.test\nwww CNAME .\n", ""},
		"origin given":                {"@ " + soa + "www.a.test.rpz.example. CNAME .\n", "rpz.example"},
		"origin given, no SOA":        {"www.a.test.rpz.example. CNAME .\n", "rpz.example."},
	} {
		t.Run(name, func(t *testing.T) {
			entries, skipped, err := read(t, tt.text, formats.Options{Format: formats.RPZ, Origin: tt.origin})
			require.NoError(t, err)
			assert.Equal(t, []string{"=www.a.test"}, entries)
			assert.Empty(t, skipped)
		})
	}
	for name, tt := range map[string]struct{ text, origin, suffix string }{
		"no SOA":            {"bad1.example.rpz. 120 IN CNAME .\nbad2.example.rpz. CNAME .\n*.bad2.example.rpz. CNAME .\n", "rpz", "example.rpz"},
		"SOA of @":          {"@ " + soa + "abs.example.rpz.test. CNAME .\n", "rpz.test", "abs.example.rpz.test"},
		"$ORIGIN of all":    {"$ORIGIN .\na.example.rpz CNAME .\nb.example.org.rpz CNAME .\n", "rpz", "rpz"},
		"names, with a dot": {"a.example. CNAME .\nb.example. CNAME .\n", ".", "example"},
	} {
		_, _, err := read(t, tt.text, formats.Options{Format: formats.RPZ})
		require.ErrorIs(t, err, blocklist.ErrMalformed, name)
		require.ErrorContains(t, err, "all owners in it end in "+tt.suffix+":", name)
		assert.ErrorContains(t, err, "--zone-origin", name)
		entries, _, err := read(t, tt.text, formats.Options{Format: formats.RPZ, Origin: tt.origin})
		require.NoError(t, err, name)
		assert.NotContains(t, strings.Join(entries, " "), "rpz", name)
	}
	entries, _, err := read(t, "a.example. CNAME .\nb.test. CNAME .\n", formats.Options{Format: formats.RPZ})
	require.NoError(t, err)
	assert.Equal(t, []string{"=a.example", "=b.test"}, entries, "no zone has both")
	_, _, err = read(t, "rpz.example. "+soa+"www.a.test. CNAME .\n", formats.Options{Format: formats.RPZ})
	assert.ErrorContains(t, err, "owner outside the zone: 1, first in line 2")
}

func TestReadScope(t *testing.T) {
	host, domain := formats.Options{Scope: blocklist.ScopeHost}, formats.Options{Scope: blocklist.ScopeDomain}
	for _, tt := range []struct {
		text string
		o    formats.Options
		want []string
	}{
		{"0.0.0.0 a.test\n", domain, []string{"a.test"}},
		{"a.test\nhttps://b.test/x\n192.0.2.1\n", host, []string{"=a.test", "https://b.test/x", "192.0.2.1"}},
		{"=a.test category=x\nb.test\n", domain, []string{"a.test category=x", "b.test"}},
		{"||a.test^\n||b.test^\n@@||www.b.test^\n", host, []string{"=a.test", "=b.test"}},
		{"a.test CNAME .\nb.test CNAME .\nwww.b.test CNAME rpz-passthru.\n", domain, []string{"a.test"}},
	} {
		entries, _, err := read(t, tt.text, tt.o)
		require.NoError(t, err, tt.text)
		assert.Equal(t, tt.want, entries, tt.text)
	}
	_, _, err := read(t, "a.test\n", formats.Options{Scope: blocklist.ScopeURL})
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
}
