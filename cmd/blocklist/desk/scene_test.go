package desk_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/report"
	"github.com/argine-dns/argine/blocklist/receipt"
	"github.com/argine-dns/argine/cmd/blocklist/desk"
)

// newScene opens a desk behind a proxy, with something on each of its pages.
func newScene(t *testing.T) *agency {
	t.Helper()
	a := newAgencyOf(t, 2, "anna", "bruno", "dora")
	rules := publish.Rules{Categories: []string{"fraud", "gambling", "phishing"}}
	require.NoError(t, a.SetRules(t.Context(), rules, publish.Audit{Author: "rita", Reason: "as decided"}))
	for name, role := range map[string]string{"carla": publish.RoleClerk, "rita": publish.RoleReviewer, "ugo": publish.RoleAuditor} {
		require.NoError(t, a.SetRole(t.Context(), name, role, audit))
	}
	said := &report.Receipts{From: "https://origin.example", Subscribers: []string{"north.example", "south.example", "islands.example"}}
	for i := range 6 {
		a.list(t, lines(i)...)
		r := a.release(t)
		for j, holder := range said.Subscribers {
			if i == 5 && j == 1 {
				continue // it is behind
			}
			after := time.Duration(4+(i*7+j*29)%40) * time.Second * time.Duration(1+j*j*5)
			said.Statements = append(said.Statements, receipt.Statement{Holder: holder, Receipt: receipt.Receipt{
				List: a.List(), Serial: r.Serial, Digest: r.SignedDigest, Enforced: r.Created.Add(after),
			}})
		}
	}
	a.openBehindProxy(t, func(o *desk.Options) {
		o.Deadline = 6 * time.Hour
		o.Receipts = func(context.Context, *publish.Ledger) (*report.Receipts, error) { return said, nil }
	})
	a.play(t)
	return a
}

// lines are the entries of one release of the scene.
func lines(i int) []string {
	day := func(days int) string { return time.Now().AddDate(0, 0, days).Format(time.DateOnly) }
	all := []string{fmt.Sprintf(`https://social.example/user/%d category=fraud ref="order 2026/%d"`, i, 40+i)}
	for j := range 4 {
		all = append(all, fmt.Sprintf(`casino%d.example category=gambling ref="order 2026/%d" expires=2099-05-01`, i*4+j+1, 40+i))
	}
	switch i {
	case 1:
		all = append(all, `=login.bank.example category=phishing ref="order 2026/17" review=`+day(-1), `203.0.113.0/24 category=fraud ref="order 2026/17"`)
	case 2:
		all = append(all, `lottery.example category=gambling ref="order 2025/3" expires=`+day(12), `https://video.example/watch/9 category=fraud ref="order 2026/18"`)
	}
	return all
}

// play has people work at the desk of the scene.
func (a *agency) play(t *testing.T) {
	t.Helper()
	carla, rita := a.as(t, "carla"), a.as(t, "rita")
	propose := func(source, category, entries string) {
		carla.propose(t, fields("entries", entries, "source", source, "category", category, "reference", "case "+source[:2]+"/17", "note", "seen by two people"))
	}
	propose("hotline", "phishing", "parcel.example\nhttps://pay.example/parcel\ncasino1.example")
	propose("de.example/wol", "gambling", "poker.example\nroulette.example")
	propose("postal-police", "fraud", "https://social.example/user/77")
	for _, path := range []string{"/proposal/4", "/proposal/5"} {
		seen := carla.get(t, path).values["seen"]
		p := carla.post(t, "/proposals/decide", fields("seen", seen, "verb", "check", "reason", "I have looked at it"))
		require.Contains(t, p.text, "done checked")
	}
	rita.post(t, "/proposals/decide", fields("seen", rita.get(t, "/proposal/6").values["seen"], "verb", "check", "reason", "seen"))
	rita.askUrgent(t, fields("entries", "parcel.example", "reference", "night 3", "category", "phishing", "reason", "people lose money now"))
	request := rita.post(t, "/request", fields("what", "urgent"))
	rita.upload(t, a.signed(t, request.raw))
	a.list(t, `shop.example category=fraud ref="order 2026/50"`, `prize.example category=fraud ref="order 2026/50"`)
	require.Equal(t, http.StatusOK, rita.decideEnding(t, "keep", fields("entries", "parcel.example")).status)
	rita.post(t, "/release", nil)
	a.signBy(t, a.officers[0])
	a.list(t, `late.example category=fraud ref="order 2026/51"`)
	rita.askUrgent(t, fields("entries", "https://pay.example/parcel", "reference", "night 4", "category", "phishing", "reason", "the same again"))
}

