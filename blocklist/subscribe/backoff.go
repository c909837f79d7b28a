package subscribe

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// runner schedules the polls of a subscription.
type runner struct {
	sub      poller
	interval time.Duration
	log      *slog.Logger
	mergeDue chan<- struct{}
}

// poller has the methods of a subscription that a runner needs.
type poller interface {
	Refresh(ctx context.Context) (changed bool, err error)
	refreshHinted(ctx context.Context, o *fetch.Origin) (changed bool, err error)
	isNews(e fetch.Event) bool
}

func (r *runner) run(ctx context.Context) error {
	wait := r.refresh(ctx, min(firstWait, r.interval))
	next := time.NewTimer(jitter(wait))
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-next.C:
			wait = r.refresh(ctx, wait)
			next.Reset(jitter(wait))
		}
	}
}

// firstWait is half of the wait after a failed first poll, since refresh doubles it. It is short, since nothing is
// enforced until a poll succeeds, and when a machine starts, its network often comes up later than the program.
const firstWait = 500 * time.Millisecond

// refresh polls once. It returns the time until the next poll: the interval, or after a failure, twice the last wait,
// up to a limit (exponential backoff).
func (r *runner) refresh(ctx context.Context, wait time.Duration) time.Duration {
	const maxBackoff = 4 // times the interval
	if _, err := r.sub.Refresh(ctx); err != nil {
		return min(2*wait, maxBackoff*r.interval)
	}
	r.scheduleMerge()
	return r.interval
}

// scheduleMerge requests a merge of the changes into the set. The merge happens only if there are enough changes.
func (r *runner) scheduleMerge() {
	select {
	case r.mergeDue <- struct{}{}:
	default:
	}
}

// jitter varies a duration at random by up to a tenth, so that subscribers that started together do not poll
// together.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1) //nolint:gosec // no secret
}
