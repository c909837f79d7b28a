package proposal_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// model is what proposals should be, as simply as it can be said.
type model struct {
	all    []proposal.Proposal // in the order of IDs
	listed map[string]bool
}

// decide decides as the text of package proposal says, and reports whether that was possible.
func (m *model) decide(verb proposal.Verb, id int, author string) bool {
	if id > len(m.all) {
		return false
	}
	p := &m.all[id-1]
	if p.State != proposal.New && p.State != proposal.Checked && p.State != proposal.Referred {
		return false
	}
	switch verb {
	case proposal.Check:
		if p.State == proposal.Checked {
			return false
		}
		p.State, p.Checker = proposal.Checked, author
	case proposal.Refer:
		if p.State == proposal.Referred {
			return false
		}
		p.State = proposal.Referred
	case proposal.Refuse:
		p.State = proposal.Refused
	case proposal.Withdraw:
		p.State = proposal.Withdrawn
	case proposal.Confirm:
		if p.Category == "csam" && (p.State != proposal.Checked || p.Checker == author) || p.Target == "co.uk" {
			return false
		}
		p.State, m.listed[p.Target] = proposal.Listed, true
	}
	return true
}

// page returns the IDs of the proposals that a filter selects.
func (m *model) page(f proposal.Filter) (ids []int64) {
	sorted := slices.Clone(m.all)
	slices.SortFunc(sorted, func(a, b proposal.Proposal) int {
		order := cmp.Or(b.Received.Compare(a.Received), cmp.Compare(b.ID, a.ID))
		if f.Oldest {
			return -order
		}
		return order
	})
	begun := f.After == 0
	for _, p := range sorted {
		if !begun {
			begun = p.ID == f.After
			continue
		}
		if (len(f.States) == 0 || slices.Contains(f.States, p.State)) && (f.Source == "" || f.Source == p.Source) &&
			(f.Category == "" || f.Category == p.Category) && (f.NotChecker == "" || f.NotChecker != p.Checker) &&
			(f.Target == "" || f.Target == p.Target) && (f.Since.IsZero() || !p.Received.Before(f.Since)) &&
			(f.Until.IsZero() || p.Received.Before(f.Until)) && (f.Limit == 0 || len(ids) < f.Limit) {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

func pick[T any](random *rand.Rand, all ...T) T { return all[random.IntN(len(all))] }

func randomFilter(random *rand.Rand, n int) proposal.Filter {
	day := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	return proposal.Filter{
		States:     pick(random, nil, nil, []string{proposal.New}, proposal.OpenStates(), []string{proposal.Listed, proposal.Refused}),
		Source:     pick(random, "", "", "hotline", "citizen", "nobody"),
		Category:   pick(random, "", "", "csam", "test"),
		Target:     pick(random, "", "", "", "a.example", "https://t.me/b"),
		NotChecker: pick(random, "", "", "anna"),
		Since:      pick(random, time.Time{}, time.Time{}, day.AddDate(0, 0, random.IntN(4))),
		Until:      pick(random, time.Time{}, time.Time{}, day.AddDate(0, 0, random.IntN(4))),
		After:      pick(random, 0, 0, int64(random.IntN(n)+1)), Oldest: pick(random, true, false), Limit: random.IntN(5),
	}
}

// Random proposals and decisions lead to the states of a simple model, and pages and counts are those of the model.
func TestModel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 14))
	l, _ := newLedger(t)
	require.NoError(t, l.SetRules(t.Context(), publish.Rules{TwoPersons: []string{"csam"}}, anna))
	m := &model{listed: map[string]bool{}}
	for range 60 {
		m.proposeSome(t, random, l)
		m.decideSome(t, random, l)
	}
	for range 300 {
		f := randomFilter(random, len(m.all))
		page, err := proposal.List(t.Context(), l, f)
		require.NoError(t, err)
		var ids []int64
		for _, p := range page {
			assert.Equal(t, m.all[p.ID-1].State, p.State)
			ids = append(ids, p.ID)
		}
		require.Equal(t, m.page(f), ids, "%+v", f)
	}
	m.checkCounts(t, l)
	var lines int
	for e, err := range l.Entries(t.Context()) {
		require.NoError(t, err)
		assert.True(t, m.listed[e.Target()])
		lines++
	}
	assert.Len(t, m.listed, lines)
	verified(t, l)
}

func (m *model) proposeSome(t *testing.T, random *rand.Rand, l *publish.Ledger) {
	t.Helper()
	var given []proposal.Proposal
	for range random.IntN(4) {
		given = append(given, proposal.Proposal{
			Target:   pick(random, "a.example", "b.example", "https://t.me/b", "=c.example", "co.uk"),
			Source:   pick(random, "hotline", "citizen", "de.example/wol"),
			Category: pick(random, "csam", "test"), Note: fmt.Sprint(random.Uint64()),
			Received: time.Date(2026, 10, 1, random.IntN(96), 0, 0, 0, time.UTC),
		})
	}
	for _, r := range propose(t, l, given...) {
		require.Equal(t, proposal.Recorded, r.Outcome)
		m.all = append(m.all, r.Proposal)
	}
}

func (m *model) decideSome(t *testing.T, random *rand.Rand, l *publish.Ledger) {
	t.Helper()
	verb, author := pick(random, proposal.Verbs()...), pick(random, "anna", "bruno")
	ids, want := []int64{}, []bool{}
	for range random.IntN(4) {
		id := random.IntN(len(m.all)+2) + 1
		ids, want = append(ids, int64(id)), append(want, m.decide(verb, id, author))
	}
	for i, r := range decide(t, l, verb, publish.Audit{Author: author, Reason: "so it is"}, ids...) {
		require.Equal(t, want[i], r.Err == nil, "%s %d by %s: %v", verb, ids[i], author, r.Err)
	}
}

func (m *model) checkCounts(t *testing.T, l *publish.Ledger) {
	t.Helper()
	counts := map[string]uint64{}
	for _, p := range m.all {
		counts[p.Source+p.Category+p.State]++
	}
	stored, err := proposal.Counts(t.Context(), l)
	require.NoError(t, err)
	for _, c := range stored {
		assert.Equal(t, counts[c.Source+c.Category+c.State], c.Number)
		delete(counts, c.Source+c.Category+c.State)
	}
	assert.Empty(t, counts)
}
