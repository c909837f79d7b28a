package trust

import "bytes"

// Metadata is a set of documents that were verified together under one root. Each document is parsed, and also keeps
// the bytes as received.
type Metadata struct {
	Timestamp *Timestamp   `json:"timestamp,omitempty"`
	Snapshot  *Snapshot    `json:"snapshot,omitempty"`
	Targets   *TargetsSpec `json:"targets,omitempty"` // targets as signed, not decrypted
	Urgent    *UrgentSpec  `json:"urgent,omitempty"`  // the newest valid urgent document, even if it is for another release
	// Refused is the newest urgent document that an officer signed but that violates a rule. It is kept so that no
	// older document is accepted.
	Refused *UrgentSpec `json:"refused,omitempty"`
	// Key is the key of a confidential list. It decrypts Targets, and also Urgent if that is for the same release.
	Key ListKey `json:"key,omitempty"`
}

// Equal reports whether m and the other metadata have the same bytes in all documents, and the same key.
func (m Metadata) Equal(other Metadata) bool {
	return bytes.Equal(m.Timestamp.Bytes(), other.Timestamp.Bytes()) &&
		bytes.Equal(m.Snapshot.Bytes(), other.Snapshot.Bytes()) &&
		bytes.Equal(m.Targets.Bytes(), other.Targets.Bytes()) && bytes.Equal(m.Urgent.Bytes(), other.Urgent.Bytes()) &&
		bytes.Equal(m.Refused.Bytes(), other.Refused.Bytes()) && bytes.Equal(m.Key, other.Key)
}
