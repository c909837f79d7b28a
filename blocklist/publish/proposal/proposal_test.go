package proposal_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger/ledgertest"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/keys"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

var (
	carla = publish.Audit{Author: "carla", Reason: "e-mail of the hotline"}
	anna  = publish.Audit{Author: "anna", Reason: "looked at it"}
	bruno = publish.Audit{Author: "bruno", Reason: "so it is"}
)

// newLedger returns a ledger with one officer.
func newLedger(t testing.TB) (l *publish.Ledger, dir string) {
	t.Helper()
	home := t.TempDir()
	public, err := keys.Generate(filepath.Join(home, "anna.key"), filepath.Join(home, "anna.pub"), "anna", "")
	require.NoError(t, err)
	online, err := keys.Generate(filepath.Join(home, "online.key"), filepath.Join(home, "online.pub"), "origin", "")
	require.NoError(t, err)
	dir = filepath.Join(home, "agency")
	require.NoError(t, publish.Init(t.Context(), dir, publish.InitOptions{
		List: "it.example/test", OriginKey: online, Officers: []string{public}, Threshold: 1, Author: "anna",
	}))
	return open(t, dir), dir
}

func open(t testing.TB, dir string) *publish.Ledger {
	t.Helper()
	l, err := publish.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func propose(t testing.TB, l *publish.Ledger, all ...proposal.Proposal) []proposal.Result {
	t.Helper()
	results, err := proposal.Propose(t.Context(), l, all, carla, nil)
	require.NoError(t, err)
	return results
}

func decide(t testing.TB, l *publish.Ledger, verb proposal.Verb, by publish.Audit, ids ...int64) []proposal.Decided {
	t.Helper()
	results, err := proposal.Decide(t.Context(), l, proposal.Decision{Verb: verb, IDs: ids}, by)
	require.NoError(t, err)
	return results
}

func verified(t testing.TB, l *publish.Ledger) publish.Verified {
	t.Helper()
	v, err := l.Verify(t.Context(), nil)
	require.NoError(t, err)
	return v
}

func listed(t testing.TB, l *publish.Ledger) (lines []string) {
	t.Helper()
	for e, err := range l.Entries(t.Context()) {
		require.NoError(t, err)
		lines = append(lines, e.String())
	}
	return lines
}

func about(target string) proposal.Proposal {
	return proposal.Proposal{Target: target, Source: "hotline", Category: "test"}
}

func TestTwoPersonsListAnEntry(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	p := about("HTTP://T.me:443/channel")
	p.Reference, p.Evidence, p.Note = "case 17", strings.Repeat("AB", 32), "it says so"
	p.Received = time.Date(2026, 10, 3, 8, 0, 0, 1, time.UTC)
	r := propose(t, l, p)[0]
	assert.Equal(t, proposal.Recorded, r.Outcome)
	assert.Equal(t, int64(1), r.ID)
	assert.Equal(t, "https://t.me/channel", r.Target)
	assert.Equal(t, strings.Repeat("ab", 32), r.Evidence)

	assert.ErrorIs(t, decide(t, l, proposal.Confirm, anna, 1)[0].Err, proposal.ErrSecondPerson)
	require.NoError(t, decide(t, l, proposal.Check, anna, 1)[0].Err)
	for _, author := range []string{"anna", " Anna"} {
		assert.ErrorIs(t, decide(t, l, proposal.Confirm, publish.Audit{Author: author}, 1)[0].Err, proposal.ErrSecondPerson, author)
	}
	assert.ErrorIs(t, decide(t, l, proposal.Check, bruno, 1)[0].Err, proposal.ErrState)
	before := verified(t, l).Operations
	done := decide(t, l, proposal.Confirm, bruno, 1)[0]
	require.NoError(t, done.Err)
	assert.Equal(t, proposal.Listed, done.State)
	assert.Equal(t, before+1, done.Operation)
	assert.Equal(t, []string{`https://t.me/channel category=test ref="case 17"`}, listed(t, l))

	got, steps, err := proposal.Get(t.Context(), l, 1)
	require.NoError(t, err)
	assert.Equal(t, done.Proposal, got)
	var told []string
	for _, s := range steps {
		told = append(told, s.Kind+" "+s.Author+": "+s.Reason)
	}
	assert.Equal(t, []string{"propose carla: e-mail of the hotline", "check anna: looked at it", "confirm bruno: so it is"}, told)
	for o, err := range l.Operations(t.Context()) {
		require.NoError(t, err)
		if o.ID == done.Operation {
			assert.Equal(t, []any{publish.KindConfirm, "bruno", "proposal 1", uint64(1)}, []any{o.Kind, o.Author, o.Reference, o.Added})
		}
	}
	assert.ErrorIs(t, decide(t, l, proposal.Refuse, bruno, 1)[0].Err, proposal.ErrState)
	verified(t, l)
}

func TestRulesSayFromWhichCategory(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	require.NoError(t, l.SetRules(t.Context(), publish.Rules{TwoPersons: []string{"csam"}}, anna))
	for line, want := range map[string]error{"direct1.example category=csam": publish.ErrTwoPersons, "direct2.example category=fraud": nil} {
		e, err := blocklist.ParseEntry(line)
		require.NoError(t, err)
		_, err = l.Add(t.Context(), []blocklist.Entry{e}, anna)
		require.ErrorIs(t, err, want, "what needs two persons comes from proposals only")
	}
	other, csam := about("a.example"), about("b.example")
	csam.Category = "csam"
	propose(t, l, other, csam)
	results := decide(t, l, proposal.Confirm, anna, 1, 2)
	require.NoError(t, results[0].Err)
	assert.ErrorIs(t, results[1].Err, proposal.ErrSecondPerson)

	evading, err := proposal.Decide(t.Context(), l, proposal.Decision{Verb: proposal.Confirm, IDs: []int64{2}, Category: "test"}, anna)
	require.NoError(t, err)
	assert.ErrorIs(t, evading[0].Err, proposal.ErrSecondPerson, "another category does not evade the rule")

	p := about("c.example")
	p.Reporter = "a citizen"
	r := propose(t, l, p)[0]
	assert.Equal(t, proposal.Rejected, r.Outcome)
	assert.Contains(t, r.Why, "--reporters")
	require.NoError(t, l.SetRules(t.Context(), publish.Rules{TwoPersons: []string{publish.NoCategory}, Reporters: true}, anna))
	assert.Equal(t, proposal.Recorded, propose(t, l, p)[0].Outcome)
	require.NoError(t, decide(t, l, proposal.Confirm, anna, 2)[0].Err)
	verified(t, l)
}

func TestProposeSaysWhatStandsAgainstIt(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	_, err := l.Add(t.Context(), []blocklist.Entry{entry(t, "example.org ref=1"), entry(t, "https://t.me/bad/* ref=2")}, anna)
	require.NoError(t, err)
	other := about("sub.example.org")
	other.Source = "citizen"
	results := propose(t, l, about("example.org"), about("sub.example.org"), about("https://t.me/bad/x"), about("co.uk"),
		about("no name"), other, about("sub.example.org"))
	assert.Equal(t, "example.org ref=1", results[0].Listed)
	assert.Equal(t, "example.org ref=1", results[1].Covered)
	assert.Equal(t, "https://t.me/bad/* ref=2", results[2].Covered)
	assert.True(t, results[3].Held())
	assert.Equal(t, proposal.Rejected, results[4].Outcome)
	assert.Contains(t, results[4].Why, "key=value")
	assert.Equal(t, []proposal.Other{{ID: 2, Source: "hotline", State: "new"}}, results[5].Same)
	assert.Equal(t, []any{proposal.Repeated, int64(2)}, []any{results[6].Outcome, results[6].ID})

	decide(t, l, proposal.Check, anna, 1, 2, 3, 4)
	decided := decide(t, l, proposal.Confirm, bruno, 1, 2, 3, 4, 99, 2)
	for _, i := range []int{0, 1, 2} {
		assert.NoError(t, decided[i].Err)
	}
	assert.ErrorIs(t, decided[3].Err, blocklist.ErrHeld)
	assert.Contains(t, decided[3].Why, "co.uk")
	assert.ErrorIs(t, decided[4].Err, proposal.ErrNotFound)
	assert.ErrorIs(t, decided[5].Err, proposal.ErrState)
	override := bruno
	override.Override = "the court insists"
	require.NoError(t, decide(t, l, proposal.Confirm, override, 4)[0].Err)
	assert.Contains(t, listed(t, l), "co.uk category=test")
	verified(t, l)
}

func TestKeyMakesAReportIdempotent(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	p := about("a.example")
	p.Key = "2026-1"
	assert.Equal(t, proposal.Recorded, propose(t, l, p)[0].Outcome)
	p.Note = "sent again"
	decide(t, l, proposal.Refuse, anna, 1)
	r := propose(t, l, p)[0]
	assert.Equal(t, []any{proposal.Repeated, int64(1), proposal.Refused}, []any{r.Outcome, r.ID, r.State})
	p.Target = "b.example"
	assert.Equal(t, proposal.Rejected, propose(t, l, p)[0].Outcome)
	p.Source = "another"
	assert.Equal(t, proposal.Recorded, propose(t, l, p)[0].Outcome)
}

func TestDecisionOnWhatWasSeen(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	seen := propose(t, l, about("a.example"))[0].Step
	decide(t, l, proposal.Refer, bruno, 1)
	r, err := proposal.Decide(t.Context(), l, proposal.Decision{Verb: proposal.Check, IDs: []int64{1}, Seen: map[int64]int64{1: seen}}, anna)
	require.NoError(t, err)
	assert.ErrorIs(t, r[0].Err, proposal.ErrChanged)
	require.NoError(t, decide(t, l, proposal.Check, anna, 1)[0].Err, "a platform did not help")
}

func TestRefusalNeedsReason(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	propose(t, l, about("a.example"))
	d := proposal.Decision{Verb: proposal.Refuse, IDs: []int64{1}}
	_, err := proposal.Decide(t.Context(), l, d, publish.Audit{Author: "anna"})
	require.ErrorIs(t, err, proposal.ErrNoReason)
	require.NoError(t, decide(t, l, proposal.Refuse, anna, 1)[0].Err)
}

// A platform can take down a page, but it can't withdraw an order.
func TestWithdrawalIsNotReferred(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	p := about("a.example")
	p.Withdraw = true
	propose(t, l, p, about("b.example"))
	results := decide(t, l, proposal.Refer, anna, 1, 2)
	require.ErrorIs(t, results[0].Err, proposal.ErrState)
	assert.Equal(t, proposal.New, results[0].State)
	require.NoError(t, results[1].Err)
	require.NoError(t, decide(t, l, proposal.Check, anna, 1)[0].Err)
}

// An order that stands already needs no operation.
func TestConfirmWhatIsListed(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	_, err := l.Add(t.Context(), []blocklist.Entry{entry(t, "a.example category=test")}, anna)
	require.NoError(t, err)
	propose(t, l, about("a.example"))
	decide(t, l, proposal.Check, anna, 1)
	before := verified(t, l).Operations
	r := decide(t, l, proposal.Confirm, bruno, 1)[0]
	require.NoError(t, r.Err)
	assert.Equal(t, proposal.Listed, r.State)
	assert.Zero(t, r.Operation)
	assert.Equal(t, before, verified(t, l).Operations)
}

func TestAnotherAgencysEntry(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	p := about("a.example")
	p.Source, p.Serial, p.Reference = "de.example/wol", 41, "BKA 7"
	propose(t, l, p)
	decide(t, l, proposal.Check, anna, 1)
	require.NoError(t, decide(t, l, proposal.Confirm, bruno, 1)[0].Err)
	_, err := l.Add(t.Context(), []blocklist.Entry{entry(t, "a.example ref=own")}, anna)
	require.NoError(t, err)
	assert.Equal(t, []string{`a.example category=test ref="BKA 7" source=de.example/wol@41`}, listed(t, l))

	p = proposal.Proposal{Target: "a.example", Source: "de.example/wol", Serial: 42, Withdraw: true}
	other := p
	other.Source = "fr.example/wol"
	propose(t, l, p, other)
	decide(t, l, proposal.Check, bruno, 2, 3)
	results := decide(t, l, proposal.Confirm, anna, 2, 3)
	require.NoError(t, results[0].Err)
	assert.Equal(t, proposal.Delisted, results[0].State)
	assert.ErrorIs(t, results[1].Err, publish.ErrNoOrder)
	assert.ErrorContains(t, results[1].Err, `say which one to withdraw: "own"`)
	assert.Equal(t, []string{`a.example ref=own`}, listed(t, l), "the other order stands")
	verified(t, l)
}

// Proposals neither force a release nor replace one that waits for signatures; a release records their head.
func TestProposalsAndReleases(t *testing.T) {
	t.Parallel()
	l, dir := newLedger(t)
	_, err := l.Add(t.Context(), []blocklist.Entry{entry(t, "example.org")}, anna)
	require.NoError(t, err)
	signAll(t, l, dir)
	propose(t, l, about("a.example"))
	p, _, err := l.Release(t.Context(), "anna")
	require.NoError(t, err)
	propose(t, l, about("b.example"))
	again, replaced, err := l.Release(t.Context(), "anna")
	require.NoError(t, err)
	assert.False(t, replaced)
	assert.Equal(t, p.Ledger, again.Ledger)
	var kinds []string
	for o, err := range l.PendingOperations(t.Context(), p) {
		require.NoError(t, err)
		kinds = append(kinds, o.Kind)
	}
	assert.Equal(t, []string{"init", "add", "proposals"}, kinds)
	verified(t, l)
	ledgertest.Tamper(t, dir, `DELETE FROM step_lines; DELETE FROM steps; DELETE FROM proposals; DELETE FROM proposal_counts`)
	_, err = l.Verify(t.Context(), nil)
	require.ErrorIs(t, err, blocklist.ErrDamaged)
	assert.ErrorContains(t, err, "which is not in their history")
}

func signAll(t testing.TB, l *publish.Ledger, dir string) {
	t.Helper()
	key, err := keys.Load(filepath.Join(filepath.Dir(dir), "anna.key"), func() (string, error) { return "", nil })
	require.NoError(t, err)
	p, err := l.Pending()
	require.NoError(t, err)
	_, err = l.Sign(t.Context(), p, key)
	require.NoError(t, err)
}

func TestVerifyFindsWhatWasAltered(t *testing.T) {
	t.Parallel()
	for statement, why := range map[string]string{
		`UPDATE proposals SET state = 'refused' WHERE id = 1`:                                                                                   "proposal 1 is not what",
		`UPDATE proposals SET current = replace(current, 'anna', 'otto') WHERE id = 1`:                                                          "proposal 1 is not what",
		`UPDATE proposals SET current = (SELECT line FROM step_lines WHERE id = 3) WHERE id = 1`:                                                "proposal 1 is not what",
		`UPDATE proposals SET target = 'x.example' WHERE id = 2`:                                                                                "proposal 2 is not what",
		`UPDATE proposals SET host = 'x.example' WHERE id = 2`:                                                                                  "proposal 2 is not what",
		`DELETE FROM proposals WHERE id = 2`:                                                                                                    "proposal 2 is not what",
		`INSERT INTO proposals SELECT 9, source, category, state, place + 1000, checker, target, host, '', current FROM proposals WHERE id = 2`: "no step has made",
		`UPDATE step_lines SET line = replace(line, 'anna', 'otto') WHERE id = 3`:                                                               "line 3",
		`UPDATE step_lines SET line = replace(line, 'a.example', 'c.example') WHERE id = 1`:                                                     "step 1",
		`UPDATE step_lines SET proposal = 2 WHERE id = 1`:                                                                                       "line 1",
		`DELETE FROM step_lines WHERE id = 3`:                                                                                                   "line 3",
		`INSERT INTO step_lines VALUES (4, 1, '{"id":1}')`:                                                                                      "belongs to no step",
		`UPDATE steps SET author = 'otto' WHERE id = 1`:                                                                                         "step 1",
		`DELETE FROM steps WHERE id = 1`:                                                                                                        "step 1 of the proposals is missing",
		`UPDATE proposal_counts SET number = 7 WHERE state = 'new'`:                                                                             "number of proposals",
		`DELETE FROM proposal_counts WHERE state = 'new'`:                                                                                       "number of proposals",
	} {
		l, dir := newLedger(t)
		propose(t, l, about("a.example"), about("b.example"))
		decide(t, l, proposal.Check, anna, 1)
		verified(t, l)
		ledgertest.Tamper(t, dir, statement)
		_, err := l.Verify(t.Context(), nil)
		require.ErrorIs(t, err, blocklist.ErrDamaged, statement)
		assert.ErrorContains(t, err, why, statement)
	}
}

func entry(t testing.TB, line string) blocklist.Entry {
	t.Helper()
	e, err := blocklist.ParseEntry(line)
	require.NoError(t, err)
	return e
}
