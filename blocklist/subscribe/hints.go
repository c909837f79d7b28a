package subscribe

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// Times between announcements, which are a hint, trusted for nothing: all that one can do is make a subscriber poll.
const (
	firstRetry  = time.Second
	lastRetry   = 5 * time.Minute
	noEvents    = 15 * time.Minute      // until an origin is asked again that does not announce, such as a mirror of files
	spread      = 20 * time.Millisecond // within which subscribers that were told together poll
	idleHint    = time.Second           // between polls for hints that lead to nothing new
	maxIdleHint = time.Minute
)

// listen follows the announcements of an origin until ctx ends, and passes on that it has something newer than what is
// in force.
func (s *Subscription) listen(ctx context.Context, o *fetch.Origin, hints chan<- fetch.Event) {
	retry := firstRetry
	for ctx.Err() == nil {
		started := time.Now()
		err := o.Events(ctx, s.c.List, func(e fetch.Event) {
			if s.isNews(e) {
				select {
				case hints <- e:
				default: // one is on its path
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

// pollOnHints polls an origin when it announces something, beside the regular polls. Hints that lead to nothing new are
// followed with exponential backoff; they neither move the regular polls nor delay the hints of other origins.
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
			continue // another origin was first
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

// refreshHinted polls one origin. A failure is no failure of the list: the next poll is due all the same.
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

// isNews reports whether something newer is announced than what is in force.
func (s *Subscription) isNews(e fetch.Event) bool {
	s.mu.Lock()
	urgent := s.urgent
	s.mu.Unlock()
	return e.Serial > s.Status().Serial || e.Urgent > urgent
}
