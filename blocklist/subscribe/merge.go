package subscribe

import (
	"context"
	"errors"

	"github.com/argine-dns/argine/blocklist"
)

// mergeWhenDue merges changes into the set each time it receives a value from the argument due. Lookups and updates go
// on meanwhile.
func (s *Subscription) mergeWhenDue(ctx context.Context, due <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-due:
		}
		merged, err := s.list.Merge()
		if errors.Is(err, blocklist.ErrGap) {
			err = s.rebuild(ctx)
		}
		switch {
		case err != nil && !errors.Is(err, blocklist.ErrClosed):
			s.c.Log.ErrorContext(ctx, "merging what has changed; it is tried again after the next release", slogErr(err))
		case merged:
			s.c.Log.InfoContext(ctx, "what has changed is merged into the set")
		}
	}
}

// rebuild compiles a new set from the release files on disk, because the list has become too large for its Bloom
// filter.
func (s *Subscription) rebuild(ctx context.Context) error {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	if err := s.reload(); err != nil {
		return err
	}
	if len(s.held.Kept) == 0 {
		return nil // a later poll fetches them
	}
	s.c.Log.Info("compiling the set again: the list has outgrown its filter")
	err := s.applyKept(ctx, s.held.Kept, s.held)
	if err == nil {
		s.c.Log.Info("the set is compiled again")
	}
	return err
}
