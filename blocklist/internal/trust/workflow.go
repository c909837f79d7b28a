package trust

import (
	"fmt"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// Reference names the document that comes next.
type Reference struct {
	tuf.Reference

	Name  string // of its file
	Limit int64  // bytes; its signed length where there is one
}

func reference(name string, to tuf.Reference, limit int64) Reference {
	if to.Length > 0 {
		limit = to.Length
	}
	return Reference{Reference: to, Name: name, Limit: limit}
}

// Workflow is The Update Framework's client workflow below a trusted root (5.4 to 5.6): Timestamp, Snapshot, Targets, each
// once. It asks nothing of the documents that the framework does not. What it accepts does not count before the last step has
// succeeded.
type Workflow struct {
	update *tuf.Update
	list   string // empty: of any
	held   Metadata
	next   Metadata
}

// NewWorkflow starts from the newest trusted root and from what was accepted before, which is empty at the very first start.
// Held metadata that the root's keys did not sign does not count (fast-forward recovery, 5.3.11). Freshness is judged by now, the
// local clock.
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

// Timestamp checks a timestamp and returns which snapshot it names. It fails with [blocklist.ErrExpired],
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

// Snapshot checks the snapshot that the timestamp names and returns which targets it names. It fails like Timestamp.
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

// Targets checks the targets that the snapshot names: the last step. It fails like Timestamp.
func (w *Workflow) Targets(t *tuf.Targets) error {
	w.next.Urgent, w.next.Refused = w.held.Urgent, w.held.Refused
	return w.update.Targets(t)
}

// checkList refuses what says that it is of another list: one key of an origin signs for many.
func (w *Workflow) checkList(what, list string) error {
	if w.list == "" || list == "" || list == w.list {
		return nil
	}
	return fmt.Errorf("%s: %w: it is of list %.80q, not %q", what, blocklist.ErrUntrusted, list, w.list)
}

// Named reports whether all that was checked so far says which list it is of, so that it can't be that of another one.
func (w *Workflow) Named() bool {
	return w.next.Timestamp.List != "" && (w.next.Snapshot == nil || w.next.Snapshot.List != "")
}

// Accepted returns what is to be kept once Targets has succeeded and its release is in force.
func (w *Workflow) Accepted() Metadata { return w.next }
