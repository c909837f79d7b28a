package stoppage_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/stoppage"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// newServer returns a stop page in front of a resolver with four lists.
func newServer(t testing.TB, c stoppage.Config) *stoppage.Server {
	t.Helper()
	store := blocktest.NewStore(t)
	for list, entries := range map[string]string{
		"it.example/csam": `listed.example ref="order 17/2026 <b>&"` + "\nplain.example\nwatched.example status=monitor",
		"own":             "games.example ref=secret", "free": "free.listed.example",
		"a": "both.example ref=a/1", "b": "both.example\nonly.example",
	} {
		blocktest.SetList(t, store, list, entries)
	}
	policy := dnsfilter.Policy{
		Allow: []string{"free"},
		Rules: []dnsfilter.Rule{
			{List: "it.example/csam", Action: dnsfilter.NXDomain, Reason: dnsfilter.Censored, Notice: dnsfilter.Notice{
				Authority: `Ufficio "A" & B <i>`, Contact: []string{"mailto:abuse@authority.example?subject=x", "tel:+390000"},
				Language: "it",
			}},
			{List: "own", Action: dnsfilter.Sinkhole, Sinkhole: []netip.Addr{netip.MustParseAddr("192.0.2.80")}},
		},
		Quorums: []dnsfilter.Quorum{{
			Rule: dnsfilter.Rule{
				List: "quorum/1", Action: dnsfilter.NXDomain, Reason: dnsfilter.Censored,
				Notice: dnsfilter.Notice{Authority: "Agencies together", Language: "de"},
			},
			Lists: []string{"a", "b"}, AtLeast: 2,
		}},
		Views: []dnsfilter.View{{Clients: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}},
	}
	up, err := upstream.New(upstream.Endpoint{Addr: netip.MustParseAddrPort("192.0.2.53:53")})
	require.NoError(t, err)
	s, err := dnsfilter.New(dnsfilter.Config{Store: store, Policy: policy, Upstream: up})
	require.NoError(t, err)
	if c.Templates == nil {
		c.Templates, err = stoppage.LoadTemplates("")
		require.NoError(t, err)
	}
	return stoppage.New(s.Decide, c)
}

func get(s http.Handler, host, languages string) *httptest.ResponseRecorder {
	return ask(s, http.MethodGet, host, languages, "192.0.2.1:1234")
}

func ask(s http.Handler, method, host, languages, client string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/some/path?x", nil)
	r.Host, r.RemoteAddr = host, client
	r.Header.Set("Accept-Language", languages)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestBlocked(t *testing.T) {
	t.Parallel()
	s := newServer(t, stoppage.Config{BlockedBy: "https://isp.example/blocking"})
	w := get(s, "www.Listed.example:80", "it-IT,it;q=0.9,en;q=0.8")
	assert.Equal(t, http.StatusUnavailableForLegalReasons, w.Code)
	for name, value := range map[string]string{
		"Link": `<https://isp.example/blocking>; rel="blocked-by"`, "Cache-Control": "no-store", "Content-Language": "it",
		"Vary": "Accept-Language", "X-Content-Type-Options": "nosniff", "Content-Type": "text/html; charset=utf-8",
	} {
		assert.Equal(t, value, w.Header().Get(name), name)
	}
	assert.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'")
	body := w.Body.String()
	for _, text := range []string{
		`<html lang="it">`, "Questo sito è bloccato", "<dd>www.listed.example</dd>", "order 17/2026 &lt;b&gt;&amp;",
		"Ufficio &#34;A&#34; &amp; B &lt;i&gt;", `href="mailto:abuse@authority.example?subject=x">abuse@authority.example<`,
		`href="tel:&#43;390000"`, `href="https://isp.example/blocking"`, "it.example/csam",
	} {
		assert.Contains(t, body, text)
	}
	assert.NotContains(t, body, "<script")
	assert.Equal(t, body, get(s, "www.listed.example", "it").Body.String(), "the page is made once")
}

// The status says whether an authority has ordered the block; a list without a notice keeps its references to itself.
func TestStatus(t *testing.T) {
	t.Parallel()
	s := newServer(t, stoppage.Config{BlockedBy: "https://isp.example/"})
	for host, status := range map[string]int{
		"listed.example": 451, "plain.example": 451, "a.b.listed.example.": 451, "games.example": 403, "both.example": 451,
		"only.example": 421, "free.listed.example": 421, "watched.example": 421, "other.example": 421, "192.0.2.80": 421,
		"[2001:db8::80]:80": 421, "": 400, "a/b": 400, "a b": 400, "<b>.listed.example": 451, "a%00.listed.example": 400,
	} {
		w := get(s, host, "en")
		assert.Equal(t, status, w.Code, host)
		assert.Equal(t, status == 451, w.Header().Get("Link") != "", host)
		if status == 421 || status == 400 {
			assert.NotContains(t, w.Body.String(), "is blocked", host)
			assert.NotContains(t, w.Body.String(), "has ordered", host)
		}
	}
	assert.NotContains(t, get(s, "games.example", "en").Body.String(), "secret")
	assert.Contains(t, get(s, "both.example", "fr").Body.String(), "Agencies together", "a quorum has its own notice")
	assert.Equal(t, http.StatusMisdirectedRequest, ask(s, http.MethodGet, "listed.example", "", "198.51.100.7:1").Code, "a view without lists")
	assert.Equal(t, map[stoppage.Shown]uint64{
		{List: "it.example/csam", Language: "en"}: 4, {List: "own", Language: "en"}: 2, {List: "quorum/1", Language: "en"}: 1,
		{List: "quorum/1", Language: "fr"}: 1, {Language: "en"}: 11,
	}, s.Stats().Shown)
}

func TestMethods(t *testing.T) {
	t.Parallel()
	s := newServer(t, stoppage.Config{})
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodOptions, http.MethodConnect, http.MethodTrace, "BREW"} {
		w := ask(s, method, "listed.example", "", "192.0.2.1:1")
		assert.Equal(t, http.StatusMethodNotAllowed, w.Code, method)
		assert.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	}
	assert.Equal(t, 451, ask(s, http.MethodHead, "listed.example", "", "192.0.2.1:1").Code)
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	s := newServer(t, stoppage.Config{})
	for accept, language := range map[string]string{
		"fr": "fr", "de-AT,de;q=0.9": "de", "es-MX": "es", "ja,es;q=0.5": "es", "en-GB;q=0.1, it;q=0.9": "it",
		"ja": "it", "": "it", ";;;": "it", strings.Repeat("a-", 3000): "it",
	} {
		assert.Equal(t, language, get(s, "listed.example", accept).Header().Get("Content-Language"), "%.20s", accept)
	}
	assert.Equal(t, "de", get(s, "both.example", "ja").Header().Get("Content-Language"), "that of the authority")
	assert.Equal(t, "en", get(s, "other.example", "ja").Header().Get("Content-Language"))
}

