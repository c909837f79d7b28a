package subscribe

import (
	"context"
	"errors"
)

// errInterrupted ends a poll that stands in the way of a person.
var errInterrupted = errors.New("interrupted")

// poll runs a poll under the lock, and again if it was interrupted: a poll holds the lock while it fetches, which takes
// minutes from a slow mirror, and decisions must not wait for that. What it has fetched stays.
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
	_ = s.reload() // what can't be read is as before
	err := do(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errInterrupted) {
		return errInterrupted
	}
	return err
}

// setInterrupt says how the running poll is interrupted, and does it if somebody waits already.
func (s *Subscription) setInterrupt(cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.interrupt = cancel; cancel != nil && s.interrupting > 0 {
		cancel(errInterrupted)
	}
}

// lockNow takes the lock at once, from a poll if need be.
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
