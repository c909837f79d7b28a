package desk

import (
	"context"

	"github.com/argine-dns/argine/blocklist/publish"
)

// review returns the content of a pending release for an officer's review. It reads the content once for each state of
// the folder.
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

// unpreparedChanges returns the changes that are in no release yet, neither pushed nor pending. It reads them once for
// each state of the folder.
func (v *visit) unpreparedChanges() (*changes, error) {
	return v.unprepared.get(v.r.Context(), v.stamp(), func(ctx context.Context) (*changes, error) {
		c := &changes{}
		return c, c.fill(v.ledger.Unprepared(ctx))
	})
}

// stamp returns a text that identifies the present state of the list and of the pending documents.
func (v *visit) stamp() string { return v.now.Head.Hash + v.folders() }