// Whatever a client sends as its host, it stays text.
func FuzzHost(f *testing.F) {
	s := newServer(f, stoppage.Config{BlockedBy: "https://isp.example/"})
	plain := elements(f, get(s, "listed.example", "en").Body.String())
	neutral := elements(f, get(s, "other.example", "en").Body.String())
	for _, seed := range []string{`a'"b`, "<b>", "xn--bcher-kva", "b\u00fccher", `a\032b`, "%3cscript%3e", "a{{.List}}", "\x00", "ARGINESTOPPAGEHOST", strings.Repeat("a.", 130)} {
		f.Add(seed, "en")
	}
	f.Fuzz(func(t *testing.T, label, languages string) {
		w := get(s, label+".listed.example", languages)
		switch w.Code {
		case 451:
			assert.Equal(t, plain, elements(t, w.Body.String()))
		case 400:
			assert.Equal(t, neutral, elements(t, w.Body.String()))
		default:
			assert.Equal(t, 421, w.Code)
		}
	})
}

// elements returns the tags and attribute names of a page.
func elements(t testing.TB, page string) (all []string) {
	t.Helper()
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return all
		case html.StartTagToken:
			token := z.Token()
			text := token.Data
			for _, a := range token.Attr {
				text += " " + a.Key
			}
			all = append(all, text)
		default:
		}
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("sl.html", `{{define "title"}}Ustavljeno{{end}}{{define "blocked"}}<h1>{{.Host}}</h1><a href="x?{{.Host}}" onclick="f('{{.Host}}')">{{.Reference}}</a>{{end}}{{define "unknown"}}?{{end}}`)
	write("logo.svg", "<svg/>")
	templates, err := stoppage.LoadTemplates(dir)
	require.NoError(t, err)
	s := newServer(t, stoppage.Config{Templates: templates})
	w := get(s, "a'b.listed.example", "sl-SI")
	assert.Equal(t, "sl", w.Header().Get("Content-Language"))
	assert.NotContains(t, w.Body.String(), "a'b", "a host has no character with a meaning in any context")
	assert.Equal(t, "fr", get(s, "listed.example", "fr").Header().Get("Content-Language"), "the others are built in")

	write("page.html", `<title>{{template "title" .}}</title>NEW {{if .Blocked}}{{template "blocked" .}}{{else}}{{template "unknown" .}}{{end}}`)
	templates, err = stoppage.LoadTemplates(dir)
	require.NoError(t, err)
	s.Reconfigure(stoppage.Config{Templates: templates})
	assert.Contains(t, get(s, "listed.example", "en").Body.String(), "NEW <h1>This website is blocked")

	for name, text := range map[string]string{
		"it.html":        `{{define "blocked"}}{{.Nothing}}{{end}}`,
		"de.html":        `{{define "title"}}`,
		"es.html":        `{{define "blocked"}}{{range $x := .Contacts}}{{$x.None}}{{end}}{{end}}`,
		"italiano!.html": `{{define "title"}}x{{end}}`,
		"fr.html":        strings.Repeat("x", 1<<17),
		"en.html":        `{{define "blocked"}}{{range .Authority}}{{end}}{{end}}`,
		"pt.html":        `{{define "title"}}only a title{{end}}`,
	} {
		write(name, text)
		_, err := stoppage.LoadTemplates(dir)
		assert.ErrorContains(t, err, strings.TrimSuffix(name, ".html"), name)
		require.NoError(t, os.Remove(filepath.Join(dir, name)))
	}
	_, err = stoppage.LoadTemplates(filepath.Join(dir, "none"))
	assert.ErrorContains(t, err, "none")
}

func BenchmarkPage(b *testing.B) {
	s := newServer(b, stoppage.Config{})
	r := httptest.NewRequest(http.MethodGet, "http://www.listed.example/", nil)
	r.Header.Set("Accept-Language", "it-IT,it;q=0.9,en-US;q=0.8,en;q=0.7")
	b.ReportAllocs()
	for b.Loop() {
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
}
