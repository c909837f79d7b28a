package desk_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/blocklist/desk"
	"github.com/argine-dns/argine/testdata/longtest"
)

// restartable opens a desk behind a proxy, and returns its address and what starts it again at the same one.
func (a *agency) restartable(t *testing.T) (address string, restart func()) {
	t.Helper()
	var now atomic.Pointer[desk.Desk]
	restart = func() {
		d, err := desk.New(desk.Options{
			Dir: a.dir, Log: slog.New(slog.DiscardHandler), UserHeader: "X-Remote-User", SignOut: "/nothing",
			Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		})
		require.NoError(t, err)
		if before := now.Swap(d); before != nil {
			require.NoError(t, before.Close())
		}
	}
	restart()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { now.Load().ServeHTTP(w, r) }))
	t.Cleanup(func() {
		server.Close()
		require.NoError(t, now.Load().Close())
	})
	return server.URL, restart
}

// What is typed and not done yet outlives a restart of the desk, and ends when it is done, or when its person leaves.
func TestTypedOutlivesTheDesk(t *testing.T) {
	longtest.Only(t, "it drives a browser")
	chromium, a := newChromium(t), newAgency(t)
	for _, name := range []string{"carla", "dora"} {
		require.NoError(t, a.SetRole(t.Context(), name, publish.RoleClerk, audit))
	}
	address, restart := a.restartable(t)
	w := openWindow(chromium, t, address, "carla", view{width: 390, lang: "it"})
	field := func(name string) string {
		return evaluate[string](w, `document.querySelector('#typed [name="`+name+`"]').value`)
	}
	w.open("/add")
	w.write(w.word("add.entries"), "bad.example")
	w.write(w.word("col.reason"), "as ordered")
	w.tick(w.word("add.monitor"))
	for range 2 {
		restart()
		w.open("/add")
		w.sees(w.word("typed.back"))
		assert.Equal(t, []string{"bad.example", "as ordered"}, []string{field("entries"), field("reason")})
		assert.True(t, evaluate[bool](w, `document.querySelector('#typed [name=status]').checked`))
	}
	w.press("button", w.word("preview.do"))
	w.sees(w.word("preview.nothingyet"))
	restart()
	w.load(chromedp.Reload())
	w.sees(w.word("typed.back"))
	assert.Equal(t, "bad.example", field("entries"), "a preview that the desk does not know any more")
	w.open("/add?entries=other.example")
	assert.Equal(t, "other.example", field("entries"), "a link fills the form in")
	w.open("/add")
	w.press("button", w.word("preview.do"))
	w.press("button", w.word("add.confirm"))
	w.open("/add")
	assert.Empty(t, field("entries")+field("reason"), "it is done")

	w.open("/propose")
	w.write(w.word("propose.targets"), "worse.example")
	w.write(w.word("propose.source"), "hotline")
	restart()
	w.open("/propose")
	assert.Equal(t, "worse.example", field("entries"))
	w.press("button", w.word("propose.do"))
	w.press("button", w.word("propose.ticked"))
	w.sees(w.word("outcome.recorded"))
	w.open("/propose")
	assert.Empty(t, field("entries"))

	w.write(w.word("propose.targets"), "third.example")
	other := openWindow(chromium, t, address, "dora", view{width: 1280, lang: "it"})
	other.open("/propose")
	assert.Empty(t, evaluate[string](other, `document.querySelector('[name=entries]').value`))
	w.visit(w.pressing("link", w.word("leave")))
	w.open("/propose")
	assert.Empty(t, field("entries"), "its person has left")
	assert.Zero(t, evaluate[int](w, "sessionStorage.length"))
}

