package desk_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// What urgent orders block comes into the list, or is unblocked, only after its author has seen each entry: what it covers,
// what is around it, who has ordered it, when the order ends, and what follows.
func TestEndingOrdersAreShownFirst(t *testing.T) {
	t.Parallel()
	a := team(t)
	paola, rita := a.as(t, "paola"), a.as(t, "rita")
	for _, path := range []string{"/urgent/keep", "/urgent/end"} {
		assert.Contains(t, rita.get(t, path).text, "No urgent order waits for this decision.")
	}
	a.orderUrgently(t, paola, fields("entries", "https://bad.example/live", "hours", "3", "reference", "night 1"))
	a.orderUrgently(t, paola, fields("entries", "live.example", "reference", "night 2"))
	rita.post(t, "/urgent/push", nil)
	head := a.head(t).ID
	for _, f := range []string{"", "https://bad.example/live"} {
		p := paola.post(t, "/urgent/keep", fields("entries", f))
		assert.Equal(t, head, a.head(t).ID, "nothing has happened yet")
		assert.Equal(t, http.StatusConflict, p.status)
		assert.Contains(t, p.text, "nothing was done. This is the present state.")
	}
	p := paola.get(t, "/urgent/keep")
	assert.NotContains(t, p.text, "https://bad.example/live", "the list blocks it already")
	assert.Regexp(t, `live.example\s*ref="night 2"\|Covers the whole site and all names below it\|anna [^|]*asked for by paola\|[^|]*\|in the list without an end`, p.text)
	a.list(t, "shop.live.example")
	rita.post(t, "/urgent/keep", fields("entries", "live.example", "seen", p.values["seen"]))
	assert.NotContains(t, paola.get(t, "/entries").text, "live.example ref", "the list has changed since the page was made")
	p = rita.get(t, "/urgent/end")
	assert.Contains(t, p.text, "Listed below it: shop.live.example")
	assert.Contains(t, p.text, "not blocked any more")
	p = rita.post(t, "/urgent/end", fields("seen", p.values["seen"], "reason", "over"))
	assert.Equal(t, http.StatusBadRequest, p.status, "none is chosen")
	p = paola.decideEnding(t, "keep", fields("entries", "live.example", "reason", "the court has confirmed it"))
	assert.Equal(t, http.StatusOK, p.status, p.text)
	assert.Contains(t, p.text, "+live.example ref=\"night 2\"")
	assert.Contains(t, paola.get(t, "/history").text, "what urgent orders block stays listed; the court has confirmed it")
}

// In a category of two persons, an urgent order leads to the form of a proposal, and does not hinder the others.
func TestEndingOrdersOfTwoPersons(t *testing.T) {
	t.Parallel()
	a := team(t)
	require.NoError(t, a.SetRules(t.Context(), publish.Rules{TwoPersons: []string{"fraud"}}, audit))
	paola, rita := a.as(t, "paola"), a.as(t, "rita")
	a.orderUrgently(t, paola, fields("entries", "fraud.example category=fraud\nlive.example", "reference", "night 2"))
	rita.post(t, "/urgent/push", nil)
	p := paola.get(t, "/urgent/keep")
	assert.Contains(t, p.text, "To be decided by two persons")
	const form = "/propose?category=fraud&entries=fraud.example&reference=night+2&source=anna"
	assert.True(t, p.links[form], p.links)
	assert.Equal(t, http.StatusOK, paola.get(t, form).status)
	p = paola.post(t, "/urgent/keep", fields("entries", "fraud.example", "seen", p.values["seen"]))
	assert.NotContains(t, p.text, "+fraud.example")
	p = paola.decideEnding(t, "keep", fields("entries", "live.example"))
	assert.Contains(t, p.text, "+live.example")
}

