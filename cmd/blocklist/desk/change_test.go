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

// fields returns the fields of a form.
func fields(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// head returns the number of the last operation.
func (a *agency) head(t testing.TB) publish.Operation {
	t.Helper()
	o, err := a.History().Head(t.Context())
	require.NoError(t, err)
	return o
}

// What the preview has in its fields can be sent as it is, also if it has several lines: browsers end them with CR and LF.
func TestSeveralLines(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.open(t)
	b := a.enter(t)
	p := b.post(t, "/add", fields("entries", "one.example category=a\r\ntwo.example category=b\r\n"))
	require.Equal(t, "one.example category=a\ntwo.example category=b", p.values["entries"])
	b.post(t, "/add", fields("entries", p.values["entries"], "head", p.values["head"]))
	_, listed, err := a.Lookup(t.Context(), "two.example")
	require.NoError(t, err)
	assert.True(t, listed)
	assert.Equal(t, int64(2), a.head(t).ID)
}

// A change is tried first, and counts when it is confirmed.
func TestAddAndWithdraw(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.open(t)
	b := a.enter(t)
	f := fields("entries", "HTTP://Bad.Example:80/x\n worse.example ref=other", "reference", "order 17", "reason", "as ordered", "expires", "2099-05-01")
	p := b.post(t, "/add", f)
	assert.Equal(t, http.StatusOK, p.status)
	assert.Contains(t, p.text, `https://bad.example/x|ref="order 17" expires=2099-05-01|`)
	assert.Contains(t, p.text, "worse.example|ref=other expires=2099-05-01|")
	assert.Contains(t, p.text, "Nothing was changed yet")
	before := a.head(t)
	assert.Equal(t, int64(1), before.ID)
	f.Set("head", p.values["head"])
	p = b.post(t, "/add", f)
	assert.Equal(t, "/operation/2?done=%2Fadd", p.path)
	assert.Equal(t, "carla", a.head(t).Author)

	f = fields("entries", "https://bad.example/x", "reason", "gone", "decision", "revocation 3")
	p = b.post(t, "/withdraw", f)
	assert.Contains(t, p.text, "not listed any more")
	f.Set("head", p.values["head"])
	b.post(t, "/withdraw", f)
	assert.Equal(t, "revocation 3", a.head(t).Reference)
	p = b.post(t, "/withdraw", fields("reference", "other"))
	assert.Contains(t, p.text, "1 entry leaves the list")
	assert.NotEmpty(t, p.values["head"])

	for _, wrong := range []url.Values{
		fields("entries", ""), fields("entries", "two words"), fields("entries", "a.example", "expires", "tomorrow"),
		fields("entries", "a.example", "reference", "bidi \u202e"),
	} {
		p = b.post(t, "/add", wrong)
		assert.Equal(t, http.StatusBadRequest, p.status, wrong)
		assert.Empty(t, p.values["head"], wrong)
	}
	assert.Equal(t, http.StatusUnprocessableEntity, b.post(t, "/withdraw", fields("entries", "never.example")).status)
	assert.Equal(t, int64(3), a.head(t).ID)
}

// What the guards hold is listed only with a reason, by a person who may give one.
func TestOverride(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	require.NoError(t, a.SetRole(t.Context(), "carla", publish.RoleClerk, audit))
	require.NoError(t, a.SetRole(t.Context(), "rita", publish.RoleReviewer, audit))
	a.openBehindProxy(t)
	f := fields("entries", "co.uk")
	p := a.as(t, "carla").post(t, "/add", f)
	assert.Contains(t, p.text, "public-suffix")
	assert.Contains(t, p.text, "A reviewer can override")
	assert.Empty(t, p.values["head"])
	f.Set("override", "I know better")
	assert.Equal(t, http.StatusForbidden, a.as(t, "carla").post(t, "/add", f).status)
	p = a.as(t, "rita").post(t, "/add", f)
	f.Set("head", p.values["head"])
	assert.Equal(t, http.StatusForbidden, a.as(t, "carla").post(t, "/add", f).status)
	assert.Equal(t, http.StatusOK, a.as(t, "rita").post(t, "/add", f).status)
	assert.Equal(t, "guards overridden: I know better", a.head(t).Reason)
	assert.Equal(t, "rita", a.head(t).Author)
}

// What is only monitored blocks nothing, and the preview says so of each entry, and of all of them.
func TestMonitorIsSaid(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.open(t)
	b := a.enter(t)
	const said = "Monitor only: count matches, block nothing"
	p := b.post(t, "/add", fields("entries", "bad.example", "status", "monitor"))
	assert.Contains(t, p.text, "Covers the whole site and all names below it"+said)
	assert.Contains(t, p.text, "Effect"+said, "in the summary")
	p = b.post(t, "/add", fields("entries", "bad.example status=monitor\nworse.example"))
	assert.Equal(t, 1, strings.Count(p.text, said), "of that entry alone")
	assert.NotContains(t, b.post(t, "/add", fields("entries", "bad.example")).text, said)
}

// Two people decide on the same state: the second one is shown what the first one has done, and nothing is lost.
func TestConflict(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	require.NoError(t, a.SetRole(t.Context(), "carla", publish.RoleClerk, audit))
	require.NoError(t, a.SetRole(t.Context(), "dora", publish.RoleClerk, audit))
	a.openBehindProxy(t)
	carla, dora := a.as(t, "carla"), a.as(t, "dora")
	c, d := fields("entries", "bad.example", "reference", "order 1"), fields("entries", "bad.example\nworse.example", "reference", "order 2")
	c.Set("head", carla.post(t, "/add", c).values["head"])
	d.Set("head", dora.post(t, "/add", d).values["head"])
	assert.Equal(t, http.StatusOK, carla.post(t, "/add", c).status)
	p := dora.post(t, "/add", d)
	assert.Equal(t, http.StatusConflict, p.status)
	assert.Contains(t, p.text, "The list has changed meanwhile")
	assert.Contains(t, p.text, "|carla|order 1|+bad.example")
	assert.Contains(t, p.text, "1 further order on an entry that is listed")
	assert.Equal(t, "carla", a.head(t).Author, "nothing of hers was done")
	d.Set("head", p.values["head"])
	assert.Equal(t, http.StatusOK, dora.post(t, "/add", d).status)
	orders, err := a.Orders(t.Context(), "bad.example")
	require.NoError(t, err)
	assert.Len(t, orders, 2)
}
