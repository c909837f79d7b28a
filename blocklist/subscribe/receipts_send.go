package subscribe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// deliver sends the waiting receipts, the oldest first. It returns the time until the next call.
func (s *receiptSender) deliver(ctx context.Context) time.Duration {
	if len(s.Waiting) == 0 {
		return nothingToDo
	}
	if wait := time.Until(s.sendAt); wait > 0 {
		return wait
	}
	err := s.sendAll(ctx)
	if ctx.Err() != nil {
		return nothingToDo
	}
	if err != nil {
		s.sendErr = fmt.Errorf("delivering receipts: %w", err)
		s.updateStatus()
		wait := jitter(s.sendWait)
		s.sendAt, s.sendWait = time.Now().Add(wait), min(2*s.sendWait, lastDelivery)
		return wait
	}
	s.sendWait, s.sendErr = firstDelivery, nil
	s.updateStatus()
	return nothingToDo
}

// sendAll sends the waiting receipts. If an origin refuses a receipt, sendAll keeps it and goes on with the next one.
func (s *receiptSender) sendAll(ctx context.Context) error {
	var refused error
	var left []string
	for i, b := range s.Waiting {
		err := fetch.PostReceipt(ctx, s.origins, []byte(b))
		switch {
		case errors.Is(err, fetch.ErrReceiptRefused):
			refused = err
			left = append(left, b)
		case err != nil:
			return errors.Join(err, s.saveWaiting(append(left, s.Waiting[i:]...)))
		}
	}
	return errors.Join(refused, s.saveWaiting(left))
}

// saveWaiting saves the receipts that are still to be sent.
func (s *receiptSender) saveWaiting(left []string) error {
	if len(left) == len(s.Waiting) {
		return nil
	}
	next := s.receiptState
	next.Waiting = left
	if err := s.save(next); err != nil {
		return err
	}
	s.updateStatus()
	s.sub.setStatus(func(st *Status) { st.Receipts.Delivered = time.Now() })
	s.log.Info("receipts are delivered", slog.Uint64("serial", s.Serial), slog.Int("waiting", len(left)))
	return nil
}
