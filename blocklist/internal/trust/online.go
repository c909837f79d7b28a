package trust

import (
	"fmt"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// TimestampName is the name of the timestamp's file within a list's folder on an origin or mirror. It is the only one
// whose content changes.
const TimestampName = "timestamp.json"

// RootName returns the name of a root's file.
func RootName(version int64) string { return fmt.Sprintf("%d.root.json", version) }

// SnapshotName returns the name of a snapshot's file.
func SnapshotName(version int64) string { return fmt.Sprintf("%d.snapshot.json", version) }

// TargetsName returns the name of a targets document's file.
func TargetsName(version int64) string { return fmt.Sprintf("%d.targets.json", version) }

// OnlineSpec is what a snapshot or a timestamp says: which document of the next role is the newest.
type OnlineSpec struct {
	List        string // that it is of; empty: it does not say
	Version     int64
	Expires     time.Time
	Next        []byte // the document it speaks for: targets for a snapshot, a snapshot for a timestamp
	NextVersion int64  // version of that document
	Root        int64  // of a timestamp: the newest root published with it

	// Of a snapshot: the newest urgent document and its version; empty if there never was one.
	Urgent        []byte
	UrgentVersion int64
}

// NewSnapshot returns an unsigned snapshot document.
func NewSnapshot(spec OnlineSpec) ([]byte, error) {
	others := map[string]tuf.Object[tuf.Reference]{}
	if len(spec.Urgent) > 0 {
		others[metaUrgent] = tuf.NewReference(spec.Urgent, spec.UrgentVersion)
	}
	h := tuf.NewHeader(tuf.RoleSnapshot, spec.Version, spec.Expires)
	return tuf.NewSnapshot(h, tuf.NewReference(spec.Next, spec.NextVersion), others, spec.more())
}

// NewTimestamp returns an unsigned timestamp document.
func NewTimestamp(spec OnlineSpec) ([]byte, error) {
	more := spec.more()
	more[fieldRoot] = spec.Root
	h := tuf.NewHeader(tuf.RoleTimestamp, spec.Version, spec.Expires)
	return tuf.NewTimestamp(h, tuf.NewReference(spec.Next, spec.NextVersion), more)
}

// more returns the fields that are ours.
func (spec OnlineSpec) more() map[string]any {
	more := map[string]any{}
	if spec.List != "" {
		more[fieldList] = spec.List
	}
	return more
}

// Timestamp is a timestamp document that was read, but not checked against any key.
type Timestamp struct {
	tuf.Timestamp

	List string // that it says it is of; empty if it does not say
	Root int64  // the newest root published with it, 0 if it does not say
}

// ParseTimestamp reads a timestamp: what it says, not who signed it.
func ParseTimestamp(b []byte) (*Timestamp, error) {
	doc, err := tuf.ParseTimestamp(b)
	if err != nil {
		return nil, err
	}
	root, _ := doc.More[fieldRoot].(float64)
	t := &Timestamp{Timestamp: *doc, Root: int64(root)}
	t.List, _ = doc.More[fieldList].(string)
	return t, nil
}

// Snapshot is a snapshot document that was read, but not checked against any key.
type Snapshot struct {
	tuf.Snapshot

	List   string         // that it says it is of; empty if it does not say
	Urgent *tuf.Reference // the newest urgent document, nil if there never was one
}

// ParseSnapshot reads a snapshot: what it says, not who signed it.
func ParseSnapshot(b []byte) (*Snapshot, error) {
	doc, err := tuf.ParseSnapshot(b)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{Snapshot: *doc}
	s.List, _ = doc.More[fieldList].(string)
	if s.Urgent, err = doc.Other(metaUrgent, MaxUrgent); err != nil {
		return nil, err
	}
	return s, nil
}
