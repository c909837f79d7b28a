package publish

import (
	"context"
	"fmt"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// How long signed metadata lasts. An expired root or release is still enforced by subscribers, but reported as stale.
const (
	rootLifetime    = 3 * 365 * 24 * time.Hour
	releaseLifetime = 365 * 24 * time.Hour
	// renewBefore is how long before its expiry a release may be made again although nothing has changed.
	renewBefore = 90 * 24 * time.Hour
)

// lifetime returns the end of a lifetime that begins now, in whole seconds as metadata has it.
func lifetime(d time.Duration) time.Time { return time.Now().Add(d).UTC().Truncate(time.Second) }

// RootInfo says who may sign what.
type RootInfo struct {
	Version   int64     `json:"version"`
	Expires   time.Time `json:"expires"`
	Threshold int       `json:"threshold"`
	Officers  []string  `json:"officers"` // their names
	// Confidential reports whether the list is encrypted to its subscribers.
	Confidential bool `json:"confidential,omitempty"`
}

// checkExpiry fills in what is in force, and warns of what ends soon or is not signed as it must be.
func (l *Ledger) checkExpiry(s *Status) error {
	version, err := l.newestRoot()
	if err != nil || version == 0 {
		return err
	}
	root, err := l.openRoot(version)
	if err != nil {
		return err
	}
	spec := root.Spec()
	s.Root = &RootInfo{Version: version, Expires: spec.Expires, Threshold: spec.Threshold, Officers: names(spec.Officers), Confidential: spec.Confidential}
	s.warn(fmt.Sprintf("root %d", version), spec.Expires, "blocklist root renews it")
	if s.Released == nil {
		return nil
	}
	pushed, err := l.readRelease(l.releasePath(s.Released.Serial))
	if err != nil {
		return err
	}
	s.warn(fmt.Sprintf("serial %d", s.Released.Serial), pushed.targets.Expires, "blocklist release renews it")
	if _, err := trust.OpenTargets(root, pushed.metadata); err != nil {
		s.Warnings = append(s.Warnings, fmt.Sprintf("too few of the officers of root %d have signed serial %d; blocklist release makes the next one for them to sign",
			version, s.Released.Serial))
	}
	return nil
}

// warn warns of what ends soon.
func (s *Status) warn(what string, expires time.Time, how string) {
	left := time.Until(expires)
	switch {
	case left <= 0:
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s has expired on %s: subscribers call the list stale; %s", what, expires.Format(time.DateOnly), how))
	case left <= renewBefore:
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s expires on %s, in %d days; %s", what, expires.Format(time.DateOnly), int(left.Hours())/24, how))
	}
}

// expire takes entries off the list that are past their expiry.
func (l *Ledger) expire(ctx context.Context, by Audit) error {
	return l.history.Record(ctx, KindExpire, by, func(t *ledger.Tx) error { return t.Expire(ctx) })
}

// reasonExpired is why entries go when a release is made.
const reasonExpired = "expired before the release"
