package publish

import (
	"context"
	"fmt"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
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

// RootInfo describes a root: the officers, and how many of them must sign.
type RootInfo struct {
	Version   int64     `json:"version"`
	Expires   time.Time `json:"expires"`
	Threshold int       `json:"threshold"`
	Officers  []string  `json:"officers"` // names of the officers
	// Fingerprint is that of the root, see [Fingerprint].
	Fingerprint string `json:"fingerprint"`
	Keys        []Key  `json:"keys"`   // the officers' public keys
	Online      Key    `json:"online"` // the origin's key
	// Confidential reports whether the list is encrypted to its subscribers.
	Confidential bool `json:"confidential,omitempty"`
}

// checkExpiry fills in the root in force. It adds warnings about metadata that expires soon or lacks signatures.
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
	s.Root = &RootInfo{
		Version: version, Expires: spec.Expires, Threshold: spec.Threshold, Officers: names(spec.Officers), Confidential: spec.Confidential,
		Fingerprint: rootFingerprint(root), Keys: describeKeys(spec.Officers), Online: describeKey(spec.Online),
	}
	s.warn(fmt.Sprintf("root %d", version), spec.Expires, "blocklist root renews it")
	if s.Released == nil {
		return nil
	}
	pushed, err := l.readPushed(s.Released.Serial)
	if err != nil {
		return err
	}
	s.warn(fmt.Sprintf("serial %d", s.Released.Serial), pushed.targets.Expires, "blocklist release renews it")
	renewed := s.Pending != nil && s.Pending.Serial > s.Released.Serial && s.Pending.Enough()
	if _, err := trust.OpenTargets(root, pushed.metadata); err != nil && !renewed {
		s.Warnings = append(s.Warnings, fmt.Sprintf("too few of the officers of root %d have signed serial %d; blocklist release makes the next one for them to sign",
			version, s.Released.Serial))
	}
	return nil
}

// warn adds a warning if what has expired or expires within renewBefore. How is the remedy.
func (s *Status) warn(what string, expires time.Time, how string) {
	left := time.Until(expires)
	switch {
	case left <= 0:
		s.Expired = true
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s has expired on %s: subscribers call the list stale; %s", what, expires.Format(time.DateOnly), how))
	case left <= renewBefore:
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s expires on %s, in %d days; %s", what, expires.Format(time.DateOnly), int(left.Hours())/24, how))
	}
}

// expire takes entries whose expiry has passed off the list.
func (l *Ledger) expire(ctx context.Context, by Audit) error {
	return l.history.Record(ctx, KindExpire, by, func(t *ledger.Tx) error { return t.Expire(ctx) })
}

// reasonExpired is the recorded reason when a release removes expired entries.
const reasonExpired = "expired before the release"
