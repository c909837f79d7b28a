package desk_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
)

// The only person who may confirm is told to leave the check to others, or what to do if it is too late.
func TestTheOnlyReviewerDoesNotCheck(t *testing.T) {
	t.Parallel()
	a, carla, rita := office(t)
	carla.post(t, "/propose", fields("entries", "bad.example", "source", "hotline"))
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
	carla.post(t, "/propose", fields("entries", "bad.example\nhttps://social.example/page", "source", "hotline"))
	decide := func(b *browser, id, verb string) page {
		return b.post(t, "/proposals/decide", fields("seen", b.get(t, "/proposal/"+id).values["seen"], "verb", verb))
	}
	assert.NotContains(t, decide(carla, "1", "check").text, "only after the next release")
	assert.Contains(t, decide(rita, "1", "confirm").text, "Subscribers enforce this only after the next release: Release")
	assert.Contains(t, decide(carla, "2", "refer").text, "Now write to the platform that has the page.")
}

// What the guards hold is shown before it is recorded, and not ticked; nothing beside it is lost.
func TestHeldReportsAreShownFirst(t *testing.T) {
	t.Parallel()
	_, carla, _ := office(t)
	f := fields("entries", "co.uk\nbad.example\n=www.bad.example\nhttps://bad.example/page\nbad.example", "source", "hotline")
	p := carla.post(t, "/propose", f)
	assert.Contains(t, p.text, "Nothing was recorded yet.")
	assert.Contains(t, p.raw, `value="co.uk" aria-label="co.uk">`)
	for _, target := range []string{"bad.example", "=www.bad.example", "https://bad.example/page"} {
		assert.Contains(t, p.raw, `value="`+target+`" aria-label="`+target+`" checked>`)
	}
	assert.Contains(t, carla.get(t, "/proposals").text, "No proposal fits")
	f["target"], f["found"] = []string{"co.uk"}, []string{"1"}
	assert.Contains(t, carla.post(t, "/propose", f).text, "1 co.uk recorded", "a person decides")
}