// still is a page of the scene that can be looked at.
type still struct {
	name string
	path string
	then func(*window) chromedp.Action[chromedp.Void] // what leads on to the page; nil: it is at the path
	code int64                                        // status of the answer; 0: 200
}

// stills are all pages of the desk.
func stills() []still {
	preview := func(entries string) func(*window) chromedp.Action[chromedp.Void] {
		return func(w *window) chromedp.Action[chromedp.Void] {
			w.write(w.word("add.entries"), entries)
			evaluate[string](w, `document.querySelector('[name=category]').value = 'fraud'`)
			return w.pressing("button", w.word("preview.do"))
		}
	}
	return []still{
		{name: "start", path: "/"},
		{name: "proposals", path: "/proposals"},
		{name: "proposal", path: "/proposal/3"},
		{name: "own", path: "/proposal/6"},
		{name: "review", path: "/proposals/review?id=1&id=4"},
		{name: "propose", path: "/propose"},
		{name: "propose-lines", path: "/propose", then: func(w *window) chromedp.Action[chromedp.Void] {
			w.write(w.word("propose.targets"), "hxxps://PAY[.]example/parcel\nnew.example\nnew.example.\ncasino1.example\nco.uk")
			w.write(w.word("propose.source"), "hotline")
			return w.pressing("button", w.word("propose.do"))
		}},
		{name: "propose-found", path: "/propose", code: 200, then: func(w *window) chromedp.Action[chromedp.Void] {
			w.write(w.word("propose.targets"), "Please look at hxxp://worse[.]example/page, and shop.bad.test. htps:/typo.example/x casino1.example")
			w.write(w.word("propose.source"), "a mail")
			return w.pressing("button", w.word("propose.do"))
		}},
		{name: "list", path: "/entries"},
		{name: "entry", path: "/entry?of=casino1.example"},
		{name: "entry-print", path: "/entry/page?of=casino1.example"},
		{name: "release", path: "/pending"},
		{name: "discard", path: "/pending/discard"},
		{name: "code", path: "/pending", then: func(w *window) chromedp.Action[chromedp.Void] {
			return w.pressing("button", w.word("signing.code"))
		}},
		{name: "urgent", path: "/urgent"},
		{name: "ending", path: "/urgent/keep"},
		{name: "ending-end", path: "/urgent/end"},
		{name: "ending-remove", path: "/urgent/remove"},
		{name: "due", path: "/due"},
		{name: "subscribers", path: "/subscribers"},
		{name: "platforms", path: "/platforms"},
		{name: "history", path: "/history"},
		{name: "operation", path: "/operation/4"},
		{name: "reports", path: "/reports"},
		{name: "report", path: "/reports/" + time.Now().UTC().Format("2006-01")},
		{name: "people", path: "/people"},
		{name: "search", path: "/search?q=casino1.example"},
		{name: "search-nothing", path: "/search?q=nothing.example"},
		{name: "add", path: "/add"},
		{name: "add-preview", path: "/add", then: preview("https://new.example/page category=fraud\nwww.casino1.example category=gambling")},
		{name: "add-held", path: "/add", then: preview("co.uk category=fraud")},
		{name: "withdraw", path: "/withdraw?entries=casino1.example"},
		{name: "missing", path: "/nothing", code: 404},
	}
}

// look opens a page of the scene.
func (w *window) look(s still) {
	w.t.Helper()
	status := w.visit(chromedp.Navigate(w.base + s.path))
	if s.then != nil {
		status = w.visit(s.then(w))
	}
	require.Equal(w.t, max(s.code, 200), status, s.name)
	evaluate[bool](w, "sessionStorage.clear() || true") // the next one begins without what was typed here
}
