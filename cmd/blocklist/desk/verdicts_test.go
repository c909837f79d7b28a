package desk_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// rows returns the fields of the form about several proposals, without a verdict.
func (b *browser) rows(t *testing.T, ids ...string) (f url.Values) {
	t.Helper()
	f = url.Values{}
	for _, id := range ids {
		f.Add("seen", b.get(t, "/proposal/"+id).values["seen"])
	}
	return f
}

// checkedProposals is the office with some proposals that a clerk has checked.
func checkedProposals(t *testing.T, targets ...string) (a *agency, carla, rita *browser, ids []string) {
	t.Helper()
	a, carla, rita = office(t)
	carla.propose(t, fields("entries", strings.Join(targets, "\n"), "source", "hotline"))
	for i := range targets {
		ids = append(ids, fmt.Sprint(i+1))
	}
	f := carla.rows(t, ids...)
	f.Set("verb", "check")
	f.Set("reason", "seen")
	require.Equal(t, http.StatusOK, carla.post(t, "/proposals/decide", f).status)
	return a, carla, rita, ids
}

// A reviewer gives each proposal a verdict of its own. They are sent together, and each is a decision of its own; what has
// none stays open, and the form is about that alone.
func TestVerdictForEach(t *testing.T) {
	t.Parallel()
	a, carla, rita, ids := checkedProposals(t, "one.example", "two.example", "three.example", "four.example", "five.example")
	review := "/proposals/review?id=1&id=2&id=3&id=4&id=5"
	p := rita.get(t, review)
	assert.Equal(t, 5, strings.Count(p.raw, `value="" checked> Leave`), "nothing is decided by default")
	assert.NotContains(t, p.raw, `name="verb"`)
	assert.NotContains(t, p.text, "as proposed", "neither category nor reference was proposed")
	f := rita.rows(t, ids...)
	none := rita.post(t, "/proposals/decide", f)
	assert.Equal(t, http.StatusBadRequest, none.status)
	assert.Contains(t, none.text, "choose a verdict for at least one")

	f.Set("verdict:1", "confirm")
	f.Set("verdict:2", "refuse")
	f.Set("verdict:3", "refuse")
	f.Set("reason:2", "an ordinary shop")
	f.Set("verdict:4", "confirm")
	p = rita.post(t, "/proposals/decide", f)
	assert.Equal(t, http.StatusBadRequest, p.status)
	assert.Contains(t, p.text, "Nothing was done: something is missing or wrong")
	assert.Contains(t, p.raw, `name="reason:3" value="" maxlength="1024" aria-invalid="true" aria-describedby="lacks:3" autofocus`)
	assert.Contains(t, p.raw, `id="lacks:3"><p>A refusal needs a reason.</p>`)
	assert.Contains(t, p.raw, `name="verdict:1" value="confirm" checked`, "nothing is lost")
	assert.Equal(t, "an ordinary shop", p.values["reason:2"])
	assert.Empty(t, a.states(t, proposal.Listed, proposal.Refused), "nothing was done")

	f.Set("reason", "for all others")
	stale := carla.rows(t, "4")
	stale.Set("verb", "refuse")
	stale.Set("reason", "the owner has written")
	carla.post(t, "/proposals/decide", stale)
	before := a.head(t).ID
	p = rita.post(t, "/proposals/decide", f)
	assert.Equal(t, http.StatusConflict, p.status)
	assert.Contains(t, p.text, "1 one.example done listed")
	assert.Contains(t, p.text, "2 two.example done refused an ordinary shop")
	assert.Contains(t, p.text, "3 three.example done refused for all others")
	assert.Regexp(t, `4 four.example not done: “Confirm: it counts” It was changed since you looked at it: look again, then decide. refused Refused · carla · [^ ]+ [^ ]+ [^ ]+ · the owner has written`, p.text)
	assert.Equal(t, before+1, a.head(t).ID, "only what changes the list is an operation")
	assert.Equal(t, 1, strings.Count(p.raw, `name="seen"`), "the form is about what is open")
	assert.Contains(t, p.raw, `name="seen" value="5:`)
	for id, want := range map[int64]string{1: "for all others", 2: "an ordinary shop", 3: "for all others"} {
		_, steps, err := proposal.Get(t.Context(), a.Ledger, id)
		require.NoError(t, err)
		last := steps[len(steps)-1]
		assert.Equal(t, "rita", last.Author)
		assert.Equal(t, want, last.Reason)
	}
}

