package desk_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/blocklist/publish/report"
	"github.com/argine-dns/argine/blocklist/receipt"
	"github.com/argine-dns/argine/cmd/blocklist/desk"
)

func (a *agency) withdraw(t *testing.T, target string) {
	t.Helper()
	e, err := blocklist.ParseEntry(target)
	require.NoError(t, err)
	_, err = a.Remove(t.Context(), []blocklist.Entry{e}, audit)
	require.NoError(t, err)
}

// The pages say what subscribers make of an entry, and not what the ledger lists.
func TestStateIsWhatSubscribersEnforce(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.list(t, "stays.example", "goes.example", "https://page.example/x")
	r := a.release(t)
	a.list(t, "comes.example")
	a.withdraw(t, "goes.example")
	a.withdraw(t, "https://page.example/x")
	said := &report.Receipts{From: "a test", Subscribers: []string{"north.example", "south.example"}, Statements: []receipt.Statement{{
		Holder: "north.example", Receipt: receipt.Receipt{List: a.List(), Serial: r.Serial, Digest: r.SignedDigest, Enforced: r.Created.Add(time.Second)},
	}}}
	a.open(t, func(o *desk.Options) {
		o.Deadline = time.Hour
		o.Receipts = func(context.Context, *publish.Ledger) (*report.Receipts, error) { return said, nil }
	})
	b := a.enter(t)
	again := b.post(t, "/withdraw", fields("entries", "goes.example", "reason", "once more")).text
	assert.Contains(t, again, "goes.example: withdrawn, still blocked until the next release")
	assert.NotContains(t, again, "It is not on the list")
	since := r.Pushed.UTC().Format("2006-01-02 15:04") + " UTC"
	for path, want := range map[string][]string{
		"/entries":                             {"stays.example|in force since " + since + " release 1|", "comes.example|decided, not in force yet: a release must be made|", "2 lines of the last release are withdrawn"},
		"/entry?of=stays.example":              {"in force since " + since, "Release 1 is confirmed by 1 of 2 subscribers: north.example", "Not confirmed yet: south.example"},
		"/entry?of=goes.example":               {"withdrawn, still blocked until the next release: a release must be made", "1 of 2 subscribers"},
		"/entry?of=comes.example":              {"decided, not in force yet: a release must be made", "in no release yet"},
		"/entry?of=hxxp://www.stays[.]example": {"Covered by stays.example: in force since"},
		"/entry?of=never.example":              {"never.example: never listed"},
		"/search?q=goes.example":               {"goes.example|withdrawn, still blocked until the next release"},
		"/search?q=page.example":               {"https://page.example/x|withdrawn, still blocked"},
		"/":                                    {"listed not in force yet", "withdrawn not in force yet"},
		"/history":                             {"listed not in force yet|carla"},
	} {
		p := b.whole(t, path)
		for _, text := range want {
			assert.Contains(t, p.text, text, path)
		}
	}
	b.lang = "it"
	assert.Contains(t, b.get(t, "/entry?of=goes.example").text, "ritirata, ancora bloccata fino alla prossima versione")
	assert.Contains(t, b.get(t, "/entry?of=stays.example").text, "in vigore dal ")

	b.lang = "en"
	_, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	assert.Contains(t, b.get(t, "/entry?of=comes.example").text, "decided, not in force yet: release 2 needs more signatures")
	a.sign(t)
	assert.Contains(t, b.get(t, "/entry?of=comes.example").text, "decided, not in force yet: release 2 is signed, and must be published")
	a.release(t)
	assert.Contains(t, b.get(t, "/entry?of=comes.example").text, "in force since")
	assert.Contains(t, b.get(t, "/entry?of=goes.example").text, "no longer in force since")
}

// A resolver does not see URLs, so a receipt is no proof that a page is blocked.
func TestPageIsNotSaidToBeBlockedByAll(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.list(t, "https://page.example/x", "https://page.example/*", "name.example", "192.0.2.0/24")
	a.release(t)
	a.open(t)
	b := a.enter(t)
	for _, path := range []string{"/entry?of=https://page.example/x", "/entries?scope=url", "/search?q=page.example"} {
		p := b.get(t, path)
		assert.Regexp(t, `in force since [-0-9]+ [:0-9]+ UTC for subscribers that enforce pages`, p.text, path)
		assert.NotContains(t, p.raw, `class="badge listed"`, path)
	}
	assert.Contains(t, b.get(t, "/entry?of=https://page.example/x").text, "Resolvers can't block it: only proxies and apps that see URLs can")
	assert.Contains(t, b.getAny(t, "/entry/page?of=https://page.example/x").text, " for subscribers that enforce pages")
	for _, of := range []string{"name.example", "192.0.2.0/24"} {
		p := b.get(t, "/entry?of="+of)
		assert.NotContains(t, p.text, "pages", of)
		assert.Contains(t, p.raw, `class="badge listed"`, of)
	}
}

