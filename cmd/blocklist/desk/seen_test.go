package desk_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/testdata/longtest"
)

// axePath says where axe-core is.
const axePath = "ARGINE_AXE"

// Each page fits into a narrow and into a wide window, and Tab comes to each of its elements, which then show it. None has
// a finding of axe-core that is serious or critical.
func TestSeen(t *testing.T) {
	t.Parallel()
	longtest.Only(t, "a browser looks at each page")
	chromium, a, axe := newChromium(t), newScene(t), readAxe(t)
	for _, v := range []view{
		{width: 360, lang: "en"}, {width: 1440, lang: "it"}, {width: 360, lang: "it", dark: true}, {width: 1440, lang: "en", dark: true},
	} {
		t.Run(v.String(), func(t *testing.T) {
			w := openWindow(chromium, t, a.server.URL, "rita", v)
			for _, s := range stills() {
				w.look(s)
				w.check()
				w.axe(axe, s.name)
				if v.lang == "en" {
					w.tabThrough(s.name)
				}
			}
		})
	}
}

// A person who has checked a proposal is told so, and can't press the button; for others the page is the same but for that.
func TestOwnCheck(t *testing.T) {
	t.Parallel()
	longtest.Only(t, "a browser looks at a page")
	chromium, a := newChromium(t), newScene(t)
	w := openWindow(chromium, t, a.server.URL, "Rita", view{width: 1440, lang: "it"}) // in other letters
	require.NoError(t, a.SetRole(t.Context(), "Rita", publish.RoleReviewer, audit))
	disabled := func() bool { return evaluate[bool](w, `document.querySelector('button[value=confirm]').disabled`) }
	of := func(id int) bool {
		return evaluate[bool](w, fmt.Sprintf(`document.querySelector('[name="verdict:%d"][value=confirm]').disabled`, id))
	}
	w.open("/proposal/6")
	w.sees(w.word("decide.own"))
	assert.True(t, disabled())
	w.open("/proposals/review?id=4&id=6")
	w.sees(w.word("decide.own"))
	w.sees(w.word("decide.checker", "carla"))
	assert.True(t, of(6))
	assert.False(t, of(4), "the other one may be confirmed")
	w.open("/proposal/4")
	w.sees(w.word("decide.checker", "carla"))
	assert.False(t, disabled())
}

// readAxe returns the script of axe-core, an empty text where it is not there.
func readAxe(t *testing.T) string {
	t.Helper()
	path := os.Getenv(axePath)
	if path == "" {
		t.Run("axe", func(t *testing.T) {
			t.Skip("needs the path of axe.min.js, of the npm package axe-core, in " + axePath)
		})
		return ""
	}
	script, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(script)
}

// reach marks the element with the focus. It returns what is wrong with it, a dash at the end of the page.
const reach = `(() => {
	const e = document.activeElement;
	if (e === document.body || e === document.documentElement) return '-';
	e.reached = true;
	const s = getComputedStyle(e), r = e.getBoundingClientRect();
	const seen = r.width > 1 && r.bottom > 0 && r.top < innerHeight && r.right > 0 && r.left < innerWidth;
	if (!seen) return 'not in the window: ' + e.outerHTML;
	if (s.outlineStyle === 'none' || parseFloat(s.outlineWidth) < 1) return 'no outline: ' + e.outerHTML;
	return '';
})()`

// missed lists the elements that Tab has not come to. Of radio buttons with the same name, Tab comes to the chosen one.
const missed = `[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')]
	.filter(e => e.checkVisibility() && !e.disabled && !e.reached &&
	!(e.type === 'radio' && document.getElementsByName(e.name).values().some(r => r.reached))).map(e => e.outerHTML)`

// tabThrough presses Tab until the end of the page.
func (w *window) tabThrough(page string) {
	w.t.Helper()
	for range 400 {
		w.do(chromedp.KeyEvent("\t"))
		switch wrong := evaluate[string](w, reach); wrong {
		case "":
		case "-":
			assert.Empty(w.t, evaluate[[]string](w, missed), page)
			return
		default:
			assert.Fail(w.t, wrong, page)
		}
	}
	assert.Fail(w.t, "Tab does not come to an end", page)
}

// finding is what axe-core has found.
type finding struct {
	ID, Impact, Help string
	Nodes            []struct {
		HTML           string
		FailureSummary string
	}
}

// axe fails on what axe-core finds on the page, if it is there, and notes what is less than serious.
func (w *window) axe(script, page string) {
	w.t.Helper()
	if script == "" {
		return
	}
	evaluate[bool](w, script+"; true")
	for _, f := range evaluate[[]finding](w, "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)") {
		text := fmt.Sprintf("%s: %s: %s: %s", page, f.Impact, f.ID, f.Help)
		for _, n := range f.Nodes {
			text += "\n" + n.HTML + "\n" + n.FailureSummary
		}
		if f.Impact == "serious" || f.Impact == "critical" {
			assert.Fail(w.t, text)
		} else {
			w.t.Log(text)
		}
	}
}
