package subscribe

import (
	"context"
	"errors"
)

// errInterrupted is the cause when a poll is interrupted for a person's decision.
var errInterrupted = errors.New("interrupted")

// poll runs a poll under the lock. A poll may hold the lock for minutes while it fetches from a slow mirror. A person's
// decision must not wait for that, so lockNow can interrupt the poll. After an interruption, poll runs it again. Files
// that were already fetched are not fetched again.
func (s *Subscription) poll(ctx context.Context, do func(context.Context) error) error {
	for {
		if err := s.tryPoll(ctx, do); !errors.Is(err, errInterrupted) {
			return err
		}
	}
}

func (s *Subscription) tryPoll(ctx context.Context, do func(context.Context) error) error {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.setInterrupt(cancel)
	defer s.setInterrupt(nil)
	_ = s.reload() // after an error, the old state stays
	err := do(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errInterrupted) {
		return errInterrupted
	}
	return err
}

// setInterrupt sets the function that interrupts the running poll. If lockNow is already waiting for the lock,
// setInterrupt calls the function at once.
func (s *Subscription) setInterrupt(cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.interrupt = cancel; cancel != nil && s.interrupting > 0 {
		cancel(errInterrupted)
	}
}

// lockNow takes the lock. It interrupts a running poll.
func (s *Subscription) lockNow() {
	s.mu.Lock()
	s.interrupting++
	if s.interrupt != nil {
		s.interrupt(errInterrupted)
	}
	s.mu.Unlock()
	s.refreshing.Lock()
	s.mu.Lock()
	s.interrupting--
	s.mu.Unlock()
}