// The search understands what people type, and finds parts of what was proposed.
func TestSearchFindsWhatIsTyped(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.list(t, "https://bad.example/page", "https://other.example/a/b", "xn--bcher-kva.example", "bad3.example", "https://bad3.example/x", "below.parent.example")
	_, err := proposal.Propose(t.Context(), a.Ledger, []proposal.Proposal{
		{Target: "https://shop.bad-shop.example/Kasse?x=1", Source: "hotline"}, {Target: "poker.example", Source: "hotline"},
	}, audit, nil)
	require.NoError(t, err)
	a.open(t)
	b := a.enter(t)
	for typed, want := range map[string]string{
		"bad.example":                          "https://bad.example/page|decided",
		"BAD.example.":                         "https://bad.example/page|decided",
		"hxxps://bad[.]example":                "https://bad.example/page|decided",
		"bad.example/page":                     "https://bad.example/page|decided",
		"hxxp://bad[.]example/page":            "https://bad.example/page|decided",
		"other.example/a":                      "https://other.example/a/b|decided",
		"bücher.example":                       "xn--bcher-kva.example|decided",
		"www.BÜCHER[.]example":                 "xn--bcher-kva.example|decided",
		"bad3":                                 "https://bad3.example/x|decided",
		"parent.example":                       "below.parent.example|decided",
		"bad-shop.example":                     "1|https://shop.bad-shop.example/Kasse?x=1|new|hotline",
		"hxxp://shop[.]bad-shop[.]example/kas": "1|https://shop.bad-shop.example/Kasse?x=1|new|hotline",
		"pok":                                  "2|poker.example|new|hotline",
		"nothing.example":                      "Nothing was found",
	} {
		assert.Contains(t, b.get(t, "/search?q="+url.QueryEscape(typed)).text, want, typed)
	}
	for path, want := range map[string]string{
		"/entries?prefix=hxxp://bad[.]example/": "https://bad.example/page|",
		"/entries?prefix=bad3":                  "https://bad3.example/x|",
		"/proposals?target=bad-shop":            "https://shop.bad-shop.example/Kasse?x=1",
		"/proposals?target=POKER.example.":      "poker.example",
		"/proposals?target=nothing":             "No proposal fits.",
	} {
		assert.Contains(t, b.get(t, path).text, want, path)
	}
	assert.NotContains(t, b.get(t, "/proposals?target=bad-shop").text, "poker")
	_, err = proposal.Propose(t.Context(), a.Ledger, []proposal.Proposal{{Target: "late-shop.example", Source: "hotline"}}, audit, nil)
	require.NoError(t, err)
	assert.Contains(t, b.get(t, "/search?q=late-").text, "3|late-shop.example|new|hotline", "it is read as well")
	table := b.get(t, "/proposals.csv?target=poker").raw
	assert.Contains(t, table, "poker.example")
	assert.NotContains(t, table, "shop")
}

// A proposal that was confirmed says what subscribers make of it, wherever it is shown.
func TestProposalSaysWhatIsEnforced(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := proposal.Propose(t.Context(), a.Ledger, []proposal.Proposal{
		{Target: "phish.example", Source: "hotline"}, {Target: "phisher.example", Source: "hotline"},
	}, audit, nil)
	require.NoError(t, err)
	a.open(t)
	b := a.enter(t)
	says := func(want string) {
		t.Helper()
		for _, path := range []string{"/proposal/1", "/proposals?state=all", "/search?q=phish"} {
			assert.Contains(t, b.get(t, path).text, want, path)
		}
	}
	says("phish.example")
	assert.NotContains(t, b.get(t, "/proposals?state=all").text, "in force")
	a.decide(t, proposal.Check, "carla")
	a.decide(t, proposal.Confirm, "rita")
	says("decided, not in force yet: a release must be made")
	_, _, err = a.Release(t.Context(), "anna")
	require.NoError(t, err)
	says("decided, not in force yet: release 1 needs more signatures")
	a.sign(t)
	a.release(t)
	says("in force since " + time.Now().UTC().Format("2006-01-02"))
	a.withdraw(t, "phish.example")
	says("withdrawn, still blocked until the next release")
	a.release(t)
	says("no longer in force since")
}

