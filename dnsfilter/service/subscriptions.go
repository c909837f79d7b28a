package service

import (
	"bytes"
	"context"
	"log/slog"
	"slices"

	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// subscription is a signed list that the service follows, with the goroutine that runs the subscription.
type subscription struct {
	config subscribe.Config
	sub    *subscribe.Subscription
	cancel context.CancelFunc // ends the goroutine; nil: not started yet
	done   chan struct{}

	// noReceipts says why no receipts are sent although the settings ask for them. Nil: they are sent, or not asked
	// for.
	noReceipts error
}

// newSubscriptions returns the subscriptions of the next settings, by list name. It reuses the unchanged ones in the
// argument old. It fails if a subscription can't be created. There is one exception: while the service starts, if the
// store has the list, newSubscriptions only logs the error, and the stored state is enforced without updates.
func (s *running) newSubscriptions(next *config.Settings, by guards, old map[string]*subscription,
	starting bool,
) (map[string]*subscription, error) {
	out := map[string]*subscription{}
	for i := range next.Lists {
		l := &next.Lists[i]
		if l.File != "" {
			continue
		}
		f, err := s.newSubscription(l, by.of(l), old[l.Rule.List])
		info, ok := s.store.List(l.Rule.List)
		switch {
		case err == nil:
			out[l.Rule.List] = f
		case starting && ok && info.Err == nil:
			s.log.Error("list is not followed; what is held of it is enforced", slog.String("list", info.List),
				slog.Any("error", err))
		default:
			return nil, err
		}
	}
	return out, nil
}

func (s *running) newSubscription(l *config.List, by *guard.Guard, old *subscription) (*subscription, error) {
	c, err := l.Subscription(s.log)
	if err != nil {
		return nil, err
	}
	c.Guard = by
	var noReceipts error // a list is enforced even if its receipt key is unreadable
	if c.Receipts, noReceipts = s.receipts(l); noReceipts != nil {
		s.log.Error("what is enforced will not be confirmed", slog.Any("error", noReceipts))
	}
	if old != nil && old.config.Guard == c.Guard && bytes.Equal(old.config.Root, c.Root) &&
		bytes.Equal(old.config.Identity, c.Identity) &&
		slices.Equal(old.config.Origins, c.Origins) && sameReceipts(old.config.Receipts, c.Receipts) {
		return old, nil
	}
	sub, err := subscribe.New(s.store, c)
	if err != nil {
		return nil, err
	}
	return &subscription{config: c, sub: sub, noReceipts: noReceipts, done: make(chan struct{})}, nil
}

// replaceSubscriptions stops the subscriptions that are only in the argument old, and starts those that are only in the
// argument next. It returns the argument next.
func replaceSubscriptions(ctx context.Context, old, next map[string]*subscription) map[string]*subscription {
	for list, f := range old {
		if next[list] != f {
			f.cancel()
			<-f.done
		}
	}
	for _, f := range next {
		if f.cancel == nil {
			f.start(ctx)
		}
	}
	return next
}

func (f *subscription) start(ctx context.Context) {
	if f.sub.Status().Serial == 0 {
		f.config.Log.Warn("list is not enforced yet: nothing is held of it; fetching it", slog.String("list", f.config.List))
	}
	ctx, f.cancel = context.WithCancel(ctx)
	go func() {
		defer close(f.done)
		_ = f.sub.Run(ctx) // it returns only when ctx ends
	}()
}
