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

// rulesTest is a text in one format, what it lists, and the lines that are counted, whatever the reason.
type rulesTest struct {
	name    string
	format  formats.Format
	text    string
	want    []string
	counted []int
}

func (tt *rulesTest) run(t *testing.T, o formats.Options) {
	t.Helper()
	o.Format = tt.format
	r, err := formats.NewReader(strings.NewReader(tt.text), o)
	require.NoError(t, err)
	var entries []string
	for e, err := range r.Entries() {
		require.NoError(t, err)
		entries = append(entries, e.String())
	}
	assert.Equal(t, tt.want, entries)
	var counted []int
	for _, s := range r.Report().Skipped {
		counted = append(counted, s.Lines...)
	}
	assert.ElementsMatch(t, tt.counted, counted, "%v", r.Report().Skipped)
}

// What limits another line holds, or what it touches is left out.
func TestExceptions(t *testing.T) {
	for _, tt := range []rulesTest{
		{"badfilter", formats.Adblock, lines("||kept.example^", "||wrong.example^", "||wrong.example^$badfilter", "||192.0.2.1^", "||192.0.2.1^$badfilter"), []string{"kept.example"}, []int{2, 4}},
		{"badfilter before its rule", formats.Adblock, lines("||wrong.example^$badfilter", "||wrong.example^", "||kept.example^"), []string{"kept.example"}, []int{1}},
		{"badfilter among others", formats.Adblock, lines("||a.example^", "||a.example^$badfilter,third-party", "||a.example^$third-party"), []string{"a.example"}, []int{2, 3}},
		{
			"badfilter of an exception", formats.Adblock,
			lines("||a.example^", "@@||a.example^$important,third-party", "@@||a.example^$third-party,badfilter,important"),
			[]string{"a.example"},
			[]int{2, 3},
		},
		{"a rule for some", formats.Adblock, lines("||a.example^$denyallow=www.a.example", "||b.example^"), []string{"b.example"}, []int{1}},
		{"one bar", formats.Adblock, lines("||a.example^", "@@|www.a.example^", "||b.example^"), []string{"b.example"}, []int{1, 2}},
		{"one bar, the name itself", formats.Adblock, lines("||a.example^", "@@|a.example^", "||www.a.example^"), []string{"www.a.example"}, []int{1}},
		{"a scheme", formats.Adblock, lines("||a.example^", "@@://www.a.example^|", "||b.example^", "@@|https://www.b.example/x", "||c.example^"), []string{"c.example"}, []int{1, 2, 3, 4}},
		{
			"no anchor", formats.Adblock,
			lines("||metric.a.example^", "@@ads.metric.a.example^", "||x-ads.metric.a.example^", "||www.x-ads.metric.a.example^", "||other.metric.a.example^", "||a.example^", "||metric.example^"),
			[]string{"other.metric.a.example", "metric.example"},
			[]int{1, 2, 3, 4, 6},
		},
		{"no anchor, a dot", formats.Adblock, lines("||a.example^", "@@.a.example^", "||b.a.example^", "||ba.example^"), []string{"ba.example"}, []int{1, 2, 3}},
		{
			"an asterisk", formats.Adblock,
			lines("||a.example^", "@@||ads*.a.example^", "||x.a.example^", "||ads1.a.example^", "||b.example^", "||example^"),
			[]string{"b.example"},
			[]int{1, 2, 3, 4, 6},
		},
		{"the beginning of names", formats.Adblock, lines("||ads.a.example^", "@@||ads.", "||bads.a.example^", "||x.ads.a.example^"), []string{"bads.a.example"}, []int{1, 2, 4}},
		{"one bar and an asterisk", formats.Adblock, lines("||ads1.a.org^", "@@|ads*.org^", "||x.ads1.a.org^", "||ads2.example^", "@@|b.", "||b.example^", "||a.b.example^"), []string{"x.ads1.a.org", "ads2.example", "a.b.example"}, []int{1, 2, 5, 6}},
		{"no end", formats.Adblock, lines("||a.example^", "@@||a.example", "||a.example.org^", "||ba.example^"), []string{"ba.example"}, []int{1, 3}},
		{"an expression", formats.Adblock, lines("||ads7.a.example^", `@@/^ads\d\./$important`, "||ads.a.example^"), []string{"ads.a.example"}, []int{1, 2}},
		{"no domain", formats.Adblock, lines("||a.example^", "@@/page$script", "@@*$third-party", "@@/(/", "@@"), []string{"a.example"}, []int{2, 3, 4, 5}},
		{"addresses", formats.Adblock, lines("||192.0.2.1^", "||192.0.2.2^", "@@||192.0.2.2^", "||a.example^"), []string{"a.example", "192.0.2.1"}, []int{2}},
		{"addresses beside names", formats.Adblock, lines("||192.0.2.1^", "||a.example^", "@@||b.example^"), []string{"a.example"}, []int{1, 3}},
		{"addresses beside names that pass", formats.RPZ, lines("pass.example CNAME rpz-passthru.", "32.66.2.0.192.rpz-ip CNAME .", "bad.example CNAME ."), []string{"=bad.example"}, []int{1, 2}},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, formats.Options{}) })
	}
	_, _, err := read(t, "||a.example^\n"+strings.Repeat("@@ads\n", 201), formats.Options{Format: formats.Adblock})
	require.ErrorContains(t, err, "more than 200 exceptions by patterns")
	_, _, err = read(t, "||a.example^\n"+strings.Repeat("@@/ads$/\n", 21), formats.Options{Format: formats.Adblock})
	assert.ErrorContains(t, err, "more than 20 exceptions by regular expressions")
}

