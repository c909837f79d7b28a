package desk_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
)

// office is an agency with a clerk, carla, and a reviewer, rita.
func office(t *testing.T) (a *agency, carla, rita *browser) {
	t.Helper()
	a = newAgency(t)
	require.NoError(t, a.SetRole(t.Context(), "carla", publish.RoleClerk, audit))
	require.NoError(t, a.SetRole(t.Context(), "rita", publish.RoleReviewer, audit))
	a.openBehindProxy(t)
	return a, a.as(t, "carla"), a.as(t, "rita")
}

// A pasted e-mail: what is in it is shown, and what was ticked is recorded.
func TestPastedMail(t *testing.T) {
	t.Parallel()
	a, carla, _ := office(t)
	a.list(t, "listed.example")
	mail := "Please look at hxxp://worse[.]example/page and shop.bad.test.\nlisted.example\nhtps:/typo.example\nAda <ada@citizen.example>"
	p := carla.post(t, "/propose", fields("entries", mail, "source", "a mail", "reference", "case 7", "note", "urgent"))
	require.Regexp(t, `^/propose\?draft=`, p.path)
	assert.Contains(t, p.raw, `value="https://worse.example/page" aria-label="https://worse.example/page" checked`)
	assert.Contains(t, p.raw, `value="shop.bad.test" aria-label="shop.bad.test">`)
	assert.Contains(t, p.raw, `value="listed.example" aria-label="listed.example">`)
	assert.Contains(t, p.text, "|https://worse.example/page|hxxp://worse[.]example/page|")
	assert.Contains(t, p.text, "|https://worse.example/page|hxxp://worse[.]example/page|Covers this page alone")
	assert.Contains(t, p.text, "Perhaps not meant: look at the textCovers the whole site and all names below it")
	assert.Contains(t, p.text, "Do you mean https://typo.example?")
	assert.NotContains(t, p.text, "Entrycitizen.example")
	edit := carla.get(t, p.linkWith(t, "edit=1"))
	assert.Equal(t, mail, edit.values["entries"])
	assert.Equal(t, "urgent", edit.values["note"])
	assert.Contains(t, carla.get(t, "/proposals").text, "No proposal fits")

	none := carla.post(t, "/propose", fields("found", "1", "entries", mail, "source", "a mail"))
	assert.Equal(t, http.StatusBadRequest, none.status)
	assert.Contains(t, none.text, "no address is given or ticked")
	f := fields("found", "1", "entries", mail, "source", "a mail", "reference", "case 7")
	f["target"] = []string{"https://worse.example/page", "shop.bad.test"}
	p = carla.propose(t, f)
	assert.Contains(t, p.text, "1 https://worse.example/page recorded")
	assert.Contains(t, p.text, "2 shop.bad.test recorded")
	assert.NotContains(t, carla.get(t, "/proposals").text, "citizen")
	p = carla.propose(t, fields("entries", "hxxps://quick[.]example/", "source", "a mail"))
	assert.Contains(t, p.text, "3 https://quick.example/ (Written as hxxps://quick[.]example/) recorded")
	assert.Contains(t, p.text, "recordedCovers this page alone. Resolvers can't block pages: only proxies and apps that see URLs canIs the whole site meant? Then the entry is the name alone: quick.example")
	assert.Contains(t, carla.get(t, "/proposal/3").text, "Covers this page alone. Resolvers can't block pages", "when it is decided on")
	assert.Contains(t, carla.get(t, "/proposal/3").text, "Then the entry is the name alone: quick.example")
	assert.NotContains(t, carla.get(t, "/proposal/1").text, "the name alone")
	assert.Contains(t, p.text, "Report recorded")
	assert.NotContains(t, p.raw, "<textarea", "no empty form as if nothing had been recorded")
	assert.True(t, p.links["/propose?source=a%20mail&category="], p.links)
	assert.Contains(t, carla.get(t, "/proposal/2").text, "Covers the whole site and all names below it")
	assert.Contains(t, carla.post(t, "/propose", fields("entries", "nothing of use here", "source", "x")).text, "no address, name or URL was found")
}

