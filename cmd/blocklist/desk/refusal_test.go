package desk_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
)

// refused refuses a request as an officer elsewhere does.
func (a *agency) refused(t *testing.T, request, reason string) string {
	t.Helper()
	root, err := os.ReadFile(filepath.Join(a.dir, "root.json"))
	require.NoError(t, err)
	q, err := publish.OpenRequest(strings.NewReader(request), root, nil)
	require.NoError(t, err)
	defer q.Close()
	refusal, err := q.Refuse(a.officers[0], publish.Audit{Reason: reason})
	require.NoError(t, err)
	return string(refusal)
}

// Who has refused a release, when and why, is there until the next one is made, with what no longer counts.
func TestOfficerHasRefused(t *testing.T) {
	t.Parallel()
	a := team(t)
	paola, rita := a.as(t, "paola"), a.as(t, "rita")
	a.orderUrgently(t, paola, fields("entries", "live.example", "reference", "night 1"))
	rita.post(t, "/urgent/push", nil)
	a.list(t, "hospital.example")
	rita.decideEnding(t, "end", fields("entries", "live.example", "reason", "it is over"))
	rita.post(t, "/release", nil)
	code, path := rita.makeCode(t, "")
	request := a.terminal(t, http.MethodGet, "/terminal/request", code, "").raw
	said := a.terminal(t, http.MethodPost, "/terminal/signature", code, a.refused(t, request, "it is a hospital"))
	require.Equal(t, http.StatusOK, said.status, said.raw)
	const why = "release 2; it is a hospital"
	const lost = "urgent orders that may end, does not count any more"
	for _, at := range []string{"/", "/pending", path} {
		p := rita.get(t, at)
		assert.Regexp(t, `Refused by anna \d{4}-\d\d-\d\d[^:]*:\d\d[^:]*: `+why, p.text, at)
		assert.Contains(t, p.text, lost, at)
	}
	assert.NotContains(t, rita.get(t, "/urgent").text, "Refused by")
	rita.lang = "it"
	assert.Regexp(t, `Rifiuto di anna [^;]*: versione 2; it is a hospital.*va deciso di nuovo`, rita.get(t, "/pending").text)
	rita.lang = ""
	rita.decideEnding(t, "end", fields("entries", "live.example", "reason", "it is over"))
	p := rita.get(t, "/pending")
	assert.Contains(t, p.text, why)
	assert.NotContains(t, p.text, lost, "it was decided again")
	rita.post(t, "/release", nil)
	for _, at := range []string{"/", "/pending", path} {
		assert.NotContains(t, rita.get(t, at).text, "Refused by", at)
	}
}

// A refusal of urgent orders is on their page until others are prepared.
func TestOfficerHasRefusedUrgentOrders(t *testing.T) {
	t.Parallel()
	a := team(t)
	paola := a.as(t, "paola")
	paola.askUrgent(t, fields("entries", "live.example", "reference", "night 1"))
	paola.upload(t, a.refused(t, paola.post(t, "/request", fields("what", "urgent")).raw, "it is a museum"))
	assert.Contains(t, paola.get(t, "/urgent").text, "it is a museum")
	assert.Contains(t, paola.get(t, "/").text, "Refused by anna")
	assert.NotContains(t, paola.get(t, "/pending").text, "Refused by")
	assert.NotContains(t, paola.askUrgent(t, fields("entries", "other.example", "reference", "night 2")).text, "Refused by")
	a.orderUrgently(t, paola, fields("entries", "third.example", "reference", "night 3"))
	assert.NotContains(t, paola.get(t, "/urgent").text, "Refused by")
}

// The page of a code has the line for refusing, and the fingerprint to compare the root with; when one officer has signed,
// it makes a code for the next one. Officers without a connection have the lines, too.
func TestCodeOfEachOfficer(t *testing.T) {
	t.Parallel()
	a := newAgencyOf(t, 2, "anna", "bruno")
	a.list(t, "bad.example")
	a.open(t)
	b := a.enter(t)
	root := b.post(t, "/release", nil)
	status, err := a.Status(t.Context())
	require.NoError(t, err)
	assert.Contains(t, root.text, "blocklist sign FILE --root root.json --key OFFICER.key -o OFFICER.sig")
	assert.Contains(t, root.text, "blocklist refuse FILE --root root.json --key OFFICER.key --reason TEXT -o OFFICER.refusal")
	assert.Contains(t, root.text, "Fingerprint: "+status.Root.Fingerprint)
	code, path := b.makeCode(t, "")
	p := b.get(t, path)
	assert.Contains(t, p.text, "blocklist refuse "+a.server.URL+" --code "+code+" --root root.json --key OFFICER.key --reason TEXT")
	assert.Contains(t, p.text, "Fingerprint: "+status.Root.Fingerprint+" This desk alone does not prove it")
	assert.NotContains(t, p.text, "next officer")
	request := a.terminal(t, http.MethodGet, "/terminal/request", strings.ReplaceAll(code, "-", ""), "")
	require.Equal(t, http.StatusOK, request.status, "without hyphens, too")
	require.Equal(t, http.StatusOK, a.terminal(t, http.MethodPost, "/terminal/signature", code, a.signed(t, request.raw)).status)
	again := a.terminal(t, http.MethodGet, "/terminal/request", code, "")
	assert.Equal(t, http.StatusUnauthorized, again.status)
	assert.Contains(t, again.raw, "the code was used: it works once; the desk makes another one for the next officer")
	assert.Contains(t, b.get(t, path).text, "anna has signed with this code. Make a code for the next officer")
	next, at := b.makeCode(t, "")
	assert.NotEqual(t, code, next)
	assert.NotContains(t, b.get(t, at).text, "--key anna.key", "anna has signed")
	a.signBy(t, a.officers[1])
	assert.NotContains(t, b.get(t, path).text, "next officer", "there are enough signatures")
}
