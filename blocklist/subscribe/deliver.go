package subscribe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
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
		err := fetch.PostReceipt(ctx, c.origins, []byte(b))
		switch {
		case errors.Is(err, fetch.ErrReceiptRefused):
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
	c.setStatus(func(st *Status) { st.Receipts.Delivered = time.Now() })
	c.c.Log.Info("receipts are delivered", slog.Uint64("serial", c.Serial), slog.Int("waiting", len(left)))
	return nil
}
