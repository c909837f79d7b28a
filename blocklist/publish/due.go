package publish

import (
	"context"
	"iter"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// DueCounts has the numbers of orders that need the attention of a person.
type DueCounts struct {
	Review   uint64 `json:"review"`   // due for review
	Expired  uint64 `json:"expired"`  // expired: they no longer match, and the next release withdraws them
	Expiring uint64 `json:"expiring"` // they expire within [ExpiringSoon]
}

// ExpiringSoon is how long before its end an order counts as expiring soon.
const ExpiringSoon = 30 * 24 * time.Hour

// Due yields the orders whose expiry or review is at or before a time, in no special order. The last value may be an
// error.
func (l *Ledger) Due(ctx context.Context, at time.Time) iter.Seq2[blocklist.Entry, error] {
	return l.history.OrdersDue(ctx, at)
}

func (l *Ledger) countDue(ctx context.Context) (n DueCounts, err error) {
	now := time.Now()
	for o, err := range l.Due(ctx, now.Add(ExpiringSoon)) {
		if err != nil {
			return n, err
		}
		if !o.Review.IsZero() && !o.Review.After(now) {
			n.Review++
		}
		switch {
		case o.Expires.IsZero() || o.Expires.After(now.Add(ExpiringSoon)):
		case o.Expires.After(now):
			n.Expiring++
		default:
			n.Expired++
		}
	}
	return n, nil
}
