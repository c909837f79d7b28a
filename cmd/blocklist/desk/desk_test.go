package desk_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReading(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.list(t, `example.org category=test ref="order 17" expires=2099-05-01`, "=www.example.net", "https://social.example/user/7", "sub.example.org")
	a.open(t)
	b := a.enter(t)
	for path, want := range map[string][]string{
		"/":                                {"What waits", "entries in the ledger4", "+4 −0", "4 changed entries are in no release yet"},
		"/entries":                         {"=www.example.net|decided, not in force yet: a release must be made|||–|–", `|test|order 17|2099-05-01|–`},
		"/entries?scope=url":               {"https://social.example/user/7"},
		"/entries?prefix=sub":              {"sub.example.org"},
		"/search?q=www.example.org":        {"example.org|decided, not in force yet: a release must be made · covers it"},
		"/search?q=example.org":            {"Entries below it", "sub.example.org"},
		"/search?q=%231":                   {"Operation 1", "list made"},
		"/search?q=nothing.example":        {"Nothing was found"},
		"/entry?of=http://example.org:80/": {"What covers it", "order 17|test|blocks|2099-05-01|–", "Listed · ", "as ordered"},
		"/history?author=c*":               {"|carla|as ordered; safety check overridden: the guards know no test"},
		"/history?kind=push":               {"No operation or decision fits"},
		"/operation/2":                     {"Operation 2", "+|example.org|", "Hash of the operation before"},
		"/entry/page?of=example.org":       {"example.org: decided, not in force yet"},
	} {
		p := b.getAny(t, path)
		assert.Equal(t, http.StatusOK, p.status, path)
		for _, text := range want {
			assert.Contains(t, p.text, text, path)
		}
	}
	for path, status := range map[string]int{
		"/nope": 404, "/operation/99": 404, "/operation/x": 404, "/entry?of=two+words": 400, "/history?since=yesterday": 400,
		"/history?before=-1": 400, "/assets/0/style.css": 404,
	} {
		assert.Equal(t, status, b.get(t, path).status, path)
	}
}

// getAny reads a page that may have a style sheet of its own: one to print.
func (b *browser) getAny(t *testing.T, path string) page {
	t.Helper()
	if !strings.HasPrefix(path, "/entry/page") && !strings.HasPrefix(path, "/reports/") {
		return b.get(t, path)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+path, nil)
	require.NoError(t, err)
	r.Header.Set("X-Remote-User", b.user)
	answer, err := b.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return page{status: answer.StatusCode}
	}
	var text strings.Builder
	_, err = copyText(&text, answer)
	require.NoError(t, err)
	return page{status: answer.StatusCode, header: answer.Header, text: text.String(), raw: text.String()}
}

// Pages of a long list follow one another in both directions and both orders, without a gap.
func TestPages(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	var names []string
	for i := range 120 {
		names = append(names, strings.Repeat("x", i/10+1)+string(rune('a'+i%10))+".example")
	}
	a.list(t, names...)
	a.open(t)
	b := a.enter(t)
	for _, order := range []string{"", "&sort=-target"} {
		first := b.get(t, "/entries?prefix=x"+order)
		second := b.get(t, link(t, first, "next"))
		third := b.get(t, link(t, second, "next"))
		assert.Equal(t, []int{50, 50, 20}, []int{rows(first, 6), rows(second, 6), rows(third, 6)})
		assert.NotContains(t, third.raw, `rel="next"`)
		back := b.get(t, link(t, third, "prev"))
		assert.Equal(t, second.text, back.text)
		again := b.get(t, link(t, back, "prev"))
		assert.Equal(t, first.text, again.text)
		assert.NotContains(t, again.raw, `rel="prev"`)
	}
}

func rows(p page, columns int) int { return strings.Count(p.text, "|") / columns }

// link returns the URL of a page's link to another page.
func link(t *testing.T, p page, rel string) string {
	t.Helper()
	_, rest, ok := strings.Cut(p.raw, `rel="`+rel+`" href="`)
	require.True(t, ok, "%s in %s", rel, p.text)
	href, _, _ := strings.Cut(rest, `"`)
	return strings.ReplaceAll(href, "&amp;", "&")
}

// The language is the one that the browser asks for, until another one is chosen. So is the zone.
func TestPreferences(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.open(t)
	b := a.enter(t)
	b.lang = "it-CH, de;q=0.5"
	assert.Contains(t, b.get(t, "/").text, "Ultime operazioni")
	b.lang = "de"
	assert.Contains(t, b.get(t, "/").text, "Last operations")
	p := b.post(t, "/preferences", url.Values{"language": {"it"}, "back": {"/history?kind=add"}})
	assert.Equal(t, "/history?kind=add", p.path)
	assert.Contains(t, p.text, "Nessuna operazione o decisione corrisponde")
	month := b.getAny(t, "/reports/"+time.Now().UTC().Format("2006-01"))
	assert.Contains(t, month.text, "Nessuna voce è stata inserita, ritirata o modificata.")
	assert.Equal(t, "it", month.header.Get("Content-Language"))
	assert.Contains(t, b.getAny(t, "/entry/page?of=example.org").text, "mai inserita direttamente")
	p = b.post(t, "/preferences", url.Values{"zone": {"Europe/Rome"}, "back": {"//evil.example/"}})
	assert.Equal(t, "/", p.path)
	assert.NotContains(t, p.text, " UTC")
	for _, zone := range []string{"../../etc/passwd", "Local", "Nowhere/Land", strings.Repeat("x", 99)} {
		p = b.post(t, "/preferences", url.Values{"zone": {zone}, "language": {"xx"}, "back": {"/"}})
		assert.Equal(t, "Europe/Rome", p.values["zone"])
	}
}
