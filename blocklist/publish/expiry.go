package publish

import (
	"context"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// Lifetimes of signed metadata. Subscribers still enforce a list whose root or release has expired, and report it as
// stale.
const (
	rootLifetime    = 3 * 365 * 24 * time.Hour
	releaseLifetime = 365 * 24 * time.Hour
	// renewBefore is the length of the last part of a release's lifetime. In this part, the release can be made again
	// although the list is unchanged.
	renewBefore = 90 * 24 * time.Hour
)

// lifetime returns the expiry of metadata that is valid for the duration d from now, in UTC and whole seconds.
func lifetime(d time.Duration) time.Time { return time.Now().Add(d).UTC().Truncate(time.Second) }

// expire withdraws the expired orders, as one operation.
func (l *Ledger) expire(ctx context.Context, by Audit) error {
	return l.history.Record(ctx, KindExpire, by, func(t *ledger.Tx) error { return t.Expire(ctx) })
}

// reasonExpired is the reason that the ledger records when orders are withdrawn before a release because they have
// expired.
const reasonExpired = "expired before the release"
