package desk

import (
	"context"

	"github.com/argine-dns/argine/blocklist/publish"
)

// review returns what the signatures on a release cover. It is read once for each state of the folder.
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

// unpreparedChanges returns the changes that are in no release yet, pushed or pending. They are read once for each
// state of the folder.
func (v *visit) unpreparedChanges() (*changes, error) {
	return v.unprepared.get(v.r.Context(), v.stamp(), func(ctx context.Context) (*changes, error) {
		c := &changes{}
		return c, c.fill(v.ledger.Unprepared(ctx))
	})
}

// stamp identifies the present state of the list and of the pending documents.
func (v *visit) stamp() string { return v.now.Head.Hash + v.folders() }
