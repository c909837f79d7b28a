package proposal_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/internal/ledger/ledgertest"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

func TestReadActivity(t *testing.T) {
	t.Parallel()
	l, dir := newLedger(t)
	received := time.Now().Add(-48 * time.Hour).UTC().Truncate(time.Second)
	for i, name := range []string{"a.example", "b.example", "c.example", "d.example", "e.example", "f.example"} {
		p := about(name)
		p.Received = received.Add(time.Duration(i) * time.Hour)
		propose(t, l, p)
	}
	decide(t, l, proposal.Check, anna, 1, 2)
	decide(t, l, proposal.Confirm, bruno, 1)
	decide(t, l, proposal.Refuse, anna, 3)
	decide(t, l, proposal.Refer, anna, 4)
	decide(t, l, proposal.Withdraw, anna, 5)
	require.NoError(t, l.SetRules(t.Context(), publish.Rules{TwoPersons: []string{publish.NoCategory}}, anna))
	decide(t, l, proposal.Confirm, anna, 6)
	decided := received.Add(72 * time.Hour)
	ledgertest.Tamper(t, dir, `UPDATE steps SET time = ? WHERE kind != 'propose'`, decided.Format(time.RFC3339))

	a, err := proposal.ReadActivity(t.Context(), l, time.Time{}, time.Time{})
	require.NoError(t, err)
	waited := proposal.Waits{Decided: 3, Median: 70 * 3600, Ninety: 72 * 3600, Longest: 72 * 3600}
	assert.Equal(t, proposal.Activity{Received: 6, Checked: 2, Listed: 2, Refused: 1, Referred: 1, Withdrawn: 1, Alone: 1, Waited: waited}, a)
	a, err = proposal.ReadActivity(t.Context(), l, received.Add(time.Hour), decided)
	require.NoError(t, err)
	assert.Equal(t, proposal.Activity{Received: 5}, a)
	a, err = proposal.ReadActivity(t.Context(), l, decided, time.Time{})
	require.NoError(t, err)
	assert.Equal(t, uint64(2), a.Listed)
	assert.Zero(t, a.Received)
}
