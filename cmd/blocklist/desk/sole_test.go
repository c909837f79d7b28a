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

// The only person who may confirm is told to leave the check to others, or what to do if it is too late.
func TestTheOnlyReviewerDoesNotCheck(t *testing.T) {
	t.Parallel()
	a, carla, rita := office(t)
	carla.propose(t, fields("entries", "bad.example", "source", "hotline"))
	p := rita.get(t, "/proposal/1")
	assert.Contains(t, p.text, "Only rita may confirm, and no one confirms their own check: another person should check this. These may: carla.")
	rita.post(t, "/proposals/decide", fields("seen", p.values["seen"], "verb", "check"))
	p = rita.get(t, "/proposal/1")
	assert.Contains(t, p.text, "rita has checked it and is the only one who may confirm: another person must become a reviewer first.")
	assert.NotContains(t, p.text, "Only rita may confirm")
	require.NoError(t, a.SetRole(t.Context(), "ada", publish.RoleReviewer, audit))
	p = rita.get(t, "/proposal/1")
	assert.NotContains(t, p.text, "only one who may confirm")
	assert.NotContains(t, p.text, "Only rita may confirm")
}

// After a decision, the page says what is still to be done.
func TestWhatADecisionWaitsFor(t *testing.T) {
	t.Parallel()
	_, carla, rita := office(t)
	carla.propose(t, fields("entries", "bad.example\nhttps://social.example/page", "source", "hotline"))
	decide := func(b *browser, id, verb string) page {
		return b.post(t, "/proposals/decide", fields("seen", b.get(t, "/proposal/"+id).values["seen"], "verb", verb))
	}
	assert.NotContains(t, decide(carla, "1", "check").text, "only after the next release")
	assert.Contains(t, decide(rita, "1", "confirm").text, "Subscribers enforce this only after the next release: Release")
	assert.Contains(t, decide(carla, "2", "refer").text, "Now write to the platform that has the page.")
}

// In a text, a target that stands there again is told, and so is all of the line of a malformed one.
func TestReportsInTextAreShown(t *testing.T) {
	t.Parallel()
	_, carla, _ := office(t)
	text := "a.example\nb.example\nhtps:/casino..e xample\nhttps://a.example\nA.example\nb.example\na.example."
	p := carla.post(t, "/propose", fields("entries", text, "source", "police"))
	assert.Contains(t, p.text, "|a.example|a.example|Repeated in the text 2 times")
	assert.Contains(t, p.text, "|b.example|b.example|Repeated in the text 1 time")
	assert.Contains(t, p.text, "|htps:/casino..e xample|rejected")
	assert.NotContains(t, p.text, "Do you mean")
}

// What each line was understood as is shown before it is recorded. What the guards hold and what is listed already is not
// ticked; nothing beside it is lost.
func TestReportsAreShownFirst(t *testing.T) {
	t.Parallel()
	a, carla, _ := office(t)
	a.list(t, "listed.example")
	carla.propose(t, fields("entries", "known.example", "source", "hotline"))
	f := fields("entries", "co.uk\nhxxps://BAD[.]example/page?b=1\n=www.bad.example\nbad.example\nbad.example.\nlisted.example\nknown.example", "source", "police")
	p := carla.post(t, "/propose", f)
	assert.Contains(t, p.text, "What each line was understood as")
	assert.Contains(t, p.text, "Nothing was recorded yet.")
	for _, target := range []string{"co.uk", "listed.example"} {
		assert.Contains(t, p.raw, `value="`+target+`" aria-label="`+target+`">`)
	}
	for _, target := range []string{"bad.example", "=www.bad.example", "https://bad.example/page?b=1", "known.example"} {
		assert.Contains(t, p.raw, `value="`+target+`" aria-label="`+target+`" checked>`)
	}
	for _, row := range []string{
		"|https://bad.example/page?b=1|hxxps://BAD[.]example/page?b=1|", "|bad.example|bad.example.|The same as in line 4",
		"Covers the whole site and all names below itlisted: listed.example", "same target: 1 hotline new",
	} {
		assert.Contains(t, p.text, row)
	}
	assert.NotContains(t, carla.get(t, "/proposals").text, "police")
	f["target"], f["found"] = []string{"co.uk"}, []string{"1"}
	assert.Contains(t, carla.post(t, "/propose", f).text, "2 co.uk recorded", "a person decides")

	p = carla.post(t, "/propose", fields("entries", "listed.example\nother.example", "source", "owner", "withdraw", "1"))
	assert.Contains(t, p.raw, `aria-label="listed.example" checked>`)
	assert.Contains(t, p.raw, `aria-label="other.example">`, "there is nothing to withdraw")
	assert.Contains(t, p.text, "It is not on the list.")
	for says, wrong := range map[string]url.Values{
		"say where the report comes from": fields("entries", "bad.example"),
		"at most 1,000 addresses":         fields("entries", strings.Repeat("bad.example\n", 1001), "source", "hotline"),
	} {
		p = carla.post(t, "/propose", wrong)
		assert.Equal(t, http.StatusBadRequest, p.status)
		assert.Contains(t, p.text, says)
	}
}