// What is done is not typed text any more: neither Back to its preview nor to the form with it brings it back, whatever
// page the person opens next.
func TestTypedEndsWhenDone(t *testing.T) {
	longtest.Only(t, "it drives a browser")
	chromium, a := newChromium(t), newAgency(t)
	require.NoError(t, a.SetRole(t.Context(), "carla", publish.RoleClerk, audit))
	a.list(t, "bad.example")
	address, _ := a.restartable(t)
	w := openWindow(chromium, t, address, "carla", view{width: 1280, lang: "en"})
	entries := func() string { return evaluate[string](w, `document.querySelector('#typed [name=entries]').value`) }
	for _, c := range []struct{ path, field, preview, do string }{
		{"/withdraw", "withdraw.entries", "preview.do", "withdraw.confirm"},
		{"/add", "add.entries", "preview.do", "add.confirm"},
		{"/propose", "propose.targets", "propose.do", "propose.ticked"},
	} {
		w.open(c.path)
		if w.write(w.word(c.field), "bad.example"); c.path == "/propose" {
			w.write(w.word("propose.source"), "hotline")
			evaluate[bool](w, `(document.querySelector('#typed [name=withdraw]').checked = true)`)
		}
		w.press("button", w.word(c.preview))
		preview := evaluate[string](w, "location.pathname + location.search")
		w.press("button", w.word(c.do))
		w.visit(chromedp.Navigate(w.base + preview)) // as Back does, after which the page is made again
		w.visit(chromedp.Navigate(w.base + preview + "&edit=1"))
		w.open(c.path)
		assert.Empty(t, entries(), c.path)
		assert.NotContains(t, w.text(), w.word("typed.back"), c.path)
		w.write(w.word(c.field), "new.example")
		w.open("/history")
		w.open(c.path)
		assert.Equal(t, "new.example", entries(), "what is typed after it is kept")
		evaluate[bool](w, "document.getElementById('typed').reset(), true")
	}
}

// Another time zone or language loses nothing that is typed, with and without JavaScript.
func TestTypedOutlivesPreferences(t *testing.T) {
	longtest.Only(t, "it drives a browser")
	chromium, a := newChromium(t), newScene(t)
	for _, v := range []view{{width: 1280, lang: "it"}, {width: 390, lang: "it", noScript: true, keyboard: true}} {
		t.Run(v.String(), func(t *testing.T) {
			w := openWindow(chromium, t, a.server.URL, "rita", v)
			for _, path := range []string{"/add", "/withdraw", "/propose", "/urgent", "/proposal/3"} {
				w.open(path)
				reference := func() string {
					return evaluate[string](w, `document.querySelector('#typed :is([name=decision], [name=reference])').value`)
				}
				w.focus(w.node(`document.querySelector('#typed :is([name=decision], [name=reference])')`))
				w.do(chromedp.KeyEvent("order 7"))
				typed := reference()
				require.Contains(t, typed, "order 7")
				w.press("button", w.word("zone")+": "+evaluate[string](w, "document.documentElement.dataset.zone || 'UTC'"))
				evaluate[string](w, "document.getElementById('zone').value = 'Europe/Rome'")
				w.press("button", w.word("zone.set"))
				assert.Equal(t, typed, reference(), path)
				w.sees(w.word("zone") + ": Europe/Rome")
				w.press("button", "English")
				assert.Equal(t, typed, reference(), path)
				w.press("button", "Italiano")
			}
		})
	}
}

// A field that is hidden at first is seen where its text was brought back.
func TestTypedIsSeen(t *testing.T) {
	longtest.Only(t, "it drives a browser")
	chromium, a := newChromium(t), newAgency(t)
	require.NoError(t, a.SetRole(t.Context(), "carla", publish.RoleClerk, audit))
	address, restart := a.restartable(t)
	w := openWindow(chromium, t, address, "carla", view{width: 390, lang: "it"})
	w.open("/withdraw")
	assert.False(t, evaluate[bool](w, `document.querySelector('#typed details').open`))
	evaluate[bool](w, `(document.querySelector('#typed details').open = true)`)
	w.write(w.word("withdraw.reference"), "order 7")
	restart()
	w.open("/withdraw")
	assert.True(t, evaluate[bool](w, `document.querySelector('#typed details').open`))
}