// What the checker has set and said is there for the one who confirms; a day that is over is refused; what was typed stays.
func TestDecisionIsSeen(t *testing.T) {
	t.Parallel()
	a, carla, rita := office(t)
	carla.propose(t, fields("entries", "bad.example", "source", "hotline", "category", "fraud"))
	seen := carla.get(t, "/proposal/1").values["seen"]
	f := fields("seen", seen, "verb", "check", "reason", "I have looked", "category", "phishing", "expires", "2020-01-01", "reference", "case 9")
	p := carla.post(t, "/proposals/decide", f)
	assert.Equal(t, http.StatusBadRequest, p.status)
	assert.Contains(t, p.text, "This day is over")
	assert.Equal(t, "case 9", p.values["reference"])
	f.Set("expires", "2099-05-01")
	f.Set("review", "2099-02-01")
	assert.Contains(t, carla.post(t, "/proposals/decide", f).text, "done checked")
	assert.Contains(t, carla.post(t, "/proposals/decide", f).text, "You have done this already")
	p = rita.get(t, "/proposal/1")
	for name, value := range map[string]string{"category": "phishing", "expires": "2099-05-01", "review": "2099-02-01", "reference": "case 9"} {
		assert.Equal(t, value, p.values[name], name)
	}
	assert.Contains(t, p.text, "phishing (proposed: fraud)")
	assert.Contains(t, p.text, "2099-05-01 (proposed: –)")
	assert.Contains(t, p.text, "carla: I have looked")

	rita.post(t, "/propose", fields("found", "1", "target", "co.uk", "source", "hotline"))
	f = fields("seen", rita.get(t, "/proposal/2").values["seen"], "verb", "confirm", "reason", "typed with care", "reference", "case 8")
	f.Set("verb", "check")
	carla.post(t, "/proposals/decide", f)
	f.Set("seen", rita.get(t, "/proposal/2").values["seen"])
	f.Set("verb", "confirm")
	p = rita.post(t, "/proposals/decide", f)
	assert.Equal(t, http.StatusConflict, p.status)
	assert.Equal(t, "typed with care", p.values["reason"])
	assert.Equal(t, "case 8", p.values["reference"])
	_, asked := p.values["override"]
	assert.True(t, asked)
	assert.Equal(t, "/proposals?none=1&state=new", rita.get(t, "/proposals/review?from=%2Fproposals%3Fstate%3Dnew").path)
	assert.Contains(t, rita.get(t, "/proposals?none=1").text, "Tick at least one proposal")
	_ = a
}

// A refusal needs a reason, which others see; the same can be proposed again.
func TestRefusal(t *testing.T) {
	t.Parallel()
	_, carla, rita := office(t)
	f := fields("entries", "bad.example", "source", "hotline", "reference", "case 7", "note", "look")
	carla.propose(t, f)
	refuse := fields("seen", carla.get(t, "/proposal/1").values["seen"], "verb", "refuse", "reference", "kept")
	p := carla.post(t, "/proposals/decide", refuse)
	assert.Contains(t, p.text, "a refusal needs a reason")
	assert.Equal(t, "kept", p.values["reference"])
	refuse.Set("reason", "an ordinary shop")
	p = carla.post(t, "/proposals/decide", refuse)
	assert.Contains(t, p.text, "done refused")
	again := rita.get(t, p.linkWith(t, "/propose?"))
	for name := range f {
		assert.Equal(t, f.Get(name), again.values[name], name)
	}
	carla.propose(t, f)
	assert.Contains(t, rita.get(t, "/proposal/2").text, "same target 1 hotline refused an ordinary shop")
}