// What is right in its format and no entry makes no list unreadable.
func TestRulesThatAreNoNames(t *testing.T) {
	for _, tt := range []rulesTest{
		{
			"addresses", formats.Adblock,
			lines("||192.0.2.173^", "||192.0.2.174^|", "||[2001:db8::7]^", "198.51.100.4^", "192.0.2.", "||a.example^", "||192.0.2.^", "||192.0^"),
			[]string{"a.example", "192.0.2.173", "192.0.2.174", "2001:db8::7"},
			[]int{4, 5, 7, 8},
		},
		{
			"brackets", formats.Adblock, lines("[Adblock Plus 2.0]", "||a.example^", "||b.example^", "||c.example^", "[b.example]", "[::1]", "[uBlock Origin]", "[AdGuard]", "||d.example^"),
			[]string{"a.example", "b.example", "c.example", "d.example"},
			[]int{5, 6},
		},
		{"a dot at the end", formats.Adblock, lines("||example-indo.^", "||a.example^"), []string{"a.example"}, []int{1}},
		{
			"remarks", formats.Hosts,
			lines("0.0.0.0 0.0.0.0 ! http://src.example/hosts", "0.0.0.0 0.0.0.0 www.a.example ! http://src.example/hosts.zip", "0.0.0.0 b.example #remark",
				"0.0.0.0 c.example#remark", "0.0.0.0 d.example#see press.example", "#0.0.0.0 e.example", "0.0.0.0#f.example",
				"0.0.0.0 g.example h.example i.example j.example k.example l.example m.example n.example"),
			[]string{"=www.a.example", "=b.example", "=c.example", "=d.example", "=g.example", "=h.example", "=i.example", "=j.example", "=k.example", "=l.example", "=m.example", "=n.example"},
			[]int{1, 2, 1, 2, 7},
		},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, formats.Options{}) })
	}
}

