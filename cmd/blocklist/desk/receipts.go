package desk

import (
	"context"

	"github.com/argine-dns/argine/blocklist/publish/report"
)

// readReceipts reads the subscribers' receipts, at most once a minute.
func (v *visit) readReceipts(ctx context.Context) (*report.Receipts, error) {
	return v.receipts.get(ctx, "", func(ctx context.Context) (*report.Receipts, error) { return v.Receipts(ctx, v.ledger) })
}