// What the rules ask of a confirmation and is missing is said at each decision and at the field, before anything is
// recorded; what was chosen stays chosen.
func TestVerdictsLackWhatRulesAsk(t *testing.T) {
	t.Parallel()
	a, _, rita, ids := checkedProposals(t, "one.example", "two.example", "three.example", "four.example")
	require.NoError(t, a.SetRules(t.Context(), publish.Rules{NeedReason: true, Categories: []string{"fraud"}}, audit))
	p := rita.get(t, "/proposals/review?id=1&id=2&id=3&id=4")
	assert.Equal(t, 5, strings.Count(p.text, "(needed to confirm and to refuse)"))
	f := rita.rows(t, ids...)
	for id, verdict := range map[string]string{"1": "refuse", "2": "confirm", "3": "confirm"} {
		f.Set("verdict:"+id, verdict)
	}
	f.Set("reason:1", "an ordinary shop")
	f.Set("reason:3", "as ordered")
	before := a.head(t).ID
	nothing := func(p page) {
		t.Helper()
		assert.Equal(t, http.StatusBadRequest, p.status)
		assert.Contains(t, p.text, "Nothing was done")
		assert.Empty(t, a.states(t, proposal.Listed, proposal.Refused))
		for _, chosen := range []string{`1" value="refuse"`, `2" value="confirm"`, `3" value="confirm"`, `4" value=""`} {
			assert.Contains(t, p.raw, `name="verdict:`+chosen+` checked>`)
		}
	}
	p = rita.post(t, "/proposals/decide", f)
	nothing(p)
	assert.Contains(t, p.raw, `id="lacks:2"><p>The rules of the list ask for a reason.</p><p>two.example: The rules of the list ask for a category`)
	assert.Contains(t, p.raw, `id="lacks:3"><p>three.example: The rules of the list ask for a category`)
	assert.NotContains(t, p.raw, `id="lacks:1"`)
	assert.Regexp(t, `name="reason:2"[^>]* aria-describedby="lacks:2" autofocus`, p.raw)
	f.Set("reason:2", "as ordered")
	p = rita.post(t, "/proposals/decide", f)
	nothing(p)
	assert.Regexp(t, `<select name="category"[^>]* aria-invalid="true"`, p.raw)
	assert.Regexp(t, `here for all: ?2 two.example ?two.example: The rules .*3 three.example.* Reason for those`, p.text)
	f.Set("category", "fraud")
	assert.Equal(t, http.StatusOK, rita.post(t, "/proposals/decide", f).status)
	assert.Equal(t, before+2, a.head(t).ID)
}

// states returns the targets of the proposals in these states.
func (a *agency) states(t *testing.T, states ...string) (targets []string) {
	t.Helper()
	all, err := proposal.List(t.Context(), a.Ledger, proposal.Filter{States: states})
	require.NoError(t, err)
	for _, p := range all {
		targets = append(targets, p.Target)
	}
	return targets
}