// The same answers list, and the same do not, in all formats.
func TestStopPage(t *testing.T) {
	named := formats.Options{StopPage: []string{"198.51.100.80", "2001:db8::80", "stop.example"}}
	for _, tt := range []rulesTest{
		{
			"hosts", formats.Hosts, lines("0.0.0.0 a.example", "198.51.100.80 b.example", "2001:db8::80 b.example", "192.0.2.1 safe.example", "127.0.0.2 c.example", "192.168.1.5 nas.example"),
			[]string{"=a.example", "=b.example", "=b.example", "=c.example"},
			[]int{4, 6},
		},
		{
			"unbound", formats.Unbound, lines(`local-data: "a.example A 127.0.0.1"`, `local-data: "b.example. 60 IN A 198.51.100.80"`, `local-data: "nas.example A 192.168.1.5"`,
				`local-data-ptr: "192.168.1.5 nas.example"`, `local-zone: "c.example" redirect`, `local-data: "c.example AAAA 2001:db8::80"`, `local-zone: "d.example" redirect`,
				`local-data: "d.example CNAME safe.example"`, `local-data: "e.example CNAME stop.example."`, `local-data: "f.example TXT x"`, `local-zone: "g.example" static`, `local-data: "www.g.example A 192.0.2.1"`),
			[]string{"=a.example", "=b.example", "c.example", "=e.example"},
			[]int{3, 4, 7, 10, 11, 12},
		},
		{
			"dnsmasq", formats.Dnsmasq, lines("address=/printer.example/192.168.1.6", "address=/a.example/0.0.0.0", "address=/b.example/::", "address=/c.example/198.51.100.80", "host-record=nas.example,192.168.1.5",
				"address=/d.example/#", "address=/e.example/", "local=/f.example/", "address=/www.f.example/192.0.2.1"),
			[]string{"a.example", "b.example", "c.example", "d.example", "e.example"},
			[]int{1, 5, 8, 9},
		},
		{
			"rpz", formats.RPZ, lines("$ORIGIN rpz.example.", "@ SOA localhost. nobody.invalid. 1 3600 600 604800 60", "www.search.example.org CNAME forcesafe.search.example.org.",
				"video.example.org CNAME restrict.video.example.org.", "bad.example.org CNAME .", "bad2.example.org CNAME *.", "bad3.example.org CNAME rpz-drop.", "a.example A 198.51.100.80",
				"b.example CNAME stop.example.", "c.example A 0.0.0.0", "c.example AAAA ::", "d.example CNAME localhost.", "e.example A 0.0.0.0", "e.example AAAA 2001:db8::1", "32.1.2.0.192.rpz-ip A 198.51.100.80",
				"32.2.2.0.192.rpz-ip A 192.0.2.9", "*.bad.example.org CNAME safe.example."),
			[]string{"=bad.example.org", "=bad2.example.org", "=bad3.example.org", "=a.example", "=b.example", "=c.example", "=d.example", "192.0.2.1"},
			[]int{3, 4, 13, 16},
		},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, named) })
	}
	_, _, err := read(t, "a.test\n", formats.Options{StopPage: []string{"198.51..1"}})
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	assert.ErrorContains(t, err, `stop page "198.51..1"`)
}

