package desk

import (
	"context"

	"github.com/argine-dns/argine/blocklist/publish/report"
)

// readReceipts reads the subscribers' receipts, at most once a minute for each state of the list.
func (v *visit) readReceipts(ctx context.Context) (*report.Receipts, error) {
	return v.receipts.get(ctx, v.now.Head.Hash, func(ctx context.Context) (*report.Receipts, error) {
		return v.Receipts(ctx, v.ledger)
	})
}
