package desk_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/testdata/longtest"
)

// Proposals are chosen and decided on by keyboard alone, each with its own verdict: with the script in place, without it by
// links. Enter in a field decides nothing.
func TestVerdictsByKeyboard(t *testing.T) {
	t.Parallel()
	longtest.Only(t, "it drives a browser")
	chromium, axe := newChromium(t), readAxe(t)
	for _, v := range []view{
		{width: 360, lang: "it", keyboard: true},
		{width: 1440, lang: "en", keyboard: true},
		{width: 360, lang: "en", keyboard: true, noScript: true},
		{width: 1440, lang: "it", keyboard: true, noScript: true},
	} {
		t.Run(v.String(), func(t *testing.T) { decideByKeyboard(chromium, t, v, axe) })
	}
}

func decideByKeyboard(chromium context.Context, t *testing.T, v view, axe string) {
	a, _, _, _ := checkedProposals(t, "one.example", "https://two.example/page", "three.example", "co.uk")
	w := openWindow(chromium, t, a.server.URL, "rita", v)
	picture := func(name string) {
		if folder := os.Getenv(screenshotFolder); folder != "" {
			w.picture(filepath.Join(folder, fmt.Sprintf("%s-%s.png", name, v)))
		}
	}
	choose := func(role, name string) {
		if w.noScript {
			w.press(role, name)
		} else {
			w.activate(w.find(role, name))
		}
	}
	w.open("/proposals?state=checked")
	choose("link", w.words.Count("proposals.tick", 4))
	assert.Equal(t, 4, evaluate[int](w, `document.querySelectorAll('[name=id]:checked').length`))
	picture("proposals")
	w.press("button", w.word("proposals.review"))
	assert.Equal(t, 4, evaluate[int](w, `document.querySelectorAll('.verdict input[value=""]:checked').length`))
	choose("button", w.word("verb.confirm")+" (4)")
	assert.Equal(t, 4, evaluate[int](w, `document.querySelectorAll('.verdict input[value="confirm"]:checked').length`))
	row := func(id int, verdict string) {
		w.tabTo(w.node(fmt.Sprintf(`document.querySelector('[name="verdict:%d"]:checked')`, id)))
		for evaluate[string](w, `document.activeElement.value`) != verdict {
			w.do(chromedp.KeyEvent(kb.ArrowDown))
		}
	}
	row(2, "refuse")
	w.do(chromedp.KeyEvent("\t"), chromedp.KeyEvent("Non è il sito giusto\r"))
	row(3, "")
	left := map[bool]string{false: " (1)", true: " (0)"} // without the script, the number is of when the page was made
	choose("button", w.word("verb.confirm")+left[w.noScript])
	assert.Equal(t, []string{"confirm", "confirm", "refuse", "confirm"}, evaluate[[]string](w,
		`[...document.querySelectorAll('.verdict input[type=radio]:checked')].map(e => e.value)`), "what was chosen stays")
	row(3, "")
	picture("decide")
	if !w.noScript {
		w.axe(axe, "decide")
	}
	assert.Len(t, a.states(t, proposal.Checked), 4, "Enter in a field decides nothing")
	status := w.visit(w.pressing("button", w.word("decide.send")))
	assert.Equal(t, int64(409), status, "the guards hold co.uk")
	w.check()
	picture("decided")
	assert.Equal(t, []string{"one.example"}, a.states(t, proposal.Listed))
	assert.Equal(t, []string{"https://two.example/page"}, a.states(t, proposal.Refused))
	assert.Equal(t, 2, evaluate[int](w, `document.querySelectorAll('[name=seen]').length`))
}
