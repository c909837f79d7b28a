package subscribe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// noReceipts is how long a mirror that takes no receipts is not asked again.
const noReceipts = 15 * time.Minute

var (
	errNoReceipts = errors.New("it takes no receipts")
	errRefused    = errors.New("it refuses the receipt")
)

// deliver sends what waits, the oldest first, and returns when it wants to be called again.
func (c *confirmer) deliver(ctx context.Context) time.Duration {
	if len(c.Waiting) == 0 {
		return nothingToDo
	}
	if wait := time.Until(c.sendAt); wait > 0 {
		return wait
	}
	err := c.sendAll(ctx)
	if ctx.Err() != nil {
		return nothingToDo
	}
	if err != nil {
		c.undelivered = fmt.Errorf("delivering receipts: %w", err)
		c.show()
		wait := jitter(c.delivery)
		c.sendAt, c.delivery = time.Now().Add(wait), min(2*c.delivery, lastDelivery)
		return wait
	}
	c.delivery, c.undelivered = firstDelivery, nil
	c.show()
	return nothingToDo
}

// sendAll sends what waits. What one origin refuses stays, and is no reason not to send the rest.
func (c *confirmer) sendAll(ctx context.Context) error {
	var refused error
	var left []string
	for i, b := range c.Waiting {
		err := c.send(ctx, []byte(b))
		switch {
		case errors.Is(err, errRefused):
			refused = err
			left = append(left, b)
		case err != nil:
			return errors.Join(err, c.sent(append(left, c.Waiting[i:]...)))
		}
	}
	return errors.Join(refused, c.sent(left))
}

// sent keeps what is left.
func (c *confirmer) sent(left []string) error {
	if len(left) == len(c.Waiting) {
		return nil
	}
	next := c.confirmed
	next.Waiting = left
	if err := c.keep(next); err != nil {
		return err
	}
	c.show()
	c.mu.Lock()
	c.status.Receipts.Delivered = time.Now()
	c.mu.Unlock()
	c.c.Log.Info("receipts are delivered", slog.Uint64("serial", c.Serial), slog.Int("waiting", len(left)))
	return nil
}

// send sends a receipt to the first origin that takes it. Mirrors that take none are left out for a while.
func (c *confirmer) send(ctx context.Context, b []byte) error {
	all := fmt.Errorf("none of the origins: %w", errNoReceipts)
	for _, o := range c.origins {
		if o.receipts == nil || time.Now().Before(o.receiptsFrom) {
			continue
		}
		err := o.post(ctx, b)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errNoReceipts):
			o.receiptsFrom = time.Now().Add(noReceipts)
		default:
			all = fmt.Errorf("%s: %w", o.name, err)
		}
	}
	return all
}

// post sends a receipt to one origin. Only the one answer that an origin gives says that it was taken: servers of files
// answer as they like.
func (o *origin) post(ctx context.Context, b []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 2*stall)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.receipts.String(), bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	req.Header.Set("User-Agent", "argine")
	resp, err := o.client.Do(req)
	if err != nil {
		return plainError{err}
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	switch code := resp.StatusCode; {
	case code == http.StatusCreated && resp.Request.Method == http.MethodPost:
		return nil
	case code == http.StatusNotFound, code == http.StatusMethodNotAllowed, code == http.StatusNotImplemented, code/100 == 2, code/100 == 3:
		return errNoReceipts
	case code/100 == 4 && code != http.StatusTooManyRequests:
		return fmt.Errorf("%w: %d: %s", errRefused, code, trust.Plain(string(bytes.TrimSpace(text))))
	default:
		return fmt.Errorf("the answer is %d: %s", code, trust.Plain(string(bytes.TrimSpace(text))))
	}
}
