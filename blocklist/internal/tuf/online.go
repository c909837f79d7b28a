package tuf

import "maps"

// File names of the referenced documents in timestamps and snapshots.
const (
	metaSnapshot = "snapshot.json"
	metaTargets  = "targets.json"
)

// Timestamp is a timestamp (4.6): it references the newest snapshot.
type Timestamp struct {
	Document

	Snapshot Reference
}

// ParseTimestamp parses a timestamp. It does not verify signatures.
func ParseTimestamp(b []byte) (*Timestamp, error) {
	d, signed, err := parse[IndexFields](RoleTimestamp, RoleTimestamp, b, MaxTimestamp)
	t := &Timestamp{Document: d}
	if err == nil {
		t.Snapshot, err = signed.Known.reference(RoleTimestamp, metaSnapshot, MaxSnapshot)
	}
	return t, err
}

// Snapshot is a snapshot (4.4): it references the newest targets.
type Snapshot struct {
	Document

	Targets Reference
	meta    map[string]Object[Reference] // all references, by file name
}

// ParseSnapshot parses a snapshot. It does not verify signatures.
func ParseSnapshot(b []byte) (*Snapshot, error) {
	d, signed, err := parse[IndexFields](RoleSnapshot, RoleSnapshot, b, MaxSnapshot)
	s := &Snapshot{Document: d, meta: signed.Known.Meta}
	if err == nil {
		s.Targets, err = signed.Known.reference(RoleSnapshot, metaTargets, MaxTargets)
	}
	return s, err
}

// Other returns the reference to the document with the given file name, or nil if there is none. It fails if the
// reference has an invalid form, or says that the document has more than limit bytes.
func (s *Snapshot) Other(name string, limit int64) (*Reference, error) {
	to, ok := s.meta[name]
	if !ok {
		return nil, nil //nolint:nilnil // see above
	}
	return &to.Known, to.Known.check(RoleSnapshot, limit)
}

func (f IndexFields) reference(what, name string, limit int64) (Reference, error) {
	to, ok := f.Meta[name]
	if !ok {
		return Reference{}, Malformed(what, "it names no next document, %s", name)
	}
	return to.Known, to.Known.check(what, limit)
}

// NewTimestamp returns an unsigned timestamp.
func NewTimestamp(h Header, snapshot Object[Reference], more map[string]any) ([]byte, error) {
	return New(Object[IndexFields]{IndexFields{h, map[string]Object[Reference]{metaSnapshot: snapshot}}, more})
}

// NewSnapshot returns an unsigned snapshot with references to targets and to documents of other roles.
func NewSnapshot(h Header, targets Object[Reference], others map[string]Object[Reference], more map[string]any) ([]byte,
	error,
) {
	meta := map[string]Object[Reference]{metaTargets: targets}
	maps.Copy(meta, others)
	return New(Object[IndexFields]{IndexFields{h, meta}, more})
}

// Targets is a targets document (4.5).
type Targets struct {
	Document
	TargetsFields
}

//nolint:gochecknoglobals // what is in it is constant
var targets parsed[Targets]

// ParseTargets parses a targets document of at most limit bytes. It does not verify signatures. The argument what is
// the document's name, for errors. Calls with the same bytes may return the same pointer, so callers must not change
// the document.
func ParseTargets(what string, b []byte, limit int) (*Targets, error) {
	if err := checkSize(what, b, limit); err != nil {
		return &Targets{}, err
	}
	return targets.get(b, func(b []byte) (*Targets, error) {
		d, signed, err := parse[TargetsFields](what, RoleTargets, b, limit)
		return &Targets{d, signed.Known}, err
	})
}
