package service

import (
	"context"

	"github.com/argine-dns/argine/blocklist/receipt"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// receipts returns the receipt configuration of a list, or nil if the settings have none. The prober queries this
// server, at its listening addresses.
func (s *running) receipts(l *config.List) (*subscribe.Receipts, error) {
	key, err := l.ReceiptKey()
	if key == nil || err != nil {
		return nil, err
	}
	return &subscribe.Receipts{Key: key, Probe: func(ctx context.Context, p subscribe.Probe) (receipt.Asked, error) {
		return NewProber(s.server, s.store, s.listening...)(ctx, p)
	}}, nil
}

// sameReceipts reports whether two configurations use the same key, or are both nil.
func sameReceipts(a, b *subscribe.Receipts) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Key.Name() == b.Key.Name() && a.Key.KeyHash() == b.Key.KeyHash()
}
