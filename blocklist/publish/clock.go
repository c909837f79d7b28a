package publish

import (
	"context"
	"fmt"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// A wrong clock does lasting harm: a release may withdraw orders that have not expired, or be valid for a day only. So
// each change of a ledger compares the clock with the last operation, and each signature compares it with the release.

// ConfirmClock sets a function that is called when this machine's clock seems wrong: its time is before the last
// operation, or later than the last operation by more than the lifetime of a release. The function gets the reason for
// the doubt, and reports whether the clock is right all the same. If it returns false, or none is set, the change fails
// with [blocklist.ErrClock]. An operation that needed the confirmation records it.
func (l *Ledger) ConfirmClock(confirm func(doubt error) bool) { l.history.Clock.Confirm(confirm) }

// ConfirmClock sets a function that is called when a release to be signed has a time in the future, by this machine's
// clock. The function gets the reason for the doubt, and reports whether the clock is right all the same. If it returns
// false, or none is set, signing fails with [blocklist.ErrClock].
func (q *Request) ConfirmClock(confirm func(doubt error) bool) { q.clock.Confirm(confirm) }

// leastLifetime is the minimum time to expiry with which a root or release can be signed. Urgent orders have no
// minimum, since they last for hours only.
const leastLifetime = 24 * time.Hour

// checkTimes fails with [blocklist.ErrExpired] if p has expired, or is a root or release that expires within a day. It
// fails with [blocklist.ErrClock] if the time at which p was made is in the future by this machine's clock, unless the
// clock is confirmed.
func (p *Pending) checkTimes(clock *ledger.Clock) error {
	now := time.Now()
	switch day := ledger.FormatTime(p.Expires); {
	case !now.Before(p.Expires):
		return fmt.Errorf("signing %s: %w on %s; make it again", p.What(), blocklist.ErrExpired, day)
	case p.Number == 0 && p.Expires.Sub(now) < leastLifetime:
		return fmt.Errorf("signing %s: %w within a day, on %s; compare the clocks, then make it again", p.What(),
			blocklist.ErrExpired, day)
	case p.Created.Sub(now) > ledger.ClockTolerance:
		return clock.Check(fmt.Errorf("signing %s: %w: this machine says %s, and it was made on %s", p.What(),
			blocklist.ErrClock, ledger.FormatTime(now), ledger.FormatTime(p.Created)))
	}
	return nil
}

// clockNotes describes the operations that have an earlier time than the operation before them.
func clockNotes(ctx context.Context, view ledger.View) (notes []string, err error) {
	var before Operation
	for o, err := range view.Operations(ctx, ledger.Range{}) {
		if err != nil {
			return nil, err
		}
		if before.Time.Sub(o.Time) > ledger.ClockTolerance {
			notes = append(notes, fmt.Sprintf("the clock went back: operation %d is of %s, operation %d of %s", before.ID,
				ledger.FormatTime(before.Time), o.ID, ledger.FormatTime(o.Time)))
		}
		before = o
	}
	return notes, nil
}
