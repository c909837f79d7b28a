package publish

import (
	"context"
	"iter"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// DueCounts counts orders that a person should look at.
type DueCounts struct {
	Review   uint64 `json:"review"`   // orders whose review day has come
	Expired  uint64 `json:"expired"`  // expired orders: they no longer match, and the next release withdraws them
	Expiring uint64 `json:"expiring"` // orders that expire within [ExpiringSoon]
}

// ExpiringSoon is how long before its expiry an order is counted in [DueCounts].Expiring.
const ExpiringSoon = 30 * 24 * time.Hour

// Due yields the orders that expire, or are due for review, at or before a time, in no particular order. The last value
// may be an error.
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
