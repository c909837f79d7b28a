package subscribe

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// runner decides when to poll.
type runner struct {
	sub      poller
	interval time.Duration
	log      *slog.Logger
	mergeDue chan<- struct{}
}

// poller is what a runner needs of a subscription.
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

// firstWait, doubled, is the backoff after a first poll that failed, and doubled again after each further one: where
// the network comes up later than the program, as it does when a machine starts, nothing is enforced meanwhile.
const firstWait = 500 * time.Millisecond

// refresh polls once, and returns the time until the next poll: the interval, or after a failure exponential backoff.
func (r *runner) refresh(ctx context.Context, wait time.Duration) time.Duration {
	const maxBackoff = 4 // times the interval, while polls fail
	if _, err := r.sub.Refresh(ctx); err != nil {
		return min(2*wait, maxBackoff*r.interval)
	}
	r.scheduleMerge()
	return r.interval
}

// scheduleMerge lets changes be merged into the set, if there are enough.
func (r *runner) scheduleMerge() {
	select {
	case r.mergeDue <- struct{}{}:
	default:
	}
}

// jitter spreads subscribers that started together.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1) //nolint:gosec // no secret
}
