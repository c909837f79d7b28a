package trust

import (
	"fmt"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// Reference is a verified document's reference to the next document.
type Reference struct {
	tuf.Reference

	Name  string // file name of the next document
	Limit int64  // maximum length of the document in bytes: the signed length, or else the limit for its role
}

func reference(name string, to tuf.Reference, limit int64) Reference {
	if to.Length > 0 {
		limit = to.Length
	}
	return Reference{Reference: to, Name: name, Limit: limit}
}

// Workflow is the client workflow of TUF's specification (5.4 to 5.6), without rules of Argine, under a trusted root.
// Call Timestamp, Snapshot and Targets in this order, each once. Accepted documents take effect only after Targets has
// succeeded.
type Workflow struct {
	update *tuf.Update
	list   string // required name of the list; empty: any
	held   Metadata
	next   Metadata
}

// NewWorkflow starts an update from the newest trusted root and the previously accepted metadata, if any. Metadata that
// the root's keys did not sign is ignored (fast-forward recovery, 5.3.11). The argument now is the time that expiry is
// compared with.
func NewWorkflow(root *tuf.Root, held Metadata, now time.Time) *Workflow {
	var timestamp *tuf.Timestamp
	var snapshot *tuf.Snapshot
	if held.Timestamp != nil {
		timestamp = &held.Timestamp.Timestamp
	}
	if held.Snapshot != nil {
		snapshot = &held.Snapshot.Snapshot
	}
	return &Workflow{update: tuf.NewUpdate(root, timestamp, snapshot, now), held: held}
}

// Timestamp verifies a timestamp and returns its reference to the snapshot. It fails with [blocklist.ErrExpired],
// [blocklist.ErrRollback], [blocklist.ErrUntrusted], [blocklist.ErrMalformed] or [blocklist.ErrTooLarge].
func (w *Workflow) Timestamp(b []byte) (Reference, error) {
	ts, err := ParseTimestamp(b)
	if err == nil {
		err = w.checkList("timestamp", ts.List)
	}
	if err != nil {
		return Reference{}, err
	}
	counts, err := w.update.Timestamp(&ts.Timestamp)
	if err != nil {
		return Reference{}, err
	}
	if counts != &ts.Timestamp {
		ts = w.held.Timestamp
	}
	w.next.Timestamp = ts
	return reference(SnapshotName(ts.Snapshot.Version), ts.Snapshot, tuf.MaxSnapshot), nil
}

// Snapshot verifies the snapshot that the timestamp references, and returns its reference to the targets. It fails like
// Timestamp.
func (w *Workflow) Snapshot(b []byte) (Reference, error) {
	snap, err := ParseSnapshot(b)
	if err == nil {
		err = w.checkList("snapshot", snap.List)
	}
	if err == nil {
		err = w.update.Snapshot(&snap.Snapshot)
	}
	if err != nil {
		return Reference{}, err
	}
	w.next.Snapshot = snap
	return reference(TargetsName(snap.Targets.Version), snap.Targets, tuf.MaxTargets), nil
}

// Targets verifies the targets that the snapshot references, the last step of the workflow. It fails like Timestamp.
func (w *Workflow) Targets(t *tuf.Targets) error {
	w.next.Urgent, w.next.Refused = w.held.Urgent, w.held.Refused
	return w.update.Targets(t)
}

// checkList returns an error if a document names another list. This matters because one key of an origin signs for many
// lists.
func (w *Workflow) checkList(what, list string) error {
	if w.list == "" || list == "" || list == w.list {
		return nil
	}
	return fmt.Errorf("%s: %w: it is of list %.80q, not %q", what, blocklist.ErrUntrusted, list, w.list)
}

// Named reports whether all documents verified so far name their list. If not, they may belong to another list.
func (w *Workflow) Named() bool {
	return w.next.Timestamp.List != "" && (w.next.Snapshot == nil || w.next.Snapshot.List != "")
}

// Accepted returns the verified metadata. Store it after Targets has succeeded and the release is in force.
func (w *Workflow) Accepted() Metadata { return w.next }
