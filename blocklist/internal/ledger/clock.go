package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// ClockTolerance is the accepted difference between the clocks of two machines.
const ClockTolerance = 5 * time.Minute

// maxPause is the longest plausible time since the last operation. After a longer time a person must confirm the clock.
// It is the lifetime of a release: a list in use has another release within this time.
const maxPause = 365 * 24 * time.Hour

// Clock records whether a person has confirmed the clock of this machine. The zero value says that no one has.
type Clock struct {
	confirm   func(doubt error) bool
	confirmed bool
}

// Confirm sets the function that asks a person whether the clock is right, although it does not seem so; its argument
// says why. [Clock.Check] calls the function until it has returned true once.
func (c *Clock) Confirm(confirm func(doubt error) bool) { c.confirm = confirm }

// Check returns nil if the argument doubt is nil, or if a person has confirmed the clock or does so now. Otherwise it
// returns its argument.
func (c *Clock) Check(doubt error) error {
	if doubt == nil || c.confirmed {
		return nil
	}
	if c.confirmed = c.confirm != nil && c.confirm(doubt); c.confirmed {
		return nil
	}
	return doubt
}

// checkClock fails with [blocklist.ErrClock] if the time is not plausible after the last operation, see [follows], and
// the clock is not confirmed.
func (l *Ledger) checkClock(ctx context.Context) error {
	last, err := l.Head(ctx)
	if err != nil {
		return err
	}
	return l.Clock.Check(follows(time.Now(), last))
}

// follows fails with [blocklist.ErrClock] if the clock, whose time is the argument now, is more than ClockTolerance
// before the last operation, or more than maxPause after it.
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
