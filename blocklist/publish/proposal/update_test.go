package proposal_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// update updates the proposals of de.example/wol to a serial with these entries.
func update(t testing.TB, l *publish.Ledger, serial uint64, lines ...string) proposal.Updated {
	t.Helper()
	slices.Sort(lines)
	u, err := proposal.Update(t.Context(), l, proposal.State{
		List: "de.example/wol", Serial: serial, Digest: "abc", Signers: []string{"dora", "emil"},
		Entries: func(yield func(blocklist.Entry, error) bool) {
			for _, line := range lines {
				if !yield(entry(t, line), nil) {
					return
				}
			}
		},
	}, carla, nil)
	require.NoError(t, err)
	return u
}

func TestUpdateFollowsAList(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	assert.Equal(t, proposal.Updated{Proposed: 3}, update(t, l, 41, "a.example ref=7 category=csam expires=2099-01-01", "b.example", "c.example",
		"m.example status=monitor", "old.example expires=2020-01-01"))
	a := "a.example ref=7 category=csam expires=2099-01-01"
	assert.Equal(t, proposal.Updated{Known: 3}, update(t, l, 42, a, "b.example", "c.example"))
	p, steps, err := proposal.Get(t.Context(), l, 1)
	require.NoError(t, err)
	assert.Equal(t, []any{"de.example/wol", uint64(41), "7", "csam"}, []any{p.Source, p.Serial, p.Reference, p.Category})
	assert.Equal(t, "de.example/wol@41, digest abc, signed by dora, emil", steps[0].Reference)

	decide(t, l, proposal.Check, anna, 1)
	require.NoError(t, decide(t, l, proposal.Confirm, bruno, 1)[0].Err)
	decide(t, l, proposal.Refuse, anna, 2)
	assert.Equal(t, []string{"a.example category=csam ref=7 expires=2099-01-01 source=de.example/wol@41"}, listed(t, l))
	assert.Equal(t, proposal.Updated{Known: 3}, update(t, l, 43, a, "b.example", "c.example"), "what was refused stays so")
	assert.Equal(t, proposal.Updated{Proposed: 1, Withdraw: 1, Withdrawn: 1}, update(t, l, 44), "c is taken back, a is to be withdrawn")
	assert.Equal(t, proposal.Updated{}, update(t, l, 45))
	assert.Equal(t, proposal.Updated{Withdrawn: 1, Known: 1, Proposed: 1}, update(t, l, 46, a, "b.example", "c.example"), "they are back")
	update(t, l, 47)
	page, err := proposal.List(t.Context(), l, proposal.Filter{States: []string{proposal.New}})
	require.NoError(t, err)
	require.Len(t, page, 1)
	assert.True(t, page[0].Withdraw)
	decide(t, l, proposal.Check, anna, page[0].ID)
	require.NoError(t, decide(t, l, proposal.Confirm, bruno, page[0].ID)[0].Err)
	assert.Empty(t, listed(t, l))
	assert.Equal(t, uint64(1), update(t, l, 48, "a.example").Proposed)
	verified(t, l)

	_, err = proposal.Update(t.Context(), l, proposal.State{List: "de.example/wol", Serial: 49, Entries: func(yield func(blocklist.Entry, error) bool) {
		_ = yield(entry(t, "b.example"), nil) && yield(entry(t, "a.example"), nil)
	}}, carla, nil)
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
}

// What has changed there is proposed again, and replaces what is still open.
func TestUpdateProposesChanges(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	update(t, l, 41, "a.example ref=7 category=scam", "b.example ref=8", "c.example ref=9 expires=2099-01-01")
	results, err := proposal.Decide(t.Context(), l, proposal.Decision{Verb: proposal.Check, IDs: []int64{1}, Category: "fraud"}, anna)
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	assert.Equal(t, proposal.Updated{Known: 3}, update(t, l, 42, "a.example ref=7 category=scam", "b.example ref=8 review=2098-01-01",
		"c.example ref=9 expires=2099-01-01"), "the other category is that of anna")
	require.NoError(t, decide(t, l, proposal.Confirm, bruno, 1)[0].Err)
	decide(t, l, proposal.Refuse, anna, 3)

	assert.Equal(t, proposal.Updated{Proposed: 2, Changed: 2, Withdrawn: 1, Known: 1}, update(t, l, 43, "a.example ref=7 category=csam", "b.example ref=10",
		"c.example ref=9 expires=2099-02-01"), "of what was refused another expiry is nothing new")
	p, _, err := proposal.Get(t.Context(), l, 2)
	require.NoError(t, err)
	assert.Equal(t, proposal.Withdrawn, p.State)
	assert.Equal(t, proposal.Updated{Known: 3}, update(t, l, 44, "a.example ref=7 category=csam", "b.example ref=10", "c.example ref=9"))
	decide(t, l, proposal.Check, anna, 4)
	require.NoError(t, decide(t, l, proposal.Confirm, bruno, 4)[0].Err)
	assert.Equal(t, []string{"a.example category=csam ref=7 source=de.example/wol@43"}, listed(t, l), "the order has changed")
	assert.Equal(t, proposal.Updated{Proposed: 1, Changed: 1, Known: 2}, update(t, l, 45, "a.example ref=7 category=csam", "b.example ref=10", "c.example ref=11"))

	// A change that was not decided on is taken back, and what is listed is to be withdrawn.
	assert.Equal(t, uint64(1), update(t, l, 46, "a.example ref=7 category=scam", "b.example ref=10").Changed)
	assert.Equal(t, proposal.Updated{Proposed: 1, Withdraw: 1, Withdrawn: 1, Known: 1}, update(t, l, 47, "b.example ref=10"))
	assert.Equal(t, proposal.Updated{Known: 1}, update(t, l, 48, "b.example ref=10"))
	assert.Equal(t, proposal.Updated{Withdrawn: 1, Known: 1}, update(t, l, 49, "a.example ref=7 category=csam", "b.example ref=10"))
	assert.Equal(t, proposal.Updated{Known: 2}, update(t, l, 50, "a.example ref=7 category=csam", "b.example ref=10"), "it is as it is listed here")
	verified(t, l)
}
