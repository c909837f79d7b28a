package httpget

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// StallTimeout is the maximum time for the start of a server's answer, and for each next byte of it.
const StallTimeout = 15 * time.Second

// Limits on the time that a server may take.
const (
	minRate     = 4 << 10 // minimum average rate after gracePeriod, in bytes per second
	gracePeriod = time.Minute
	budgetRate  = 64 << 10 // minimum rate if there are other servers, see [WithBudget], in bytes per second
)

// ErrSlow is returned for a request that was ended because the server was too slow. It wraps [os.ErrDeadlineExceeded].
var ErrSlow = fmt.Errorf("too slow, %w", os.ErrDeadlineExceeded)

// WithBudget limits the time for a transfer of this many bytes to one minute plus one second per 64 KiB. Use it if
// there are several servers, so that a slow one does not delay the transfer from the others.
func WithBudget(ctx context.Context, bytes int64) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, gracePeriod+time.Duration(bytes/budgetRate)*time.Second, ErrSlow)
}

// slowCause returns [ErrSlow] if the request failed because its context was cancelled with the cause [ErrSlow], and
// otherwise err.
func slowCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && !errors.Is(err, io.EOF) && errors.Is(cause, ErrSlow) {
		return fmt.Errorf("%w: nothing came for %s", ErrSlow, StallTimeout)
	}
	return err
}

// timedBody is a response body with a time limit for each read and a minimum rate.
type timedBody struct {
	ctx     context.Context //nolint:containedctx // of the request
	body    io.ReadCloser
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	started time.Time
	n       int64
}

func (b *timedBody) Read(p []byte) (int, error) {
	b.timer.Reset(StallTimeout)
	n, err := b.body.Read(p)
	b.n += int64(n)
	if elapsed := time.Since(b.started); elapsed > gracePeriod && b.n < int64(elapsed.Seconds())*minRate {
		return n, fmt.Errorf("%w: %d bytes in %s", ErrSlow, b.n, elapsed.Round(time.Second))
	}
	return n, slowCause(b.ctx, err)
}

func (b *timedBody) Close() error {
	b.timer.Stop()
	err := b.body.Close()
	b.cancel(nil)
	return err
}