// An address that nearly all lines share is the list's stop page.
func TestSharedStopPage(t *testing.T) {
	many := func(format string) (out string) {
		for label := range strings.SplitSeq("abcdefghijklmnopqrst", "") {
			out += fmt.Sprintf(format, label)
		}
		return out
	}
	for name, tt := range map[string]struct {
		format formats.Format
		text   string
		names  int // listed; what is not listed is safe.example
	}{
		"hosts":                       {formats.Hosts, many("198.51.100.80 %s.example\n") + "192.0.2.1 safe.example\n", 20},
		"hosts, with and without www": {formats.Hosts, many("198.51.100.80 %[1]s.example www.%[1]s.example\n"), 40},
		"hosts, both families":        {formats.Hosts, many("198.51.100.80 %[1]s.example\n2001:db8::80 %[1]s.example\n"), 40},
		"hosts, others among zeroes":  {formats.Hosts, many("0.0.0.0 %s.example\n") + "192.0.2.1 safe.example\n192.0.2.1 safe.example.org\n192.0.2.1 www.safe.example\n", 20},
		"unbound":                     {formats.Unbound, many("local-zone: %[1]s.example redirect\nlocal-data: \"%[1]s.example A 198.51.100.80\"\nlocal-data: \"%[1]s.example AAAA 2001:db8::80\"\n"), 20},
		"dnsmasq":                     {formats.Dnsmasq, many("address=/%s.example/198.51.100.80\n") + "address=/safe.example/192.0.2.1\n", 20},
		"rpz":                         {formats.RPZ, many("%[1]s.example A 198.51.100.80\n*.%[1]s.example A 198.51.100.80\n") + "safe.example CNAME other.example.\n", 20},
	} {
		t.Run(name, func(t *testing.T) {
			for _, f := range []formats.Format{tt.format, formats.Auto} {
				entries, _, err := read(t, tt.text, formats.Options{Format: f})
				require.NoError(t, err)
				assert.Len(t, entries, tt.names)
				assert.NotContains(t, strings.Join(entries, " "), "safe")
			}
		})
	}
	for _, tt := range []rulesTest{
		{"safe search beside what is blocked", formats.RPZ, lines("www.search.example A 198.51.100.20", "bad2.example CNAME .", "bad3.example CNAME ."), []string{"=bad2.example", "=bad3.example"}, []int{1}},
		{"safe search in many", formats.RPZ, many("%s.example CNAME .\n") + "www.search.org A 198.51.100.20\nwww.search.net A 198.51.100.20\nvideo.org A 198.51.100.20\n", nil, []int{21, 22, 23}},
		{"half and half", formats.RPZ, many("%[1]s.example CNAME .\n%[1]s.test A 198.51.100.20\n"), nil, []int{2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40}},
	} {
		if tt.want == nil {
			tt.want = strings.Fields(many("=%s.example "))
		}
		tt.run(t, formats.Options{})
	}
	for name, tt := range map[string]struct{ text, why string }{
		"one line":            {"198.51.100.80 a.example\n", "if 198.51.100.80 is the list's stop page, name it"},
		"private":             {many("192.168.1.5 %s.example\n"), "if 192.168.1.5 is the list's stop page, name it"},
		"of one owner":        {"192.0.2.1 www.search.com\n192.0.2.1 www.search.org\n192.0.2.1 www.search.net\n192.0.2.1 www.search.co.uk\n", "not blocked: 4"},
		"safe video":          {"192.0.2.1 www.video.com m.video.com video.googleapis.com api.video.com www.video-nocookie.com\n", "not blocked: 5"},
		"few":                 {"198.51.100.80 a.example\n198.51.100.80 b.example\n198.51.100.80 c.example\n", "if 198.51.100.80 is the list's stop page, name it"},
		"of different owners": {"192.0.2.1 a.example\n192.0.2.2 b.example\n192.0.2.3 c.example\n", "leads to another address or name, not blocked: 3"},
	} {
		_, _, err := read(t, tt.text, formats.Options{Format: formats.Hosts})
		require.ErrorIs(t, err, blocklist.ErrMalformed, name)
		assert.ErrorContains(t, err, tt.why, name)
	}
}

