package desk_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
)

// A reviewer discards a release in two steps, which say what gets lost. Everybody sees who did so and why, and a signature
// that an officer makes of it afterwards is refused with the reason, from a file and from a terminal.
func TestDiscard(t *testing.T) {
	t.Parallel()
	a := newAgencyOf(t, 2, "anna", "bruno")
	require.NoError(t, a.SetRole(t.Context(), "rita", publish.RoleReviewer, audit))
	require.NoError(t, a.SetRole(t.Context(), "paola", publish.RoleClerk, audit))
	a.list(t, "bad.example")
	a.openBehindProxy(t)
	paola, rita := a.as(t, "paola"), a.as(t, "rita")
	assert.Equal(t, http.StatusConflict, rita.get(t, "/pending/discard").status, "there is none")
	rita.post(t, "/release", nil)
	assert.False(t, paola.get(t, "/pending").has("/pending/discard"))
	assert.True(t, rita.get(t, "/pending").has("/pending/discard"))
	p := rita.get(t, "/pending/discard")
	assert.Contains(t, p.text, "No officer has signed it yet.")
	unsigned := fields("id", p.values["id"], "seen", p.values["seen"], "reason", "an entry is missing")
	code, path := rita.makeCode(t, "")
	request := a.terminal(t, http.MethodGet, "/terminal/request", code, "").raw
	a.signBy(t, a.officers[1])
	p = rita.post(t, "/pending/discard", unsigned)
	assert.Contains(t, p.text, "an officer has signed it since")
	assert.Contains(t, p.text, "The signatures given so far become void: bruno.")
	assert.Equal(t, "an entry is missing", p.values["reason"], "nothing is lost")
	f := fields("id", p.values["id"], "seen", p.values["seen"])
	assert.Contains(t, rita.post(t, "/pending/discard", f).text, "discarding a release needs a reason")
	assert.True(t, rita.get(t, "/pending").has("/pending/discard"), "nothing was done")
	f.Set("reason", "an entry is missing")
	assert.Equal(t, http.StatusForbidden, paola.post(t, "/pending/discard", f).status)
	p = rita.post(t, "/pending/discard", f)
	assert.Equal(t, http.StatusOK, p.status)
	for _, at := range []string{"/", "/pending", path} {
		assert.Regexp(t, `Discarded by rita \d{4}-\d\d-\d\d[^:]*:\d\d[^:]*: release 1; an entry is missing`, rita.get(t, at).text, at)
	}
	assert.Contains(t, paola.get(t, "/history").text, "|release discarded|rita|release 1; an entry is missing|")
	assert.Equal(t, http.StatusConflict, rita.post(t, "/pending/discard", f).status, "once")

	said := a.terminal(t, http.MethodGet, "/terminal/request", code, "")
	assert.Equal(t, http.StatusConflict, said.status)
	assert.Contains(t, said.raw, "serial 1 was discarded by rita on ")
	assert.Contains(t, said.raw, ": an entry is missing")
	signature := a.signed(t, request)
	p = rita.upload(t, signature)
	assert.Equal(t, http.StatusConflict, p.status)
	assert.Contains(t, p.text, "anna.sig: It was discarded by rita: “an entry is missing”. A signature of it is void: ask for a new request.")
	a.list(t, "worse.example")
	rita.post(t, "/release", nil)
	p = rita.upload(t, signature)
	assert.Equal(t, http.StatusUnprocessableEntity, p.status)
	assert.Contains(t, p.text, "It was discarded by rita: “an entry is missing”.")
	rita.upload(t, a.refused(t, rita.post(t, "/request", nil).raw, "it is a hospital"))
	rita.post(t, "/release", nil)
	assert.Contains(t, rita.upload(t, signature).text, "It was discarded by rita")
}
