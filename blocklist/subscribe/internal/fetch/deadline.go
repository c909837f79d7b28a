package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Limits on the time that an origin may take.
const (
	stallTimeout = 15 * time.Second // without an answer or a further byte
	minRate      = 4 << 10          // bytes a second on average, after gracePeriod
	gracePeriod  = time.Minute
	budgetRate   = 64 << 10 // bytes a second that are expected of an origin while there are others
)

// errSlow ends requests to origins that are too slow.
var errSlow = fmt.Errorf("too slow, %w", os.ErrDeadlineExceeded)

// WithBudget limits the time for so many bytes to a minute and a second for each 64 KiB. It is for subscriptions with
// several origins: a slow one must not keep the next from being asked.
func WithBudget(ctx context.Context, bytes int64) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, gracePeriod+time.Duration(bytes/budgetRate)*time.Second, errSlow)
}

// slowCause returns the true reason for a request that was cancelled.
func slowCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && !errors.Is(err, io.EOF) && errors.Is(cause, errSlow) {
		return fmt.Errorf("%w: nothing came for %s", errSlow, stallTimeout)
	}
	return err
}

// timedBody is the body of a response with a deadline for each read and a minimum rate for the whole.
type timedBody struct {
	ctx     context.Context //nolint:containedctx // the request's, to tell why it ended
	body    io.ReadCloser
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	started time.Time
	n       int64
}

func (b *timedBody) Read(p []byte) (int, error) {
	b.timer.Reset(stallTimeout)
	n, err := b.body.Read(p)
	b.n += int64(n)
	if elapsed := time.Since(b.started); elapsed > gracePeriod && b.n < int64(elapsed.Seconds())*minRate {
		return n, fmt.Errorf("%w: %d bytes in %s", errSlow, b.n, elapsed.Round(time.Second))
	}
	return n, slowCause(b.ctx, err)
}

func (b *timedBody) Close() error {
	b.timer.Stop()
	err := b.body.Close()
	b.cancel(nil)
	return err
}
