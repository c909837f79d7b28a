package trust

import (
	"fmt"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// TimestampName is the name of the timestamp file in a list's folder on an origin or mirror. All other files never
// change.
const TimestampName = "timestamp.json"

// RootName returns the file name of a root.
func RootName(version int64) string { return fmt.Sprintf("%d.root.json", version) }

// SnapshotName returns the file name of a snapshot.
func SnapshotName(version int64) string { return fmt.Sprintf("%d.snapshot.json", version) }

// TargetsName returns the file name of a targets document.
func TargetsName(version int64) string { return fmt.Sprintf("%d.targets.json", version) }

// OnlineSpec describes a snapshot or a timestamp: a document that references the newest document of the next role.
type OnlineSpec struct {
	List        string // name of the list; empty: not given
	Version     int64
	Expires     time.Time
	Next        []byte // the referenced document: targets for a snapshot, a snapshot for a timestamp
	NextVersion int64  // version of the referenced document
	Root        int64  // for a timestamp: version of the newest root when the timestamp was made

	// For a snapshot: Urgent is the newest urgent document, and UrgentVersion is its version. Empty: there is none yet.
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

// more returns the fields that Argine adds to TUF's.
func (spec OnlineSpec) more() map[string]any {
	more := map[string]any{}
	if spec.List != "" {
		more[fieldList] = spec.List
	}
	return more
}

// Timestamp is a parsed timestamp document, not verified.
type Timestamp struct {
	tuf.Timestamp

	List string // name of the list; empty: not given
	Root int64  // version of the newest root when the timestamp was made; 0: not given
}

// ParseTimestamp parses a timestamp. It does not verify signatures.
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

// Snapshot is a parsed snapshot document, not verified.
type Snapshot struct {
	tuf.Snapshot

	List   string         // name of the list; empty: not given
	Urgent *tuf.Reference // reference to the newest urgent document; nil: there is none yet
}

// ParseSnapshot parses a snapshot. It does not verify signatures.
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
