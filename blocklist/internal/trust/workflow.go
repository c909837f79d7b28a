package trust

import (
	"fmt"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// Wanted names the document that comes next.
type Wanted struct {
	Name  string // of its file
	Limit int64  // bytes; its signed length where there is one
	tuf.Reference
}

func wanted(name string, to tuf.Reference, limit int64) Wanted {
	if to.Length > 0 {
		limit = to.Length
	}
	return Wanted{Name: name, Limit: limit, Reference: to}
}

// Workflow is The Update Framework's client workflow below a trusted root (5.4 to 5.6): Timestamp, Snapshot, Targets, each
// once. It asks nothing of the documents that the framework does not. Nothing it says counts before the last step has succeeded.
type Workflow struct {
	tuf  *tuf.Update
	list string // empty: of any
	held Chain
	next Chain
	ts   *Timestamp
	snap *Snapshot
}

// NewWorkflow starts from the newest trusted root and from what was accepted before, which is empty at the very first start.
// Held metadata that the root's keys did not sign does not count (fast-forward recovery, 5.3.11). Freshness is judged by now, the
// local clock.
func NewWorkflow(root *tuf.Root, held Chain, now time.Time) (w *Workflow, err error) {
	w = &Workflow{held: held}
	var timestamp *tuf.Timestamp
	var snapshot *tuf.Snapshot
	if len(held.Timestamp) > 0 {
		if w.ts, err = ParseTimestamp(held.Timestamp); err != nil {
			return nil, err
		}
		timestamp = &w.ts.Timestamp
	}
	if s, err := ParseSnapshot(held.Snapshot); err == nil {
		snapshot = &s.Snapshot
	}
	w.tuf = tuf.NewUpdate(root, timestamp, snapshot, now)
	return w, nil
}

// Timestamp checks a timestamp and returns which snapshot it wants. It fails with [blocklist.ErrExpired],
// [blocklist.ErrRollback], [blocklist.ErrUntrusted], [blocklist.ErrMalformed] or [blocklist.ErrTooLarge].
func (w *Workflow) Timestamp(b []byte) (Wanted, error) {
	ts, err := ParseTimestamp(b)
	if err == nil {
		err = w.checkList("timestamp", ts.List)
	}
	if err != nil {
		return Wanted{}, err
	}
	counts, err := w.tuf.Timestamp(&ts.Timestamp)
	if err != nil {
		return Wanted{}, err
	}
	if counts == &ts.Timestamp {
		w.ts = ts
	}
	w.next.Timestamp = w.ts.Raw
	return wanted(SnapshotName(w.ts.Snapshot.Version), w.ts.Snapshot, tuf.MaxSnapshot), nil
}

// Snapshot checks the snapshot that the timestamp wants and returns which targets it wants. It fails like Timestamp.
func (w *Workflow) Snapshot(b []byte) (Wanted, error) {
	snap, err := ParseSnapshot(b)
	if err == nil {
		err = w.checkList("snapshot", snap.List)
	}
	if err == nil {
		err = w.tuf.Snapshot(&snap.Snapshot)
	}
	if err != nil {
		return Wanted{}, err
	}
	w.snap, w.next.Snapshot = snap, b
	return wanted(TargetsName(snap.Targets.Version), snap.Targets, tuf.MaxTargets), nil
}

// Targets checks the targets that the snapshot wants: the last step. It fails like Timestamp.
func (w *Workflow) Targets(t *tuf.Targets) error {
	if err := w.tuf.Targets(t); err != nil {
		return err
	}
	w.next.Targets, w.next.Urgent, w.next.Refused = t.Raw, w.held.Urgent, w.held.Refused
	return nil
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
	return w.ts.List != "" && (w.snap == nil || w.snap.List != "")
}

// Accepted returns what is to be kept once Targets has succeeded and its release is in force.
func (w *Workflow) Accepted() Chain { return w.next }