// decide has somebody decide on the first proposal.
func (a *agency) decide(t *testing.T, verb proposal.Verb, author string) {
	t.Helper()
	all, err := proposal.Decide(t.Context(), a.Ledger, proposal.Decision{Verb: verb, IDs: []int64{1}}, publish.Audit{Author: author, Reason: "visto"})
	require.NoError(t, err)
	require.NoError(t, all[0].Err)
}

// Proposals can be chosen by the days of their reception.
func TestProposalsByDay(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	day := func(text string) time.Time {
		at, err := time.Parse(time.DateOnly, text)
		require.NoError(t, err)
		return at
	}
	_, err := proposal.Propose(t.Context(), a.Ledger, []proposal.Proposal{
		{Target: "old.example", Source: "s", Received: day("2026-03-01")},
		{Target: "mid.example", Source: "s", Received: day("2026-03-05").Add(23 * time.Hour)},
		{Target: "now.example", Source: "s"},
	}, audit, nil)
	require.NoError(t, err)
	a.open(t)
	b := a.enter(t)
	for query, want := range map[string][3]bool{
		"":                                   {true, true, true},
		"?since=2026-03-02&until=2026-03-05": {false, true, false},
		"?until=2026-03-01":                  {true, false, false},
		"?since=2026-03-06":                  {false, false, true},
	} {
		text := b.get(t, "/proposals"+query).text
		for i, name := range []string{"old.example", "mid.example", "now.example"} {
			if want[i] {
				assert.Contains(t, text, name, query)
			} else {
				assert.NotContains(t, text, name, query)
			}
		}
	}
	assert.Equal(t, 400, b.get(t, "/proposals?since=monday").status)
	assert.Contains(t, b.get(t, "/proposals").text, "This week")
}

// Who checked a proposal and why is seen wherever its entry is, and the first page leads to what it counts.
func TestBothPersonsAreSeen(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	require.NoError(t, a.SetRole(t.Context(), "carla", publish.RoleClerk, audit))
	require.NoError(t, a.SetRole(t.Context(), "rita", publish.RoleReviewer, audit))
	a.openBehindProxy(t)
	carla, rita := a.as(t, "carla"), a.as(t, "rita")
	_, err := proposal.Propose(t.Context(), a.Ledger, []proposal.Proposal{{Target: "phish.example", Source: "hotline"}}, audit, nil)
	require.NoError(t, err)
	by := publish.Audit{Author: "carla", Reason: "it asks for passwords"}
	_, err = proposal.Decide(t.Context(), a.Ledger, proposal.Decision{Verb: proposal.Check, IDs: []int64{1}}, by)
	require.NoError(t, err)
	start := carla.get(t, "/")
	assert.Contains(t, start.text, "1 proposal that you have checked waits")
	require.True(t, start.links["/proposals?state=checked"])
	assert.Contains(t, carla.get(t, "/proposals?state=checked").text, "phish.example")
	mine := carla.get(t, "/proposals?mine=1").text
	assert.Contains(t, mine, "You have checked all of them yourself")
	assert.Contains(t, rita.get(t, "/proposals?mine=1").text, "phish.example")

	_, err = proposal.Decide(t.Context(), a.Ledger, proposal.Decision{Verb: proposal.Confirm, IDs: []int64{1}}, publish.Audit{Author: "rita"})
	require.NoError(t, err)
	s, err := a.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"rita", "it asks for passwords", "proposal 1"}, []string{s.Head.Author, s.Head.Reason, s.Head.Reference})
	for _, path := range []string{"/entry?of=phish.example", fmt.Sprint("/operation/", s.Head.ID)} {
		p := rita.get(t, path)
		assert.Contains(t, p.text, "rita", path)
		assert.Regexp(t, `carla · [0-9: UTC-]+ · it asks for passwords`, p.text, path)
		assert.True(t, p.links["/proposal/1"], path)
	}
}

// A page that has not waited for slow receipts shows them when it is opened again, and is not kept without them.
func TestSlowReceipts(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.list(t, "bad.example")
	a.release(t)
	read := make(chan struct{})
	a.open(t, func(o *desk.Options) {
		o.Receipts = func(context.Context, *publish.Ledger) (*report.Receipts, error) {
			<-read
			return &report.Receipts{Subscribers: []string{"north.example"}}, nil
		}
	})
	b := a.enter(t)
	assert.Contains(t, b.get(t, "/entry?of=bad.example").text, "The subscribers' receipts can't be shown at the moment.")
	close(read)
	assert.Contains(t, b.whole(t, "/entry?of=bad.example").text, "0 of 1 subscribers")
}
