package desk_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/testdata/longtest"
)

// Enter in a field of a form with several decisions takes none of them.
func TestEnterDecidesNothing(t *testing.T) {
	t.Parallel()
	longtest.Only(t, "it drives a browser")
	a := newAgency(t)
	a.open(t)
	b := a.enter(t)
	b.propose(t, fields("entries", "bad.example", "source", "hotline"))
	w := openWindow(newChromium(t), t, a.server.URL, "", view{width: 1280, lang: "en"})
	w.session(b)
	w.open("/proposal/1")
	evaluate[bool](w, `window.sent = 0, document.addEventListener('submit', () => window.sent++), true`)
	w.write(w.word("decide.reason"), "nothing unlawful found")
	w.do(chromedp.KeyEvent("\r"))
	assert.Zero(t, evaluate[int](w, `window.sent`))
	p, _, err := proposal.Get(t.Context(), a.Ledger, 1)
	assert.NoError(t, err)
	assert.Equal(t, proposal.New, p.State)
	w.press("button", w.word("verb.refuse"))
	w.sees(w.word("pstate.refused"))
}
