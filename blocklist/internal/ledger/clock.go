package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// ClockTolerance is the difference between two clocks that means nothing.
const ClockTolerance = 5 * time.Minute

// maxPause is how long nothing may happen to a list before the clock is doubted. It is the lifetime of a release: a
// list that is kept has one more within that time.
const maxPause = 365 * 24 * time.Hour

// ConfirmClock says that the clock is right. [Ledger.Lock] no longer doubts it, and operations record the confirmation
// where it was needed.
func (l *Ledger) ConfirmClock() { l.clockConfirmed = true }

// ClockConfirmed reports whether [Ledger.ConfirmClock] was called.
func (l *Ledger) ClockConfirmed() bool { return l.clockConfirmed }

// checkClock fails with [blocklist.ErrClock] if the time is one that can't follow the last operation.
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
