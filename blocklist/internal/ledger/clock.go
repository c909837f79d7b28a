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

// ConfirmClock says that the clock is right. [Ledger.Lock] no longer doubts it. An operation records the confirmation
// if it was needed.
func (l *Ledger) ConfirmClock() { l.clockConfirmed = true }

// ClockConfirmed reports whether [Ledger.ConfirmClock] was called.
func (l *Ledger) ClockConfirmed() bool { return l.clockConfirmed }

// checkClock fails with [blocklist.ErrClock] if the clock is implausible after the last operation, see [follows].
func (l *Ledger) checkClock(ctx context.Context) error {
	if l.clockConfirmed {
		return nil
	}
	last, err := l.Head(ctx)
	if err != nil {
		return err
	}
	return follows(time.Now(), last)
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
