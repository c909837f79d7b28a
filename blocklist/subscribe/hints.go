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

// listen follows the announcements of an origin until ctx ends, and passes on that it has something newer than what is in
// force.
func (s *Subscription) listen(ctx context.Context, o *fetch.Origin, hints chan<- fetch.Event) {
	retry := firstRetry
	for ctx.Err() == nil {
		started := time.Now()
		err := o.Events(ctx, s.c.List, func(e fetch.Event) {
			if s.isNews(e) {
				select {
				case hints <- e:
				default: // one is on its way
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
		s.c.Log.DebugContext(ctx, "listening for announcements", slog.String("origin", o.Name), slogErr(err), slog.Duration("again_in", wait))
		sleep(ctx, wait/2+rand.N(wait)) //nolint:gosec // no secret
		retry = min(2*retry, lastRetry)
	}
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