// A network, or a mistake in one, is no page, and a URL of a whole host in a list of names is the name.
func TestTargets(t *testing.T) {
	keep := lines("a.example", "b.example", "c.example", "d.example", "e.example", "f.example", "g.example", "h.example", "i.example", "j.example")
	names := strings.Fields(keep)
	for _, bad := range []string{
		"192.0.2.11/16", "192.0.2.*", "192.0.*", "[2001:db8:53:*]", "'192.0.2.7'", "0/0", "198.51.100.0/33", "300.1.1.1/24", "192.0.2.0/24x", "192.0.2/24", "192.0.2.1/24/",
		"2001:db8::1/32", "2001:db8::/129", "[2001:db8::]/32", "300.1.1.1/x", "1/2", "1234/5678",
	} {
		entries, skipped, err := read(t, keep+bad+"\n", formats.Options{})
		require.NoError(t, err, bad)
		assert.Equal(t, names, entries, bad)
		assert.Len(t, skipped, 1, bad)
	}
	for text, want := range map[string]string{
		"http://k.example": "k.example", "https://k.example/": "k.example", "k.example/": "k.example", "http://K.example:8080/": "k.example",
		"k.example/x": "https://k.example/x", "https://k.example/?x": "https://k.example/?x", "http://192.0.2.7/": "https://192.0.2.7/", "192.0.2.7/1.exe": "https://192.0.2.7/1.exe",
		"[2001:db8::7]/x": "https://[2001:db8::7]/x", "192.0.2.0/24": "192.0.2.0/24",
	} {
		entries, _, err := read(t, keep+text+"\n", formats.Options{})
		require.NoError(t, err, text)
		assert.Equal(t, append(names[:10:10], want), entries, text)
	}
	r, err := formats.NewReader(strings.NewReader(lines("a.example/x", "http://b.example", "192.0.2.11/16", "c.example", "d.example", "e.example")), formats.Options{})
	require.NoError(t, err)
	for _, err := range r.Entries() {
		require.NoError(t, err)
	}
	assert.Equal(t, 1, r.Report().URLs)
	assert.Equal(t, []formats.Skip{{Reason: "network with bits set outside its prefix", Count: 1, Lines: []int{3}, Hint: "in the first, write 192.0.0.0/16"}}, r.Report().Skipped)
	entries, _, err := read(t, lines("# argine entries", "https://a.example/"), formats.Options{})
	require.NoError(t, err)
	assert.Equal(t, []string{"https://a.example/"}, entries, "our own lines say what they say")
}

// What stands in an exception that can't be read is not listed.
func TestUnreadableExceptions(t *testing.T) {
	for _, exception := range []string{
		"@@ ||x.example^", `@@"||x.example^"`, "@@0.0.0.0 x.example", "@@^x.example^", "@@:x.example", `@@/^(?!y)x\.example$/`, `@@/^(?=(x))x\.example$/`, "@@/(x.example/", "@@^.x.example.^",
	} {
		entries, _, err := read(t, lines("||a.example^", "||x.example^", exception, "||b.example^"), formats.Options{Format: formats.Adblock})
		require.NoError(t, err, exception)
		assert.Equal(t, []string{"a.example", "b.example"}, entries, exception)
	}
}

// Rows of a table among plain names are no URLs.
func TestRowsAmongNames(t *testing.T) {
	tt := rulesTest{
		"rows", formats.Domains,
		lines("a.example", "http://b.example/;b.example;;", "http://c.example/p;c.example", "https://d.example/p,d.example,blocked", "https://e.example/p|x||", "https://f.example/a;b?c,d", "g.example",
			"h.example", "i.example", "j.example", "k.example", "l.example", "m.example", "n.example", "o.example", "p.example", "q.example"),
		[]string{"a.example", "https://f.example/a;b?c,d", "g.example", "h.example", "i.example", "j.example", "k.example", "l.example", "m.example", "n.example", "o.example", "p.example", "q.example"},
		[]int{2, 3, 4, 5},
	}
	tt.run(t, formats.Options{})
}

// What no name server takes for a record lists nothing.
func TestBadRecords(t *testing.T) {
	tt := rulesTest{
		"records", formats.RPZ, lines("a.example CNAME .", "b.example CNAME . extra", `"c.example" CNAME .`, "d.example CNAME .", "e.example CNAME .", "f.example CNAME .", "g.example CNAME .", "h.example CNAME ."),
		[]string{"=a.example", "=d.example", "=e.example", "=f.example", "=g.example", "=h.example"},
		[]int{2, 3},
	}
	tt.run(t, formats.Options{})
}
