package desk

import (
	"context"

	"github.com/argine-dns/argine/blocklist/publish"
)

// review reads what a release's signatures cover, once for each state.
func (v *visit) review(p *publish.Pending) (*review, error) {
	return v.reviews.get(v.r.Context(), v.stamp(), func(ctx context.Context) (*review, error) {
		r := &review{}
		for o, err := range v.ledger.PendingOperations(ctx, p) {
			if err != nil {
				r.Problem = err
				break
			}
			if len(r.Operations) < shownChanges {
				r.Operations = append(r.Operations, o)
			} else {
				r.More++
			}
		}
		err := r.Changes.fill(v.ledger.Review(p))
		if err != nil && ctx.Err() == nil {
			r.Problem, err = err, nil
		}
		return r, err
	})
}

// unpreparedChanges reads what no release has yet, neither a pushed one nor the pending one, once for each state.
func (v *visit) unpreparedChanges() (*changes, error) {
	return v.unprepared.get(v.r.Context(), v.stamp(), func(ctx context.Context) (*changes, error) {
		c := &changes{}
		return c, c.fill(v.ledger.Unprepared(ctx))
	})
}

// stamp names the present state of the list and of what is pending.
func (v *visit) stamp() string { return v.now.Head.Hash + v.folders() }
