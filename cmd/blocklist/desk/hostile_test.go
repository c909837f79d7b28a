package desk_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/testdata/longtest"
)

// hostile are texts that must stay text.
func hostile() []string {
	return []string{
		`"><script>alert(1)</script><img src=x onerror=alert(1)>`, `javascript:alert(1)`, `{{.}} ${7*7} %s%n`, `' OR 1=1 --`,
		"bidi \u202egnp.exe\u2066 \u200b\u00ad", "control \x00\x1b[2J\x7f\r\nSet-Cookie: a=b", `=HYPERLINK("https://evil.example")`,
		strings.Repeat("long", 2000), "\xff\xfe invalid", "\u0645\u0631\u062d\u0628\u0627", `../../../etc/passwd`, "*[?", "https://evil.example/\u202e",
	}
}

// Hostile text in every field of every form and query changes nothing but text, and never breaks the desk.
func TestHostileInput(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.list(t, "bad.example")
	a.open(t)
	b := a.enter(t)
	gets := map[string][]string{
		"/search": {"q"}, "/entry": {"of"}, "/entries": {"prefix", "scope", "sort", "after", "before"}, "/due": {"what", "sort", "skip"},
		"/history": {"kind", "author", "reason", "reference", "target", "since", "until", "before", "decided"}, "/operation/1": {"skip"}, "/decision/1": {"skip"},
		"/platforms": {"sort"}, "/people": {"sort"}, "/subscribers": {"sort"}, "/add": {"entries", "reason"},
		"/proposals": {"state", "source", "category", "target", "sort", "after"}, "/proposals.csv": {"state", "source", "category", "target"}, "/proposals/review": {"id"},
	}
	posts := map[string][]string{
		"/add":      {"entries", "category", "reference", "reason", "expires", "review", "override", "head", "status"},
		"/withdraw": {"entries", "reference", "decision", "reason", "head"}, "/release": {"override"}, "/request": {"what", "recipients"},
		"/urgent": {"entries", "reference", "category", "reason"}, "/preferences": {"language", "zone", "back"}, "/code": {"what", "recipients"},
		"/urgent/keep": {"entries", "reason", "seen"}, "/urgent/end": {"entries", "reason", "seen"},
		"/propose":          {"entries", "source", "category", "reference", "note", "evidence"},
		"/proposals/decide": {"seen", "verb", "reason", "category", "reference", "expires", "override"},
	}
	texts := hostile()
	if longtest.Wanted() {
		texts = slices.Concat(texts, slices.Repeat(texts, 12)) // each text in each field
	}
	for i, text := range texts {
		for path, names := range gets {
			name := names[i%len(names)] // the others have it in the long run
			checkHostile(t, b.get(t, path+"?"+url.Values{name: {text}}.Encode()), path+" "+name)
		}
		for path, names := range posts {
			name, f := names[i%len(names)], fields("entries", "ok.example", "source", "hotline", "seen", "1:1", "verb", "check")
			f.Set(name, text)
			checkHostile(t, b.post(t, path, f), path+" "+name)
		}
		for _, path := range []string{"/operation/", "/reports/", "/proposal/", "/assets/x/"} {
			checkHostile(t, b.get(t, path+url.PathEscape(text)), path)
		}
	}
	_, err := a.Verify(t.Context(), nil)
	require.NoError(t, err)
}

// checkHostile fails if a page is an error of the desk, or has characters that no one sees. The kit has looked for
// elements and attributes that its policy forbids.
func checkHostile(t *testing.T, p page, where string) {
	t.Helper()
	if p.header.Get("Content-Disposition") != "" {
		return // a file
	}
	assert.Less(t, p.status, http.StatusInternalServerError, where)
	assert.NotContains(t, p.raw, "<script>", where)
	assert.NotContains(t, p.raw, "<img", where)
	assert.False(t, strings.ContainsFunc(p.raw, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsGraphic(r) }), where)
	assert.Empty(t, p.header.Values("Set-Cookie-A"), where)
}

// What is in the ledger is shown as text, too.
func TestHostileLedger(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	by := publish.Audit{Author: `<script>x</script>`, Reason: hostile()[0] + " \u200b", Reference: `"><b onclick=x>`}
	require.NoError(t, a.SetRules(t.Context(), publish.Rules{}, by))
	a.open(t)
	b := a.enter(t)
	for _, path := range []string{"/", "/history", "/operation/2", "/search?q=%3Cscript"} {
		p := b.get(t, path)
		checkHostile(t, p, path)
		if path != "/search?q=%3Cscript" {
			assert.Contains(t, p.text, `"><script>alert(1)</script>`, path)
			assert.Contains(t, p.text, `\u200b`, path)
		}
	}
}
