package tuf

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// Update is one run of the client workflow (5.4 to 5.6) under a trusted root. Call Timestamp, Snapshot and Targets in
// this order, each once. It refuses rollback, freeze (expired documents) and mix-and-match attacks. Accepted documents
// take effect only after Targets has succeeded.
type Update struct {
	root *Root
	now  time.Time

	heldTimestamp *Timestamp // previous timestamp; nil: none, or not signed by the root's keys
	heldSnapshot  *Snapshot
	timestamp     *Timestamp
	snapshot      *Snapshot
}

// NewUpdate starts an update from the newest trusted root and the previously accepted metadata (nil for none). Metadata
// that the root's keys did not sign is ignored: this is how a list recovers from a fast-forward attack (5.3.11). The
// argument now is the time that expiry is compared with.
func NewUpdate(root *Root, timestamp *Timestamp, snapshot *Snapshot, now time.Time) *Update {
	u := &Update{root: root, now: now}
	if timestamp != nil && root.Verify(&timestamp.Document) == nil {
		u.heldTimestamp = timestamp
	}
	if snapshot != nil && root.Verify(&snapshot.Document) == nil {
		u.heldSnapshot = snapshot
	}
	return u
}

// checkExpiry returns an error if a document has expired (5.3.10, 5.4.4, 5.5.6, 5.6.6).
func (u *Update) checkExpiry(what string, d *Document) error {
	if u.now.After(d.Expires) {
		return fail(what, blocklist.ErrExpired, "since %s", d.Expires.Format(time.RFC3339))
	}
	return nil
}

// Timestamp verifies a timestamp, and returns it. If the previous timestamp has the same version, it returns the
// previous one instead (5.4). It fails with [blocklist.ErrExpired], [blocklist.ErrRollback] or
// [blocklist.ErrUntrusted].
func (u *Update) Timestamp(t *Timestamp) (*Timestamp, error) {
	if err := u.checkExpiry("root", &u.root.Document); err != nil {
		return nil, err
	}
	if err := u.root.Verify(&t.Document); err != nil {
		return nil, err
	}
	if held := u.heldTimestamp; held != nil {
		switch {
		case t.Version < held.Version:
			return nil, fail("timestamp", blocklist.ErrRollback, "version %d, held is %d", t.Version, held.Version)
		case t.Version == held.Version:
			t = held
		case t.Snapshot.Version < held.Snapshot.Version:
			return nil, fail("timestamp", blocklist.ErrRollback, "it names snapshot %d, held is %d", t.Snapshot.Version,
				held.Snapshot.Version)
		}
	}
	u.timestamp = t
	return t, u.checkExpiry("timestamp", &t.Document)
}

// Snapshot verifies the snapshot that the timestamp references (5.5). It fails like Timestamp.
func (u *Update) Snapshot(s *Snapshot) error {
	if err := u.timestamp.Snapshot.Verify(s.Raw); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if err := u.root.Verify(&s.Document); err != nil {
		return err
	}
	if s.Version != u.timestamp.Snapshot.Version {
		return fail("snapshot", blocklist.ErrUntrusted, "version %d, the timestamp names %d", s.Version,
			u.timestamp.Snapshot.Version)
	}
	if err := u.checkSnapshotRollback(s); err != nil {
		return err
	}
	u.snapshot = s
	return u.checkExpiry("snapshot", &s.Document)
}

// checkSnapshotRollback returns an error unless the new snapshot references all documents that the previous one
// references, each in the same or a later version (5.5.5).
func (u *Update) checkSnapshotRollback(s *Snapshot) error {
	if u.heldSnapshot == nil {
		return nil
	}
	held := u.heldSnapshot.meta
	for _, name := range slices.Sorted(maps.Keys(held)) {
		now, ok := s.meta[name]
		if !ok {
			return fail("snapshot", blocklist.ErrUntrusted, "it does not name %.80s any more", name)
		}
		if was := held[name].Known.Version; now.Known.Version < was {
			return fail("snapshot", blocklist.ErrRollback, "it names version %d of %.80s, held is %d", now.Known.Version, name,
				was)
		}
	}
	return nil
}

// Targets verifies the targets that the snapshot references (5.6), the last step of the workflow. It fails like
// Timestamp.
func (u *Update) Targets(t *Targets) error {
	if err := u.snapshot.Targets.Verify(t.Raw); err != nil {
		return fmt.Errorf("targets: %w", err)
	}
	if err := u.root.Verify(&t.Document); err != nil {
		return err
	}
	if t.Version != u.snapshot.Targets.Version {
		return fail("targets", blocklist.ErrUntrusted, "version %d, the snapshot names %d", t.Version,
			u.snapshot.Targets.Version)
	}
	return u.checkExpiry("targets", &t.Document)
}
