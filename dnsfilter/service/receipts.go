package service

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/argine-dns/argine/blocklist/receipt"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

// receiptKey reads the key that signs receipts for a list; nil if none are wanted.
func (l *List) receiptKey() (note.Signer, error) {
	if l.Receipts == "" {
		return nil, nil //nolint:nilnil // see above
	}
	text, err := readSmall(l.Receipts)
	if err != nil {
		return nil, fmt.Errorf("reading the receipt key of %s: %w", l.Rule.List, err)
	}
	key, err := receipt.ParseSigner(string(text))
	if err != nil {
		return nil, fmt.Errorf("reading the receipt key of %s: %s: %w", l.Rule.List, l.Receipts, err)
	}
	return key, nil
}

// receipts says how a list is confirmed: by questions to this server, at the addresses that it listens on by then.
func (s *Service) receipts(l *List) (*subscribe.Receipts, error) {
	key, err := l.receiptKey()
	if key == nil || err != nil {
		return nil, err
	}
	return &subscribe.Receipts{Key: key, Probe: func(ctx context.Context, p subscribe.Probe) (receipt.Asked, error) {
		return NewProber(s.server, s.store, s.listening...)(ctx, p)
	}}, nil
}

// receiptStatus says how it stands with the receipts; nil if none are wanted.
func (f *follow) receiptStatus(st *subscribe.ReceiptStatus) *ReceiptStatus {
	switch {
	case f.noReceipts != nil:
		return &ReceiptStatus{Error: f.noReceipts.Error()}
	case st == nil:
		return nil
	}
	out := &ReceiptStatus{Serial: st.Serial, Enforced: st.Enforced, Waiting: st.Waiting, Delivered: st.Delivered}
	if st.Err != nil {
		out.Error = st.Err.Error()
	}
	return out
}

// sameReceipts reports whether the same key signs.
func sameReceipts(a, b *subscribe.Receipts) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Key.Name() == b.Key.Name() && a.Key.KeyHash() == b.Key.KeyHash()
}
