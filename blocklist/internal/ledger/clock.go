package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// ClockTolerance is the accepted difference between two clocks.
const ClockTolerance = 5 * time.Minute

// maxPause is the longest time since the last operation before the clock is doubted. It is the lifetime of a release: a
// maintained list has another release within this time.
const maxPause = 365 * 24 * time.Hour

// Clock is the clock of this machine, which a person may have confirmed. The zero value is not confirmed.
type Clock struct {
	confirm   func(doubt error) bool
	confirmed bool
}

// Confirm sets a function that reports whether the clock is right although it is doubted. It is asked until it returns
// true.
func (c *Clock) Confirm(confirm func(doubt error) bool) { c.confirm = confirm }

// Check returns the doubt unless the clock is confirmed. The doubt may be nil.
func (c *Clock) Check(doubt error) error {
	if doubt == nil || c.confirmed {
		return nil
	}
	if c.confirmed = c.confirm != nil && c.confirm(doubt); c.confirmed {
		return nil
	}
	return doubt
}

// checkClock fails with [blocklist.ErrClock] if the clock is implausible after the last operation, see [follows].
func (l *Ledger) checkClock(ctx context.Context) error {
	last, err := l.Head(ctx)
	if err != nil {
		return err
	}
	return l.Clock.Check(follows(time.Now(), last))
}

// follows fails with [blocklist.ErrClock] if the time now is before the last operation, or a release lifetime after it.
func follows(now time.Time, last Operation) error {
	var far string
	switch since := now.Sub(last.Time); {
	case since < -ClockTolerance:
		far = "before"
	case since > maxPause:
		far = "more than a year after"
	default:
		return nil
	}
	return fmt.Errorf("%w: this machine says %s, which is %s the last operation (%d, of %s)", blocklist.ErrClock,
		FormatTime(now), far, last.ID, FormatTime(last.Time))
}
