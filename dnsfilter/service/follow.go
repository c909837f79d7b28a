package service

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

// maxRoot is the longest root that is read, in bytes.
const maxRoot = 1 << 20

// follow is a signed list that is followed: a subscription and the goroutine that runs it.
type follow struct {
	config subscribe.Config
	sub    *subscribe.Subscription
	cancel context.CancelFunc // nil until it is started
	done   chan struct{}

	noReceipts error // why none are sent although the settings want them
}

// subscription reads the root of a signed list, and the identity that opens it.
func (l *List) subscription(log *slog.Logger) (subscribe.Config, error) {
	c := subscribe.Config{List: l.Rule.List, Origins: l.From, Log: log}
	var err error
	if c.Root, err = readSmall(l.Root); err != nil {
		return c, fmt.Errorf("reading the root of %s: %w", l.Rule.List, err)
	}
	if l.Identity == "" {
		return c, nil
	}
	if c.Identity, err = readSmall(l.Identity); err != nil {
		return c, fmt.Errorf("reading the identity for %s: %w", l.Rule.List, err)
	}
	if len(c.Identity) == 0 {
		return c, fmt.Errorf("reading the identity for %s: %s: %w: it is empty", l.Rule.List, l.Identity, blocklist.ErrMalformed)
	}
	return c, nil
}

// readSmall reads a file that is no longer than [maxRoot].
func readSmall(path string) ([]byte, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	b, err := io.ReadAll(io.LimitReader(f, maxRoot+1))
	if err == nil && len(b) > maxRoot {
		err = fmt.Errorf("%s: %w: more than 1 MiB", path, blocklist.ErrTooLarge)
	}
	return b, err
}

// checkRoot reports whether the list could be subscribed to.
func (l *List) checkRoot() error {
	c, err := l.subscription(nil)
	if err == nil {
		_, err = l.receiptKey()
	}
	if err != nil {
		return err
	}
	return withTemporary(func(store *blocklist.Store) error {
		_, err := subscribe.New(store, c)
		return err
	})
}

// withTemporary runs do with an empty store that is gone afterwards.
func withTemporary(do func(*blocklist.Store) error) error {
	dir, err := os.MkdirTemp("", "dnsfilter")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder for temporary files
	store, err := blocklist.Open(dir, blocklist.Options{})
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // nothing in it is to last
	return do(store)
}

// newFollows prepares the signed lists of the settings. Those that are followed already as the settings say are kept. While
// starting, a list that is held and can't be followed is enforced as it is.
func (s *Service) newFollows(next *Settings, starting bool) (map[string]*follow, error) {
	out := map[string]*follow{}
	for i := range next.Lists {
		l := &next.Lists[i]
		if l.File != "" {
			continue
		}
		f, err := s.newFollow(l)
		info, ok := s.store.List(l.Rule.List)
		switch {
		case err == nil:
			out[l.Rule.List] = f
		case starting && ok && info.Err == nil:
			s.log.Error("list is not followed; what is held of it is enforced", slog.String("list", info.List), slog.Any("error", err))
		default:
			return nil, err
		}
	}
	return out, nil
}

func (s *Service) newFollow(l *List) (*follow, error) {
	c, err := l.subscription(s.log)
	if err != nil {
		return nil, err
	}
	c.Guard = s.guards.of(l)
	var noReceipts error // a key that can't be read is no reason not to enforce
	if c.Receipts, noReceipts = s.receipts(l); noReceipts != nil {
		s.log.Error("what is enforced will not be confirmed", slog.Any("error", noReceipts))
	}
	if f := s.follows[l.Rule.List]; f != nil && f.config.Guard == c.Guard && bytes.Equal(f.config.Root, c.Root) && bytes.Equal(f.config.Identity, c.Identity) &&
		slices.Equal(f.config.Origins, c.Origins) && sameReceipts(f.config.Receipts, c.Receipts) {
		return f, nil
	}
	sub, err := subscribe.New(s.store, c)
	if err != nil {
		return nil, err
	}
	return &follow{config: c, sub: sub, noReceipts: noReceipts, done: make(chan struct{})}, nil
}

// swapFollows ends the subscriptions that are not in next, and starts those that are new.
func (s *Service) swapFollows(ctx context.Context, next map[string]*follow) {
	for list, f := range s.follows {
		if next[list] != f {
			f.cancel()
			<-f.done
		}
	}
	s.follows = next
	for _, f := range next {
		if f.cancel == nil {
			f.start(ctx)
		}
	}
}

func (f *follow) start(ctx context.Context) {
	if f.sub.Status().Serial == 0 {
		f.config.Log.Warn("list is not enforced yet: nothing is held of it; fetching it", slog.String("list", f.config.List))
	}
	ctx, f.cancel = context.WithCancel(ctx)
	go func() {
		defer close(f.done)
		_ = f.sub.Run(ctx) // it ends with ctx only
	}()
}
