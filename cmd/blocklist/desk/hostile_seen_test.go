package desk_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/testdata/longtest"
)

// fill writes a text into each field of a form, whatever the form says of it, and sends the form. The second text is for
// what names entries.
const fill = `(i, text, entries) => {
	const form = document.forms[i];
	for (const e of form.elements) {
		if (!e.matches('input:not([type=hidden]):not([type=file]), textarea, select')) continue;
		if (e.type === 'date') e.type = 'text';
		if (e.tagName === 'SELECT') e.add(new Option(text, text, true, true));
		e.value = e.name === 'entries' && entries ? entries : text;
	}
	HTMLFormElement.prototype.submit.call(form);
}`

// hasText lists the forms with a field for text; those of every page only on the first one.
const hasText = `[...document.forms].map((f, i) => [...f.elements].some(e => e.matches('input:not([type]), input[type=search], textarea')) && (location.pathname === '/' || f.closest('main')) ? i : -1).filter(i => i >= 0)`

// Hostile text in every field of every form, sent by a real browser, is never more than text: nothing runs, nothing of it
// is refused by the policy because it came to the page as markup, and no page becomes wider than its window.
func TestHostileSeen(t *testing.T) {
	t.Parallel()
	longtest.Only(t, "a browser sends each form many times")
	a := newAgency(t)
	a.list(t, "bad.example", "https://social.example/user/7")
	a.open(t)
	b := a.enter(t)
	b.propose(t, fields("entries", "first.example", "source", "hotline"))
	w := openWindow(newChromium(t), t, a.server.URL, "", view{width: 360, lang: "en"})
	w.session(b)
	markup := hostile()[0] + `</textarea></title><svg onload=alert(2)><a href="javascript:alert(3)">x</a>`
	for i, text := range []string{markup, "bidi \u202egnp.exe\u2066 \u200b", `=HYPERLINK("https://evil.example")`, strings.Repeat("long", 25_000), strings.Repeat("w", 1000)} {
		for _, path := range []string{"/", "/add", "/withdraw?entries=bad.example", "/propose", "/urgent", "/proposal/1", "/proposals", "/entries", "/history"} {
			w.sendForms(path, text, []string{"", "ok.example"}[i%2])
		}
	}
	for i, text := range []string{markup, strings.Repeat("w", 1000), `=1+1 "quoted"`} {
		record(t, b, fmt.Sprintf("listed%d.example", i), text)
	}
	for _, v := range []view{{width: 360, lang: "it"}, {width: 1440, lang: "en"}} {
		w := openWindow(w.ctx, t, a.server.URL, "", v)
		w.session(b)
		for _, path := range []string{
			"/", "/entries", "/entry?of=listed0.example", "/entry?of=listed1.example", "/entry/page?of=listed1.example", "/history", "/pending", "/due",
			"/proposals", "/proposal/2", "/proposals/review?id=1&id=2&id=3", "/operation/3", "/operation/4", "/urgent", "/people", "/platforms",
			"/search?q=listed1.example", "/reports/" + time.Now().UTC().Format("2006-01"),
		} {
			w.open(path)
		}
	}
}

// session takes over the session of another browser.
func (w *window) session(b *browser) {
	w.t.Helper()
	w.cookies(b.Jar.Cookies(b.url()))
}

// sendForms sends each form of a page.
func (w *window) sendForms(path, text, entries string) {
	w.t.Helper()
	w.open(path)
	for _, i := range evaluate[[]int](w, hasText) {
		status := w.visit(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("(%s)(%d, %q, %q)", fill, i, text, entries)))
		assert.Less(w.t, status, int64(http.StatusInternalServerError), path)
		w.check()
		w.open(path)
	}
}

// record has a text in all that is kept of an entry and of a proposal.
func record(t *testing.T, b *browser, name, text string) {
	t.Helper()
	f := fields("entries", name, "category", "test", "reference", text, "reason", text, "expires", time.Now().AddDate(0, 0, 9).Format(time.DateOnly))
	f.Set("head", b.post(t, "/add", f).values["head"])
	assert.Equal(t, http.StatusOK, b.post(t, "/add", f).status)
	p := b.propose(t, fields("entries", "proposed-"+name, "source", "hotline", "reference", text, "note", text))
	assert.Contains(t, p.text, "recorded")
}