// An urgent order by mistake ends from the desk without a release: a clerk asks, one officer signs, and it is published.
func TestUrgentOrderIsWithdrawn(t *testing.T) {
	t.Parallel()
	a := team(t)
	paola, rita := a.as(t, "paola"), a.as(t, "rita")
	a.orderUrgently(t, paola, fields("entries", "hospital.example\nlive.example", "reference", "night 1"))
	rita.post(t, "/urgent/push", nil)
	const page = "/urgent/remove?entries=hospital.example"
	for where, links := range map[string]map[string]bool{
		"entry":    paola.get(t, "/entry?of=hospital.example").links,
		"withdraw": paola.post(t, "/withdraw", fields("entries", "hospital.example", "reason", "x")).links,
	} {
		assert.True(t, links[page], where)
	}
	assert.True(t, paola.get(t, "/urgent").links["/urgent/remove"])

	p := paola.get(t, page)
	assert.Regexp(t, `value="hospital.example" aria-label="hospital.example" checked`, p.raw)
	assert.Regexp(t, `value="live.example" aria-label="live.example">`, p.raw)
	assert.Contains(t, p.text, "not blocked any more, as soon as it is signed and published")
	assert.NotContains(t, p.text, "It joins")
	f := fields("entries", "hospital.example", "reason", "a mistake")
	assert.Equal(t, http.StatusConflict, paola.post(t, "/urgent/remove", f).status, "not seen yet")
	p = paola.decideEnding(t, "remove", f)
	assert.Equal(t, "/urgent?done=/urgent/remove", p.path)
	assert.Contains(t, p.text, "Withdrawn with it: hospital.example")
	assert.NotContains(t, paola.get(t, page).text, "hospital.example", "it is asked for")
	assert.Contains(t, rita.get(t, "/urgent/remove").text, "It joins what paola asked for: one signature puts both in force. One-time codes")
	paola.upload(t, a.signed(t, paola.post(t, "/request", fields("what", "urgent")).raw))
	assert.Contains(t, paola.get(t, "/entry?of=hospital.example").text, "withdrawn, still blocked until that is published")
	p = rita.get(t, "/urgent")
	assert.Contains(t, p.text, "Withdrawn, and in force until this is published: hospital.exampleThese orders stay:")
	rita.post(t, "/urgent/push", nil)
	assert.NotContains(t, rita.get(t, "/urgent").text, "hospital.example")
	orders, err := a.Urgent(t.Context())
	require.NoError(t, err)
	require.Len(t, orders.Entries, 1)
	assert.Equal(t, "live.example", orders.Entries[0].Target())

	a.list(t, "live.example")
	assert.Contains(t, paola.get(t, "/urgent/remove").text,
		"not blocked any more, as soon as it is signed and published; blocked again with the next release, which lists it")
	p = paola.decideEnding(t, "remove", fields("entries", "live.example", "reason", "the list has it"))
	assert.Contains(t, p.text, "Withdrawn with it: live.example", "the last one")
	paola.upload(t, a.signed(t, paola.post(t, "/request", fields("what", "urgent")).raw))
	rita.post(t, "/urgent/push", nil)

	a.release(t)
	a.orderUrgently(t, paola, fields("entries", "www.live.example", "reference", "night 2"))
	rita.post(t, "/urgent/push", nil)
	assert.Contains(t, paola.get(t, "/urgent/remove").text, "only the order ends: the release in force blocks it, too")
	a.withdraw(t, "live.example")
	assert.Contains(t, paola.get(t, "/urgent/remove").text, "only the order ends: the release in force blocks it, too")
}

// A short urgent order becomes permanent, or gets the end that its author has seen before.
func TestShortUrgentOrderIsKept(t *testing.T) {
	t.Parallel()
	a := team(t)
	paola, rita := a.as(t, "paola"), a.as(t, "rita")
	a.orderUrgently(t, paola, fields("entries", "short.example\nlate.example", "hours", "1", "reference", "night 1"))
	rita.post(t, "/urgent/push", nil)
	p := paola.get(t, "/urgent/keep")
	assert.Regexp(t, `short.example\s*ref="night 1"\|.*in the list without an end`, p.text)
	f := fields("entries", "short.example", "seen", p.values["seen"], "expires", "2099-05-01", "reason", "the court")
	p = paola.post(t, "/urgent/keep", f)
	assert.Equal(t, http.StatusOK, p.status)
	assert.Contains(t, p.text, "Nothing was done yet. The last column now shows the end that you have given.")
	assert.Regexp(t, `short.example\s*ref="night 1" expires=2099-05-01\|.*in the list until 2099-05-01`, p.text)
	assert.Equal(t, "the court", p.values["reason"])
	for _, day := range []string{"2020-01-01", "tomorrow"} {
		f.Set("expires", day)
		bad := paola.post(t, "/urgent/keep", f)
		assert.Equal(t, http.StatusBadRequest, bad.status)
		f.Set("seen", bad.values["seen"])
		assert.Equal(t, http.StatusBadRequest, paola.post(t, "/urgent/keep", f).status)
	}
	tomorrow := time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	f.Set("expires", tomorrow)
	shorter := paola.post(t, "/urgent/keep", f)
	assert.Equal(t, time.Now().UTC().Hour() >= 23, strings.Contains(shorter.text, "no longer than the order"))
	f.Set("expires", "2099-05-01")
	f.Set("seen", p.values["seen"])
	assert.Contains(t, paola.post(t, "/urgent/keep", f).text, `+short.example ref="night 1" expires=2099-05-01`)
	soon := time.Now().Add(time.Minute).UTC().Format(time.RFC3339)
	a.list(t, `late.example ref="night 1" expires=`+soon)
	assert.Contains(t, paola.get(t, "/urgent/keep").text, "this order still expires")
	a.list(t, `late.example ref="night 1" expires=2099-05-01`)
	assert.NotContains(t, paola.get(t, "/urgent/keep").text, "late.example", "it is blocked for longer")
	late, err := blocklist.ParseEntry("late.example")
	require.NoError(t, err)
	_, err = a.Withdraw(t.Context(), "night 1", []blocklist.Entry{late}, audit)
	require.NoError(t, err)
	p = paola.decideEnding(t, "keep", fields("entries", "late.example"))
	assert.Contains(t, p.text, `+late.example ref="night 1"`)
	assert.Contains(t, paola.get(t, "/entry?of=late.example").text, " UTC · A change is not in force yet")
	same := paola.post(t, "/add", fields("entries", "short.example", "reference", "night 1"))
	assert.Contains(t, same.text, "This would change nothing.short.example: this order still expires 2099-05-01 00:00 UTC.")
	other := paola.post(t, "/add", fields("entries", "late.example", "reference", "night 1"))
	assert.NotContains(t, other.text, "still expires")
}
