package desk_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
)

// What waits for a person is told apart from what waits for others, on the first page and in the navigation. What a person
// has signed or checked waits for others, until it is done.
func TestWhatWaitsForOthers(t *testing.T) {
	t.Parallel()
	a := newAgencyOf(t, 2, "anna", "bruno")
	for name, role := range map[string]string{"anna": publish.RoleReviewer, "rita": publish.RoleReviewer, "carla": publish.RoleClerk, "ugo": publish.RoleReader} {
		require.NoError(t, a.SetRole(t.Context(), name, role, audit))
	}
	a.list(t, "bad.example")
	a.openBehindProxy(t)
	badge := func(name, page string, own, others string) {
		t.Helper()
		p := a.as(t, name).get(t, "/")
		want := page
		if own != "" {
			want += " " + own
		}
		if others != "" {
			want += " Waits for others: " + others
		}
		assert.Contains(t, p.text, want+map[string]string{"Release": " Urgent orders", "Proposals": " The list"}[page], name)
	}
	badge("anna", "Release", "1", "")
	badge("carla", "Release", "", "1")
	counts := func(name, what string) {
		t.Helper()
		assert.Contains(t, a.as(t, name).get(t, "/").raw, `title="`+what+`"`, "the badge says what it counts")
	}
	counts("anna", "1 changed entry is in no release yet")
	counts("carla", "Waits for others: 1 changed entry is in no release yet")
	assert.Contains(t, a.as(t, "carla").get(t, "/").text, "Nothing waits for you. Waits for others 1 changed entry is in no release yet · anna, rita")
	a.as(t, "anna").post(t, "/release", nil)
	badge("anna", "Release", "2", "")
	counts("anna", "2 signatures are missing on the pending release")
	badge("ugo", "Release", "", "2")
	a.signBy(t, a.officers[0])
	badge("anna", "Release", "", "1")
	badge("rita", "Release", "1", "")
	p := a.as(t, "anna").get(t, "/")
	assert.Contains(t, p.text, "Waits for others 1 signature is missing on the pending release · bruno")
	assert.Contains(t, a.as(t, "anna").get(t, "/pending").text, "You have signed. It still waits for others: bruno.")
	assert.NotContains(t, a.as(t, "rita").get(t, "/pending").text, "You have signed.")
	a.signBy(t, a.officers[1])
	badge("anna", "Release", "1", "")
	badge("carla", "Release", "", "1")
	assert.Contains(t, a.as(t, "carla").get(t, "/").text, "A release is signed, and waits to be published · anna, rita")

	carla := a.as(t, "carla")
	carla.propose(t, fields("entries", "one.example\ntwo.example", "source", "hotline"))
	badge("carla", "Proposals", "2", "")
	for name, id := range map[string]string{"carla": "1", "anna": "2"} {
		b := a.as(t, name)
		b.post(t, "/proposals/decide", fields("seen", b.get(t, "/proposal/"+id).values["seen"], "verb", "check"))
	}
	badge("carla", "Proposals", "", "2")
	badge("anna", "Proposals", "1", "1")
	badge("rita", "Proposals", "2", "")
	assert.Contains(t, carla.get(t, "/").text, "1 proposal that you have checked waits for a second person · anna, rita")
	assert.NotContains(t, a.as(t, "anna").get(t, "/").text, "a second person · ", "not for herself")
}
