package subscribe

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// Times for announcements. An announcement is an untrusted hint: it can only cause a poll.
const (
	firstRetry = time.Second // wait before listening again to an origin; it doubles up to lastRetry
	lastRetry  = 5 * time.Minute
	noEvents   = 15 * time.Minute // wait before asking again an origin that does not announce, such as a file server
	// spread is the time over which polls after an announcement are spread, since many subscribers get it at once.
	spread      = 20 * time.Millisecond
	idleHint    = time.Second // wait after a hint that led to nothing new
	maxIdleHint = time.Minute
)

// listen receives the announcements of an origin until ctx ends. It sends the announcements of newer releases or urgent
// orders to the channel hints.
func (s *Subscription) listen(ctx context.Context, o *fetch.Origin, hints chan<- fetch.Event) {
	retry := firstRetry
	for ctx.Err() == nil {
		started := time.Now()
		err := o.Events(ctx, s.c.List, func(e fetch.Event) {
			if s.isNews(e) {
				select {
				case hints <- e:
				default: // a hint is already pending
				}
			}
		})
		if time.Since(started) > time.Minute {
			retry = firstRetry
		}
		wait := retry
		if errors.Is(err, fetch.ErrNoEvents) {
			wait = noEvents
		}
		s.c.Log.DebugContext(ctx, "listening for announcements", slog.String("origin", o.Name), slogErr(err),
			slog.Duration("again_in", wait))
		sleep(ctx, wait/2+rand.N(wait)) //nolint:gosec // no secret
		retry = min(2*retry, lastRetry)
	}
}

// pollOnHints polls an origin after each hint. If hints lead to nothing new, it waits with exponential backoff. That
// wait delays neither the regular polls nor the polls after hints from other origins.
func (r *runner) pollOnHints(ctx context.Context, o *fetch.Origin, hints <-chan fetch.Event) {
	idle, quiet := idleHint, time.Time{}
	for {
		var e fetch.Event
		select {
		case <-ctx.Done():
			return
		case e = <-hints:
		}
		sleep(ctx, max(rand.N(spread), time.Until(quiet))) //nolint:gosec // no secret
		if ctx.Err() != nil || !r.sub.isNews(e) {
			continue // the news came from another origin in the meantime
		}
		changed, err := r.sub.refreshHinted(ctx, o)
		if err != nil {
			r.log.DebugContext(ctx, "following a hint", slog.String("origin", o.Name), slogErr(err))
		}
		if changed {
			r.scheduleMerge()
			idle, quiet = idleHint, time.Time{}
			continue
		}
		quiet, idle = time.Now().Add(idle), min(2*idle, maxIdleHint)
	}
}

// refreshHinted polls one origin. A failure does not count as a failed poll of the list, since the regular poll
// follows.
func (s *Subscription) refreshHinted(ctx context.Context, o *fetch.Origin) (changed bool, err error) {
	err = s.poll(ctx, func(ctx context.Context) (err error) {
		if changed, err = s.refreshFrom(ctx, o); err == nil {
			s.pollSucceeded(o)
		} else {
			s.updateStatus()
		}
		return err
	})
	return changed && err == nil, err
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// isNews reports whether an announcement is newer than the current release and urgent orders.
func (s *Subscription) isNews(e fetch.Event) bool {
	s.mu.Lock()
	urgent := s.urgent
	s.mu.Unlock()
	return e.Serial > s.Status().Serial || e.Urgent > urgent
}
