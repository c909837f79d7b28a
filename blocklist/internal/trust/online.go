package trust

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/argine-dns/argine/blocklist"
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
	m := metadata.Snapshot(spec.Expires.UTC().Truncate(time.Second))
	m.Signed.Version = spec.Version
	m.Signed.UnrecognizedFields = map[string]any{}
	if spec.List != "" {
		m.Signed.UnrecognizedFields[fieldList] = spec.List
	}
	m.Signed.Meta = map[string]*metadata.MetaFiles{"targets.json": metaOf(spec.Next, spec.NextVersion)}
	if len(spec.Urgent) > 0 {
		m.Signed.Meta[metaUrgent] = metaOf(spec.Urgent, spec.UrgentVersion)
	}
	return m.ToBytes(false)
}

// NewTimestamp returns an unsigned timestamp document.
func NewTimestamp(spec OnlineSpec) ([]byte, error) {
	m := metadata.Timestamp(spec.Expires.UTC().Truncate(time.Second))
	m.Signed.Version = spec.Version
	m.Signed.Meta = map[string]*metadata.MetaFiles{"snapshot.json": metaOf(spec.Next, spec.NextVersion)}
	m.Signed.UnrecognizedFields = map[string]any{fieldRoot: spec.Root}
	if spec.List != "" {
		m.Signed.UnrecognizedFields[fieldList] = spec.List
	}
	return m.ToBytes(false)
}

func metaOf(doc []byte, version int64) *metadata.MetaFiles {
	sum := sha256.Sum256(doc)
	return &metadata.MetaFiles{Version: version, Length: int64(len(doc)), Hashes: metadata.Hashes{"sha256": sum[:]}}
}

// Online is a snapshot or timestamp document that was read, but not checked against any key.
type Online struct {
	List        string // that it says it is of; empty if it does not say
	Version     int64
	Expires     time.Time
	NextVersion int64 // of the document it speaks for
	Root        int64 // of a timestamp: the newest root published with it, 0 if it does not say
	Urgent      int64 // of a snapshot: version of the urgent document, 0 if it names none
	meta        *metadata.MetaFiles
	urgent      *metadata.MetaFiles
}

// ParseTimestamp reads a timestamp: what it says, not who signed it.
func ParseTimestamp(b []byte) (Online, error) {
	m, err := parseRole[metadata.TimestampType]("timestamp", b, MaxTimestamp)
	if err != nil {
		return Online{}, err
	}
	s := &m.Signed
	root, _ := s.UnrecognizedFields[fieldRoot].(float64)
	o := Online{Version: s.Version, Expires: s.Expires, Root: int64(root), meta: s.Meta["snapshot.json"]}
	o.List, _ = s.UnrecognizedFields[fieldList].(string)
	if err := checkSigned("timestamp", s.Type, metadata.TIMESTAMP, s.Version, s.Expires); err != nil {
		return o, err
	}
	return o, o.checkMeta("timestamp", MaxSnapshot)
}

// ParseSnapshot reads a snapshot: what it says, not who signed it.
func ParseSnapshot(b []byte) (Online, error) {
	m, err := parseRole[metadata.SnapshotType]("snapshot", b, MaxSnapshot)
	if err != nil {
		return Online{}, err
	}
	s := &m.Signed
	o := Online{Version: s.Version, Expires: s.Expires, meta: s.Meta["targets.json"], urgent: s.Meta[metaUrgent]}
	o.List, _ = s.UnrecognizedFields[fieldList].(string)
	if err := checkSigned("snapshot", s.Type, metadata.SNAPSHOT, s.Version, s.Expires); err != nil {
		return o, err
	}
	if o.urgent != nil {
		if err := checkReference("snapshot", o.urgent, MaxUrgent); err != nil {
			return o, err
		}
		o.Urgent = o.urgent.Version
	}
	return o, o.checkMeta("snapshot", MaxTargets)
}

// checkMeta checks the reference to the next document; go-tuf takes its presence for granted.
func (o *Online) checkMeta(what string, limit int64) error {
	if o.meta == nil {
		return malformed(what, "it names no next document")
	}
	o.NextVersion = o.meta.Version
	return checkReference(what, o.meta, limit)
}

func checkReference(what string, to *metadata.MetaFiles, limit int64) error {
	switch {
	case to.Version < 1 || to.Length < 0:
		return malformed(what, "the next document has version %d and length %d", to.Version, to.Length)
	case to.Length > limit:
		return fmt.Errorf("%s: %w: the next document has %d bytes, the limit is %d", what, blocklist.ErrTooLarge, to.Length, limit)
	}
	return nil
}
