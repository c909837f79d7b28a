package desk_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
)

// linkWith returns the link of a page that has a text.
func (p page) linkWith(t testing.TB, text string) string {
	t.Helper()
	for link := range p.links {
		if strings.Contains(link, text) {
			return link
		}
	}
	require.Fail(t, "no link", text)
	return ""
}

// What was typed has a page of its own: it is shown again after Back, with a way to the form that has all of it, and to
// its person alone.
func TestDrafts(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	for _, name := range []string{"carla", "dora"} {
		require.NoError(t, a.SetRole(t.Context(), name, publish.RoleClerk, audit))
	}
	a.openBehindProxy(t)
	carla, head := a.as(t, "carla"), a.head(t)
	f := fields("entries", "hxxps://bad[.]example/x\nworse.example/y", "reason", "as ordered", "expires", "2099-05-01", "reference", "order 7")
	p := carla.post(t, "/add", f)
	assert.Regexp(t, `^/add\?draft=`, p.path)
	for _, again := range []page{p, carla.get(t, p.path)} {
		assert.Contains(t, again.text, "|https://bad.example/x|")
		assert.Contains(t, again.text, "|https://worse.example/y|")
		assert.NotContains(t, again.raw, "<textarea", "what is recorded is what is shown")
	}
	edit := carla.get(t, p.linkWith(t, "edit=1"))
	for name := range f {
		assert.Equal(t, f.Get(name), edit.values[name], name)
	}
	assert.NotContains(t, a.as(t, "dora").get(t, p.path).raw, "as ordered")
	for range 40 {
		carla.post(t, "/add", f)
	}
	assert.NotContains(t, carla.get(t, p.path+"&again=1").raw, "as ordered", "the oldest are dropped")

	f.Set("expires", "2020-01-01")
	p = carla.post(t, "/add", f)
	assert.Equal(t, http.StatusBadRequest, p.status)
	assert.Contains(t, p.text, "2020-01-01")
	assert.Equal(t, "as ordered", p.values["reason"])
	f.Del("expires")
	f.Set("entries", "bad.example expires=2020-01-02")
	p = carla.post(t, "/add", f)
	assert.Equal(t, http.StatusBadRequest, p.status)
	assert.Contains(t, p.text, "This day is over, or it is today: give a later one.")
	assert.Equal(t, "bad.example expires=2020-01-02", p.values["entries"])
	f.Set("entries", "htps:/bad.example/x")
	p = carla.post(t, "/add", f)
	assert.Contains(t, p.text, "do you mean https://bad.example/x?")
	assert.Equal(t, "htps:/bad.example/x", p.values["entries"])
	assert.Equal(t, head, a.head(t))
}

// Another language keeps what was typed, and a time zone that there is not is said.
func TestPreferencesKeepForm(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.open(t)
	b := a.enter(t)
	assert.Contains(t, b.get(t, "/add").raw, `form="typed" formaction="/preferences?back=%2fadd"`)
	p := b.post(t, "/preferences?back=%2Fadd", fields("typed", "1", "language", "it", "entries", "half.exam", "reason", "as ordered"))
	assert.Equal(t, "it", p.header.Get("Content-Language"))
	assert.Regexp(t, `^/add\?draft=.*edit=1`, p.path)
	assert.Equal(t, "half.exam", p.values["entries"])
	assert.Equal(t, "as ordered", p.values["reason"])
	p = b.post(t, "/preferences?back=%2Fadd", fields("typed", "1", "choose", "zone", "entries", "half.exam", "reason", "as ordered"))
	assert.Regexp(t, `^/preferences\?back=`, p.path)
	p = b.post(t, "/preferences", fields("back", p.values["back"], "zone", "Europe/Rome"))
	assert.Regexp(t, `^/add\?draft=.*edit=1`, p.path)
	assert.Contains(t, p.text, "Fuso orario: Europe/Rome")
	assert.Equal(t, "half.exam", p.values["entries"])
	assert.Equal(t, "as ordered", p.values["reason"])
	p = b.post(t, "/add", fields("entries", "new.example"))
	assert.Equal(t, p.path, b.post(t, "/preferences", fields("back", p.values["back"], "language", "en")).path)
	p = b.post(t, "/preferences", fields("back", "/history", "zone", "Nowhere"))
	assert.Contains(t, p.text, "There is no time zone “Nowhere”")
	p = b.post(t, "/preferences", fields("back", p.path, "zone", "rome"))
	assert.NotContains(t, p.text, "There is no time zone")
	assert.Equal(t, "Europe/Rome", p.values["zone"])
	assert.Equal(t, "America/New_York", b.post(t, "/preferences", fields("back", "/history", "zone", " New York")).values["zone"])
}

// A mistake in an urgent order loses nothing.
func TestUrgentKeepsForm(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.list(t, "first.example")
	a.release(t)
	a.open(t)
	p := a.enter(t).post(t, "/urgent", fields("entries", "htps:/bad.example/x", "reference", "night 3", "reason", "now"))
	assert.Equal(t, http.StatusBadRequest, p.status)
	assert.Contains(t, p.text, "Do you mean https://bad.example/x?")
	assert.Equal(t, "htps:/bad.example/x", p.values["entries"])
	assert.Equal(t, "night 3", p.values["reference"])
}
