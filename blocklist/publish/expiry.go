package publish

import (
	"context"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// Lifetimes of signed metadata. Subscribers still enforce an expired root or release, and report it as stale.
const (
	rootLifetime    = 3 * 365 * 24 * time.Hour
	releaseLifetime = 365 * 24 * time.Hour
	// renewBefore is how long before its expiry an unchanged release may be made again.
	renewBefore = 90 * 24 * time.Hour
)

// lifetime returns the time d from now, in UTC and whole seconds, as metadata needs it.
func lifetime(d time.Duration) time.Time { return time.Now().Add(d).UTC().Truncate(time.Second) }

// expire withdraws the orders that have expired.
func (l *Ledger) expire(ctx context.Context, by Audit) error {
	return l.history.Record(ctx, KindExpire, by, func(t *ledger.Tx) error { return t.Expire(ctx) })
}

// reasonExpired is the recorded reason when a release removes expired entries.
const reasonExpired = "expired before the release"
