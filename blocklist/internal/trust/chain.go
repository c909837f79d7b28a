package trust

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/argine-dns/argine/blocklist"
)

// Chain is the metadata below the root that was accepted in one piece, as the bytes that were received.
type Chain struct {
	Timestamp []byte `json:"timestamp,omitempty"`
	Snapshot  []byte `json:"snapshot,omitempty"`
	Targets   []byte `json:"targets,omitempty"`
	Urgent    []byte `json:"urgent,omitempty"` // the newest urgent document, whether or not it still counts
}

// Wanted names the document that comes next.
type Wanted struct {
	Name  string // of its file
	Limit int64  // bytes; its signed length where there is one
	meta  *metadata.MetaFiles
}

// Is tells whether b is certainly the document that is wanted, so that it need not be fetched.
func (w Wanted) Is(b []byte) bool {
	return len(b) > 0 && len(w.meta.Hashes) > 0 && w.meta.VerifyLengthHashes(b) == nil
}

func wanted(name string, meta *metadata.MetaFiles, limit int64) Wanted {
	if meta.Length > 0 {
		limit = meta.Length
	}
	return Wanted{Name: name, Limit: limit, meta: meta}
}

// Walk checks the documents below a trusted root in the order of The Update Framework's client workflow (5.4 to 5.6):
// Timestamp, Snapshot, Targets, each once. Nothing it says counts before the last step has succeeded.
type Walk struct {
	root *Root
	tuf  *trustedmetadata.TrustedMetadata
	held Chain
	next Chain
	ts   Online
	snap Online
}

// NewWalk starts from the newest trusted root and from what was accepted before, which is empty at the very first start.
// Held metadata that the root's online key did not sign is of no weight (fast-forward recovery, 5.3.11), but held
// targets are: their serial never goes back. Freshness is judged by now, the local clock.
func NewWalk(root *Root, held Chain, now time.Time) (*Walk, error) {
	tuf, err := trustedmetadata.New(root.raw)
	if err != nil {
		return nil, classify(rootName(root.spec.Version), err)
	}
	tuf.RefTime = now
	w := &Walk{root: root, tuf: tuf, held: held}
	if len(held.Timestamp) == 0 {
		return w, nil
	}
	if w.ts, err = ParseTimestamp(held.Timestamp); err != nil {
		return nil, err
	}
	// An error here means: expired, which is no matter for a step in between, or not of this root's key.
	_, _ = tuf.UpdateTimestamp(held.Timestamp)
	return w, nil
}

// Timestamp checks a timestamp and returns which snapshot it wants. It fails with [blocklist.ErrExpired],
// [blocklist.ErrRollback], [blocklist.ErrUntrusted], [blocklist.ErrMalformed] or [blocklist.ErrTooLarge].
func (w *Walk) Timestamp(b []byte) (Wanted, error) {
	ts, err := ParseTimestamp(b)
	if err != nil {
		return Wanted{}, err
	}
	_, err = w.tuf.UpdateTimestamp(b)
	if errors.Is(err, &metadata.ErrEqualVersionNumber{}) { // the held one stays in force
		b, ts, err = w.held.Timestamp, w.ts, nil
	}
	if err != nil {
		return Wanted{}, classify("timestamp", err)
	}
	if w.tuf.RefTime.After(ts.Expires) {
		return Wanted{}, fmt.Errorf("timestamp: %w: since %s", blocklist.ErrExpired, ts.Expires.Format(time.RFC3339))
	}
	w.ts, w.next.Timestamp = ts, b
	return wanted(SnapshotName(ts.NextVersion), ts.meta, MaxSnapshot), nil
}

// Snapshot checks the snapshot that the timestamp wants and returns which targets it wants. It fails like Timestamp.
func (w *Walk) Snapshot(b []byte) (Wanted, error) {
	snap, err := ParseSnapshot(b)
	if err != nil {
		return Wanted{}, err
	}
	if snap.Version != w.ts.NextVersion {
		return Wanted{}, fmt.Errorf("snapshot: %w: version %d, the timestamp names %d", blocklist.ErrUntrusted, snap.Version, w.ts.NextVersion)
	}
	if _, err := ParseSnapshot(w.held.Snapshot); err == nil && w.tuf.Snapshot == nil {
		_, _ = w.tuf.UpdateSnapshot(w.held.Snapshot, true)
	}
	if _, err := w.tuf.UpdateSnapshot(b, false); err != nil {
		return Wanted{}, classify("snapshot", err)
	}
	w.snap, w.next.Snapshot = snap, b
	return wanted(TargetsName(snap.NextVersion), snap.meta, MaxTargets), nil
}

// Targets checks the targets that the snapshot wants: the last step. It fails like Timestamp.
func (w *Walk) Targets(b []byte) (TargetsSpec, error) {
	spec, err := OpenTargets(w.root, b)
	if err != nil {
		return spec, err
	}
	if spec.Version != w.snap.NextVersion {
		return spec, fmt.Errorf("targets: %w: serial %d, the snapshot names %d", blocklist.ErrUntrusted, spec.Version, w.snap.NextVersion)
	}
	if err := CheckNewer(w.held.Targets, b); err != nil {
		return spec, err
	}
	if _, err := w.tuf.UpdateTargets(b); err != nil {
		return spec, classify("targets", err)
	}
	w.next.Targets, w.next.Urgent = b, w.held.Urgent
	return spec, nil
}

// Accepted returns what is to be kept once Targets has succeeded and its release is in force.
func (w *Walk) Accepted() Chain { return w.next }

// Equal tells whether two chains are the same bytes.
func (c Chain) Equal(other Chain) bool {
	return bytes.Equal(c.Timestamp, other.Timestamp) && bytes.Equal(c.Snapshot, other.Snapshot) &&
		bytes.Equal(c.Targets, other.Targets) && bytes.Equal(c.Urgent, other.Urgent)
}
