package subscribe

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// Run polls until ctx ends, and returns why it did. Where an origin announces that there is something new, it polls at
// once. Beside that it merges what has changed into the set when there is enough of it, and confirms what is in force if
// [Receipts] are wanted.
func (s *Subscription) Run(ctx context.Context) error {
	var others sync.WaitGroup
	defer others.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	due := make(chan struct{}, 1)
	r := runner{Subscription: s, due: due}
	for _, o := range s.origins {
		if o.HasEvents() && !s.c.PollOnly {
			hints := make(chan fetch.Event, 1)
			others.Go(func() { s.listen(ctx, o, hints) })
			others.Go(func() { r.heed(ctx, o, hints) })
		}
	}
	others.Go(func() { s.mergeWhen(ctx, due) })
	if s.c.Receipts != nil {
		others.Go(func() { s.confirm(ctx) })
	}
	return r.run(ctx)
}

// runner decides when to poll.
type runner struct {
	*Subscription
	due chan<- struct{}
}

func (r *runner) run(ctx context.Context) error {
	wait := r.refresh(ctx, min(firstWait, r.c.Interval))
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

// firstWait, doubled, is the wait after a first poll that failed, and doubled again after each further one: where the network
// comes up later than the program, as it does when a machine starts, nothing is enforced meanwhile.
const firstWait = 500 * time.Millisecond

// refresh polls once, and returns how long to wait for the next time.
func (r *runner) refresh(ctx context.Context, wait time.Duration) time.Duration {
	const slowest = 4 // times the interval, while polls fail
	if _, err := r.Refresh(ctx); err != nil {
		return min(2*wait, slowest*r.c.Interval)
	}
	r.changed()
	return r.c.Interval
}

// heed asks an origin when it announces something, beside the regular polls: whoever hints in vain is asked more and more
// slowly, and neither moves these nor keeps others' hints waiting.
func (r *runner) heed(ctx context.Context, o *fetch.Origin, hints <-chan fetch.Event) {
	idle, quiet := idleHint, time.Time{}
	for {
		var e fetch.Event
		select {
		case <-ctx.Done():
			return
		case e = <-hints:
		}
		sleep(ctx, max(rand.N(spread), time.Until(quiet))) //nolint:gosec // no secret
		if ctx.Err() != nil || !r.isNews(e) {
			continue // another origin was first
		}
		if r.hinted(ctx, o) {
			idle, quiet = idleHint, time.Time{}
			continue
		}
		quiet, idle = time.Now().Add(idle), min(2*idle, maxIdleHint)
	}
}

// hinted asks one origin, and reports whether that changed the list. A failure is no failure of the list: the next poll is due
// all the same.
func (r *runner) hinted(ctx context.Context, o *fetch.Origin) (changed bool) {
	err := r.poll(ctx, func(ctx context.Context) (err error) {
		if changed, err = r.refreshFrom(ctx, o); err == nil {
			r.pollSucceeded(o)
		} else {
			r.updateStatus()
		}
		return err
	})
	if err != nil {
		r.c.Log.DebugContext(ctx, "following a hint", slog.String("origin", o.Name), slogErr(err))
		return false
	}
	if changed {
		r.changed()
	}
	return changed
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
		merged, err := s.list.Merge()
		if errors.Is(err, blocklist.ErrGap) {
			err = s.rebuild(ctx)
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
func (s *Subscription) rebuild(ctx context.Context) error {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	if err := s.reload(); err != nil {
		return err
	}
	if len(s.held.Kept) == 0 {
		return nil // a later poll fetches it
	}
	s.c.Log.Info("making the set anew: it has grown beyond its size")
	return s.applyKept(ctx, s.held.Kept, s.held)
}

// jitter spreads subscribers that started together.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1) //nolint:gosec // no secret
}
