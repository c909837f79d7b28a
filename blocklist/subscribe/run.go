package subscribe

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Run polls until ctx ends, and returns why it did. Where an origin announces that there is something new, it polls at
// once. Beside that it merges what has changed into the set when there is enough of it, and confirms what is in force if
// [Receipts] are wanted.
func (s *Subscription) Run(ctx context.Context) error {
	var others sync.WaitGroup
	defer others.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	hints := make(chan *origin, 1)
	for _, o := range s.origins {
		if o.announces != nil && !s.c.PollOnly {
			others.Go(func() { s.listen(ctx, o, hints) })
		}
	}
	due := make(chan struct{}, 1)
	others.Go(func() { s.mergeWhen(ctx, due) })
	if s.c.Receipts != nil {
		others.Go(func() { s.confirm(ctx) })
	}
	r := runner{Subscription: s, due: due, idle: idleHint}
	return r.run(ctx, hints)
}

// runner decides when to poll.
type runner struct {
	*Subscription
	due   chan<- struct{}
	idle  time.Duration // how long to wait after a hint that led to nothing new
	quiet time.Time     // until when hints wait
}

func (r *runner) run(ctx context.Context, hints <-chan *origin) error {
	wait := r.poll(ctx, min(firstWait, r.c.Interval))
	next := time.NewTimer(jitter(wait))
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-next.C:
			wait = r.poll(ctx, wait)
			next.Reset(jitter(wait))
		case o := <-hints: // it does not move the next poll: who hints in vain can't keep others from being asked
			r.follow(ctx, o)
		}
	}
}

// firstWait, doubled, is the wait after a first poll that failed, and doubled again after each further one: where the network
// comes up later than the program, as it does when a machine starts, nothing is enforced meanwhile.
const firstWait = 500 * time.Millisecond

// poll polls once, and returns how long to wait for the next time.
func (r *runner) poll(ctx context.Context, wait time.Duration) time.Duration {
	const slowest = 4 // times the interval, while polls fail
	if _, err := r.Refresh(ctx); err != nil {
		return min(2*wait, slowest*r.c.Interval)
	}
	r.changed()
	return r.c.Interval
}

// follow polls after a hint, the origin that gave it first.
func (r *runner) follow(ctx context.Context, o *origin) {
	sleep(ctx, max(rand.N(spread), time.Until(r.quiet))) //nolint:gosec // no secret
	order := append([]*origin{o}, slices.DeleteFunc(slices.Clone(r.origins), func(other *origin) bool { return other == o })...)
	if changed, err := r.refresh(ctx, order); changed && err == nil {
		r.idle = idleHint
		r.changed()
		return
	}
	r.quiet = time.Now().Add(r.idle)
	r.idle = min(2*r.idle, maxIdleHint)
}

// changed lets what has changed be merged, if that is due.
func (r *runner) changed() {
	select {
	case r.due <- struct{}{}:
	default:
	}
}

// mergeWhen merges beside lookups and updates.
func (s *Subscription) mergeWhen(ctx context.Context, due <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-due:
		}
		merged, err := s.store.Merge(s.c.List)
		if errors.Is(err, blocklist.ErrGap) {
			err = s.rebuild()
		}
		switch {
		case err != nil && !errors.Is(err, blocklist.ErrClosed):
			s.c.Log.ErrorContext(ctx, "merging what has changed; it is tried again after the next release", slogErr(err))
		case merged:
			s.c.Log.InfoContext(ctx, "what has changed is merged into the set")
		}
	}
}

// rebuild makes the set anew from what is kept: from the list as it is, since a snapshot with all that has changed since would
// be as far from its size.
func (s *Subscription) rebuild() error {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	if err := s.reload(); err != nil {
		return err
	}
	if len(s.held.Kept) == 0 {
		return nil // a later poll fetches it
	}
	s.c.Log.Info("making the set anew: it has grown beyond its size")
	newest := s.held.Kept[len(s.held.Kept)-1].Release
	return s.applySteps(newest, trust.Whole(s.held.Kept, s.openKept), s.held)
}

// jitter spreads subscribers that started together.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1) //nolint:gosec // no secret
}
