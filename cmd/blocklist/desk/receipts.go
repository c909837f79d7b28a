package desk

import (
	"github.com/argine-dns/argine/blocklist/publish/report"
)

// readReceipts reads the subscribers' receipts, at most once a minute.
func (v *visit) readReceipts() (*report.Receipts, error) {
	return v.receipts.get(v.r.Context(), "", v.Receipts)
}