// A proposal to withdraw says which order it is about, and needs no reference.
func TestWithdrawOrderWithoutReference(t *testing.T) {
	t.Parallel()
	a, carla, rita := office(t)
	a.list(t, "https://bad.example/page", "two.example", "two.example ref=second")
	carla.propose(t, fields("entries", "https://bad.example/page\ntwo.example", "source", "owner", "withdraw", "1"))
	for _, path := range []string{"/proposal/1", "/proposal/2"} {
		p := carla.get(t, path)
		assert.Contains(t, p.text, "Check: the withdrawal is right")
		carla.post(t, "/proposals/decide", fields("seen", p.values["seen"], "verb", "check"))
	}
	p := rita.get(t, "/proposal/1")
	assert.Contains(t, p.text, "Confirm the withdrawal")
	assert.Contains(t, p.raw, `name="order:1" value="" checked`)
	assert.NotContains(t, p.raw, "override")
	p = rita.post(t, "/proposals/decide", fields("seen", p.values["seen"], "verb", "confirm", "order:1", ""))
	assert.Equal(t, http.StatusOK, p.status, p.text)
	p = rita.get(t, "/proposal/2")
	assert.Equal(t, 0, strings.Count(p.raw, " checked>"), "a person chooses")
	p = rita.post(t, "/proposals/decide", fields("seen", p.values["seen"], "verb", "confirm", "order:2", "second"))
	assert.Equal(t, http.StatusOK, p.status, p.text)
	for target, orders := range map[string]int{"https://bad.example/page": 0, "two.example": 1} {
		all, err := a.Orders(t.Context(), target)
		require.NoError(t, err)
		assert.Len(t, all, orders, target)
	}
}

// After a decision that some proposals did not take, the form is about these alone.
func TestDecisionOnTheRest(t *testing.T) {
	t.Parallel()
	_, carla, rita := office(t)
	carla.propose(t, fields("entries", "one.example\nco.uk", "source", "hotline"))
	form := func() (f url.Values) {
		f = url.Values{}
		for _, id := range []string{"1", "2"} {
			f.Add("seen", rita.get(t, "/proposal/"+id).values["seen"])
		}
		return f
	}
	f := form()
	f.Set("verb", "check")
	carla.post(t, "/proposals/decide", f)
	f = form()
	f.Set("verb", "confirm")
	p := rita.post(t, "/proposals/decide", f)
	require.Equal(t, http.StatusConflict, p.status, "the guards hold co.uk")
	assert.Contains(t, p.raw, `name="seen" value="2:`)
	assert.NotContains(t, p.raw, `name="seen" value="1:`, "it is confirmed")
}

// A decision about what was decided before says what is so and by whom, not that it was done.
func TestOppositeDecision(t *testing.T) {
	t.Parallel()
	a, carla, rita := office(t)
	require.NoError(t, a.SetRules(t.Context(), publish.Rules{NeedReason: true}, audit))
	carla.propose(t, fields("entries", "one.example\ntwo.example\nthree.example", "source", "hotline"))
	seen := map[string]string{}
	for _, id := range []string{"1", "2", "3"} {
		carla.post(t, "/proposals/decide", fields("seen", carla.get(t, "/proposal/"+id).values["seen"], "verb", "check", "reason", "seen"))
		seen[id] = rita.get(t, "/proposal/"+id).values["seen"]
	}
	send := func(b *browser, id, verb, reason string) string {
		return b.post(t, "/proposals/decide", fields("seen", seen[id], "verb", verb, "reason", reason)).text
	}
	assert.Contains(t, send(rita, "1", "confirm", "as ordered"), "done listed")
	again := send(rita, "1", "confirm", "as ordered")
	assert.Contains(t, again, "You have done this already listed Confirmed · rita · ")
	for _, reason := range []string{"No", ""} {
		said := send(rita, "1", "refuse", reason)
		assert.NotContains(t, said, "You have done this already")
		assert.Contains(t, said, "not done: “Refuse” It was decided otherwise before. listed Confirmed · rita · ", reason)
	}
	assert.Contains(t, send(carla, "1", "refuse", "No"), "not done: “Refuse” It was changed since you looked at it: look again, then decide. listed Confirmed · rita · ")
	assert.Contains(t, send(rita, "2", "refuse", "No"), "done refused")
	assert.Contains(t, send(rita, "2", "confirm", ""), "not done: “Confirm: it counts” It was decided otherwise before. refused Refused · rita · ")
	assert.Contains(t, send(rita, "3", "refuse", ""), "a refusal needs a reason")
}