// Each confirmation is an operation of its own. Who may not confirm can't do so by a verdict either.
func TestVerdictsAreOperations(t *testing.T) {
	t.Parallel()
	a, carla, rita, ids := checkedProposals(t, "one.example", "two.example", "co.uk", "late.example")
	f := rita.rows(t, ids...)
	for _, id := range ids[:3] {
		f.Set("verdict:"+id, "confirm")
	}
	assert.Equal(t, http.StatusForbidden, carla.post(t, "/proposals/decide", f).status)
	before := a.head(t).ID
	p := rita.post(t, "/proposals/decide", f)
	assert.Contains(t, p.text, "2 two.example done listed")
	assert.Equal(t, before+2, a.head(t).ID)
	assert.Equal(t, "rita", a.head(t).Author)
	_, asked := p.values["override"]
	assert.True(t, asked, "the guards hold co.uk")
	assert.Contains(t, p.raw, `name="verdict:3" value="confirm" checked`, "what was not done stays chosen")
	again := rita.post(t, "/proposals/decide", f)
	assert.Equal(t, 2, strings.Count(again.text, "You have done this already"))
	assert.Equal(t, before+2, a.head(t).ID)

	f = rita.rows(t, "3", "4")
	f.Set("verdict:3", "confirm")
	f.Set("verdict:4", "confirm")
	f.Set("override", "the ministry asks for it")
	assert.Equal(t, http.StatusOK, rita.post(t, "/proposals/decide", f).status)
	overrides := map[string]string{}
	for o, err := range a.Operations(t.Context()) {
		require.NoError(t, err)
		overrides[o.Reference] = publish.CauseOf(o).Override
	}
	assert.Equal(t, "the ministry asks for it", overrides["proposal 3"])
	assert.Empty(t, overrides["proposal 4"], "nothing was overridden for it")
}

// Many proposals are ticked, or looked at, by one link, which says how many they are; a verdict is chosen for all of them
// by another one. Nothing is decided by that.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	a, carla, rita := office(t)
	var targets []string
	for i := range 60 {
		targets = append(targets, fmt.Sprintf("shop%d.example", i))
	}
	carla.propose(t, fields("entries", strings.Join(targets, "\n"), "source", "hotline"))
	carla.propose(t, fields("entries", "other.example", "source", "police"))
	p := rita.get(t, "/proposals?source=hotline")
	assert.NotContains(t, p.raw, `" checked>`)
	assert.Contains(t, p.text, "all 50 on this page")
	ticked := rita.get(t, p.linkWith(t, "ticked=1"))
	assert.Equal(t, 50, strings.Count(ticked.raw, `" checked>`))
	assert.NotContains(t, ticked.linkWith(t, "after="), "ticked", "the next page is not ticked")
	assert.Contains(t, p.text, "Look at all 60 that the filter finds")
	all := rita.get(t, p.linkWith(t, "all=1"))
	assert.Equal(t, 60, strings.Count(all.raw, `name="seen"`))
	assert.NotContains(t, all.text, "other.example")
	assert.Contains(t, all.text, "Refuse (60)")
	f := url.Values{"fill": {"check"}, "verdict:7": {"refuse"}, "reason:7": {"no evidence"}, "reason": {"seen"}}
	for i := range 60 {
		f.Add("seen", fmt.Sprintf("%d:%d", i+1, 1))
	}
	chosen := rita.post(t, "/proposals/decide", f)
	assert.Equal(t, 59, strings.Count(chosen.raw, `value="check" checked>`))
	assert.Contains(t, chosen.raw, `name="verdict:7" value="refuse" checked>`, "it was chosen already")
	assert.Equal(t, []string{"no evidence", "seen"}, []string{chosen.values["reason:7"], chosen.values["reason"]})
	assert.Contains(t, chosen.text, "Check: it should count (0)", "none is left")
	f.Set("fill", "")
	assert.Equal(t, 60, strings.Count(rita.post(t, "/proposals/decide", f).raw, `value="" checked>`))
	assert.Len(t, a.states(t, proposal.New), 61)
	assert.NotContains(t, rita.get(t, "/proposals?source=police").text, "that the filter finds", "all are on one page")
	assert.Regexp(t, `^/proposals\?source=unknown$`, rita.get(t, "/proposals/review?all=1&source=unknown").path)

	var more []proposal.Proposal
	for i := range 150 {
		more = append(more, proposal.Proposal{Target: fmt.Sprintf("page%d.example", i), Source: "csv"})
	}
	_, err := proposal.Propose(t.Context(), a.Ledger, more, publish.Audit{Author: "carla"}, nil)
	require.NoError(t, err)
	assert.Contains(t, rita.get(t, "/proposals").text, "Look at the first 200; the filter finds more")
	assert.Equal(t, 200, strings.Count(rita.get(t, "/proposals/review?all=1").raw, `name="seen"`))
}
