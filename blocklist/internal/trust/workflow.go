package trust

import (
	"errors"
	"fmt"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/argine-dns/argine/blocklist"
)

// Wanted names the document that comes next.
type Wanted struct {
	Name  string // of its file
	Limit int64  // bytes; its signed length where there is one
	meta  *metadata.MetaFiles
}

// Is reports whether b is certainly the document that is wanted, so that it need not be fetched.
func (w Wanted) Is(b []byte) bool {
	return len(b) > 0 && len(w.meta.Hashes) > 0 && w.meta.VerifyLengthHashes(b) == nil
}

func wanted(name string, meta *metadata.MetaFiles, limit int64) Wanted {
	if meta.Length > 0 {
		limit = meta.Length
	}
	return Wanted{Name: name, Limit: limit, meta: meta}
}

// Workflow is The Update Framework's client workflow below a trusted root (5.4 to 5.6): Timestamp, Snapshot, Targets, each
// once. It asks nothing of the documents that the framework does not. Nothing it says counts before the last step has succeeded.
type Workflow struct {
	tuf  *trustedmetadata.TrustedMetadata
	list string // empty: of any
	held Chain
	next Chain
	ts   Online
	snap Online
}

// NewWorkflow starts from the newest trusted root and from what was accepted before, which is empty at the very first start.
// Held metadata that the root's keys did not sign is of no weight (fast-forward recovery, 5.3.11). Freshness is judged by
// now, the local clock.
func NewWorkflow(root []byte, held Chain, now time.Time) (*Workflow, error) {
	tuf, err := trustedmetadata.New(root)
	if err != nil {
		return nil, classify("root", err)
	}
	tuf.RefTime = now
	w := &Workflow{tuf: tuf, held: held}
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
func (w *Workflow) Timestamp(b []byte) (Wanted, error) {
	ts, err := ParseTimestamp(b)
	if err == nil {
		err = w.checkList("timestamp", ts)
	}
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
func (w *Workflow) Snapshot(b []byte) (Wanted, error) {
	snap, err := ParseSnapshot(b)
	if err == nil {
		err = w.checkList("snapshot", snap)
	}
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
func (w *Workflow) Targets(b []byte) error {
	if _, err := w.tuf.UpdateTargets(b); err != nil {
		return classify("targets", err)
	}
	w.next.Targets, w.next.Urgent, w.next.Refused = b, w.held.Urgent, w.held.Refused
	return nil
}

// checkList refuses what says that it is of another list: one key of an origin signs for many.
func (w *Workflow) checkList(what string, o Online) error {
	if w.list == "" || o.List == "" || o.List == w.list {
		return nil
	}
	return fmt.Errorf("%s: %w: it is of list %.80q, not %q", what, blocklist.ErrUntrusted, o.List, w.list)
}

// Named reports whether all that was checked so far says which list it is of, so that it can't be that of another one.
func (w *Workflow) Named() bool {
	return w.ts.List != "" && (w.next.Snapshot == nil || w.snap.List != "")
}

// Accepted returns what is to be kept once Targets has succeeded and its release is in force.
func (w *Workflow) Accepted() Chain { return w.next }

// FollowRoot checks the root that follows a trusted one: its version, and the signatures that both ask for (5.3). An
// expired root is fine as a step to the next.
func FollowRoot(held, next []byte) error {
	tuf, err := trustedmetadata.New(held)
	if err == nil {
		_, err = tuf.UpdateRoot(next)
	}
	return classify("root", err)
}
