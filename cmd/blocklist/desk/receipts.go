package desk

import (
	"context"
	"time"

	"github.com/argine-dns/argine/blocklist/publish/report"
)

// receiptsFor is how old the receipts of a page are at most, so that an officer with a deadline of some minutes sees
// who enforces a release.
const receiptsFor = 10 * time.Second

// read are the subscribers' receipts at a time.
type read struct {
	*report.Receipts
	at time.Time
}

// readReceipts reads the subscribers' receipts, unless that was done just before.
func (v *visit) readReceipts(ctx context.Context) (read, error) {
	return v.receipts.get(ctx, v.now.Head.Hash, func(ctx context.Context) (r read, err error) {
		r.at = time.Now()
		r.Receipts, err = v.Receipts(ctx, v.ledger)
		return r, err
	})
}
