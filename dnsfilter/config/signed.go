package config

import (
	"fmt"
	"log/slog"

	"golang.org/x/mod/sumdb/note"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/receipt"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
	"github.com/argine-dns/argine/dnsfilter/internal/tempstore"
)

// Subscription returns the subscription to a signed list. It reads the root file and the identity file.
func (l *List) Subscription(log *slog.Logger) (subscribe.Config, error) {
	c := subscribe.Config{List: l.Rule.List, Origins: l.From, Log: log}
	var err error
	if c.Root, err = files.ReadSmall(l.Root); err != nil {
		return c, fmt.Errorf("reading the root of %s: %w", l.Rule.List, err)
	}
	if _, _, err := subscribe.ReadRoot(c.Root); err != nil {
		return c, fmt.Errorf("%s: %w; the root of a list is the file root.json of its agency", l.Root, err)
	}
	if l.Identity == "" {
		return c, nil
	}
	if c.Identity, err = files.ReadSmall(l.Identity); err != nil {
		return c, fmt.Errorf("reading the identity for %s: %w", l.Rule.List, err)
	}
	if len(c.Identity) == 0 {
		return c, fmt.Errorf("reading the identity for %s: %s: %w: it is empty", l.Rule.List, l.Identity,
			blocklist.ErrMalformed)
	}
	return c, nil
}

// checkRoot returns an error if a subscription to the list can't be created from its settings and files.
func (l *List) checkRoot() error {
	c, err := l.Subscription(nil)
	if err == nil {
		_, err = l.ReceiptKey()
	}
	if err != nil {
		return err
	}
	return tempstore.With(func(store *blocklist.Store) error {
		_, err := subscribe.New(store, c)
		return err
	})
}

// ReceiptKey reads the key that signs receipts for a list. It returns nil if the list has none.
func (l *List) ReceiptKey() (note.Signer, error) {
	if l.Receipts == "" {
		return nil, nil //nolint:nilnil // see above
	}
	text, err := files.ReadSmall(l.Receipts)
	if err != nil {
		return nil, fmt.Errorf("reading the receipt key of %s: %w", l.Rule.List, err)
	}
	key, err := receipt.ParseSigner(string(text))
	if err != nil {
		return nil, fmt.Errorf("reading the receipt key of %s: %s: %w", l.Rule.List, l.Receipts, err)
	}
	return key, nil
}
