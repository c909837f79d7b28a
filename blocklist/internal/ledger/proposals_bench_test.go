package ledger

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkProposals measures pages and counts of a million proposals: 25 sources, 12 categories, 7 states.
func BenchmarkProposals(b *testing.B) {
	all := 1_000_000
	if testing.Short() {
		all = 100_000
	}
	l := newLedger(b)
	ctx, random := b.Context(), rand.New(rand.NewPCG(1, 2))
	began := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	start := time.Now()
	for range all / 50_000 {
		require.NoError(b, l.Propose(ctx, StepPropose, cause, func(t *StepTx) error {
			for range 50_000 {
				n := random.IntN(25)
				p, err := t.Add(ctx, Proposal{
					Target:   fmt.Sprintf("https://host%d.example/%d", random.IntN(1000), random.Uint64()),
					Source:   fmt.Sprintf("source %d", n*random.IntN(2)),
					Category: fmt.Sprintf("category%d", random.IntN(12)), Received: began.Add(time.Duration(random.IntN(6*365*24*3600)) * time.Second),
				})
				if err != nil {
					return err
				}
				if state := random.IntN(20); state > 0 {
					if _, err := t.Update(ctx, p, Proposal{State: States()[min(state, 6)], Checker: []string{"anna", "bruno", "carla"}[random.IntN(3)]}); err != nil {
						return err
					}
				}
			}
			return nil
		}))
	}
	b.Logf("%d proposals in %v", all, time.Since(start).Round(time.Second))
	var last int64
	for _, f := range []ProposalFilter{
		{},
		{States: []string{StateNew}},
		{States: OpenStates(), NotChecker: []string{"anna", "bruno", "carla"}[random.IntN(3)]},
		{Source: "source 7"},
		{Source: "source 7", Category: "category3", States: []string{StateListed}},
		{Category: "category3", Oldest: true},
		{Since: began.AddDate(1, 0, 0), Until: began.AddDate(1, 1, 0)},
		{Target: "host7.example"},
		{Target: "host7.example", States: []string{StateChecked}, Category: "category9"},
		{Source: "nobody"},
	} {
		f.Limit = 50
		for _, page := range []string{"first", "later"} {
			b.Run(fmt.Sprintf("%s/%s/%s/%v/%v/%s/%v/%s", f.Source, f.Category, f.Target, f.States, !f.Since.IsZero(), f.NotChecker, f.Oldest, page), func(b *testing.B) {
				for b.Loop() {
					n := 0
					for p, err := range l.Proposals(ctx, f) {
						require.NoError(b, err)
						last, n = p.ID, n+1
					}
				}
			})
			f.After = last
		}
	}
	b.Run("counts", func(b *testing.B) {
		for b.Loop() {
			_, err := l.ProposalCounts(ctx)
			require.NoError(b, err)
		}
	})
	b.Run("checked", func(b *testing.B) {
		for b.Loop() {
			_, err := l.CheckedCounts(ctx)
			require.NoError(b, err)
		}
	})
}
