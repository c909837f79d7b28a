package desk_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	printed "github.com/chromedp/cdproto/page"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/blocklist/desk"
	"github.com/argine-dns/argine/testdata/longtest"
	"github.com/argine-dns/argine/testdata/peers"
)

// An ordinary page that is printed has no controls. On a telephone, the frame of the keyboard's focus in the navigation is
// not cut.
func TestPrintedAndFocused(t *testing.T) {
	t.Parallel()
	longtest.Only(t, "a browser looks at a page")
	a := newAgency(t)
	a.list(t, "bad.example")
	require.NoError(t, a.SetRole(t.Context(), "anna", publish.RoleReader, audit))
	a.openBehindProxy(t, func(o *desk.Options) { o.SignOut = "/oauth2/sign_out" })
	w := openWindow(newChromium(t), t, a.server.URL, "anna", view{width: 360, lang: "en", keyboard: true})
	w.open("/entry?of=bad.example")
	w.focus(w.node(`document.querySelector('nav a[href="/entries"]')`))
	assert.GreaterOrEqual(t, evaluate[float64](w, `(() => {
		const a = document.activeElement, s = getComputedStyle(a), u = a.closest('ul').getBoundingClientRect();
		const frame = parseFloat(s.outlineOffset) + parseFloat(s.outlineWidth);
		return a.getBoundingClientRect().top - frame - u.top;
	})()`), 0.0)
	shown := func() []string {
		return evaluate[[]string](w, `[...document.querySelectorAll('[data-leave], nav, .search, .preferences')].filter(e => e.checkVisibility()).map(e => e.className || e.tagName)`)
	}
	assert.NotEmpty(t, shown())
	call(w, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	assert.Empty(t, shown())
}

// What is below the tables of a printed report is on one page, whatever their length: the hash beside what it is of.
func TestPrintedReportEndsOnOnePage(t *testing.T) {
	t.Parallel()
	longtest.Only(t, "a browser prints")
	peers.Installed(t, "pdftotext")
	a := newAgency(t)
	require.NoError(t, a.SetRole(t.Context(), "anna", publish.RoleAuditor, audit))
	a.openBehindProxy(t)
	w := openWindow(newChromium(t), t, a.server.URL, "anna", view{width: 1440, lang: "en"})
	for i := range 24 {
		if a.list(t, fmt.Sprintf("site%d.example", i)); i < 8 {
			continue
		}
		w.open("/reports/" + time.Now().UTC().Format("2006-01"))
		file := call(w, printed.PrintToPDF, printed.PrintToPDFParams{PreferCSSPageSize: new(true)})
		c := exec.CommandContext(t.Context(), "pdftotext", "-layout", "-", "-")
		c.Stdin = bytes.NewReader(file.Data)
		text, err := c.Output()
		require.NoError(t, err)
		pages := strings.Split(strings.TrimRight(string(text), "\f"), "\f")
		for _, part := range []string{"Made on", a.head(t).Hash, "their number."} {
			assert.Contains(t, strings.Join(strings.Fields(pages[len(pages)-1]), " "), part, "%d operations", i)
		}
	}
}
