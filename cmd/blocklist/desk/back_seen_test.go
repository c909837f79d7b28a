package desk_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/testdata/longtest"
)

// Back leads to a preview whose form was sent. The browser has kept it in memory; the page is made again, so that it neither
// says that nothing was changed yet nor offers a button that does nothing. A page whose form was not sent stays as it was.
func TestBackAfterSending(t *testing.T) {
	longtest.Only(t, "it drives a browser")
	chromium, a := newChromium(t), newAgency(t)
	require.NoError(t, a.SetRole(t.Context(), "carla", publish.RoleClerk, audit))
	a.openBehindProxy(t)
	w := openWindow(chromium, t, a.server.URL, "carla", view{width: 1280, lang: "en"})
	w.open("/add")
	w.write(w.word("add.entries"), "bad.example")
	w.press("button", w.word("preview.do"))
	w.sees(w.word("preview.nothingyet"))
	back := func() (kept bool) {
		t.Helper()
		evaluate[bool](w, "document.title = 'behind', history.back(), true")
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			assert.NotEqual(c, "behind", evaluate[string](w, "document.title"))
			assert.Equal(c, "complete", evaluate[string](w, "document.readyState"))
		}, time.Minute, 20*time.Millisecond)
		time.Sleep(200 * time.Millisecond) // for a page to be made again
		return evaluate[bool](w, "Boolean(window.kept)")
	}
	evaluate[bool](w, "window.kept = true")
	w.press("link", w.word("nav.history"))
	assert.True(t, back(), "the browser has kept the page, and its form was not sent")
	w.sees(w.word("preview.nothingyet"))
	w.press("button", w.word("add.confirm"))
	assert.False(t, back(), "it is made again")
	w.sees(w.word("preview.same"))
	assert.NotContains(t, w.text(), w.word("preview.nothingyet"))
}
