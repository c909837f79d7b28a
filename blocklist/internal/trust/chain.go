package trust

import (
	"bytes"
	"fmt"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// Metadata is what was verified together below a root. Each document is parsed, and carries the bytes that were received.
type Metadata struct {
	Timestamp *Timestamp   `json:"timestamp,omitempty"`
	Snapshot  *Snapshot    `json:"snapshot,omitempty"`
	Targets   *TargetsSpec `json:"targets,omitempty"` // as they were signed
	Urgent    *UrgentSpec  `json:"urgent,omitempty"`  // the newest urgent document, whether or not it still counts
	// Refused is the newest urgent document that an officer has signed and that broke a rule. It is there so that nothing older
	// is accepted.
	Refused *UrgentSpec `json:"refused,omitempty"`
	// Key is the list key, where the list is confidential. It opens Targets, and Urgent where that counts.
	Key ListKey `json:"key,omitempty"`
}

// Equal reports whether both are the same bytes.
func (m Metadata) Equal(other Metadata) bool {
	return bytes.Equal(m.Timestamp.Bytes(), other.Timestamp.Bytes()) && bytes.Equal(m.Snapshot.Bytes(), other.Snapshot.Bytes()) &&
		bytes.Equal(m.Targets.Bytes(), other.Targets.Bytes()) && bytes.Equal(m.Urgent.Bytes(), other.Urgent.Bytes()) &&
		bytes.Equal(m.Refused.Bytes(), other.Refused.Bytes()) && bytes.Equal(m.Key, other.Key)
}

// Updater is the workflow of a list: with the rules for roots and targets that are ours, and a serial that never goes back, under
// whatever keys.
type Updater struct {
	*Workflow
	root *Root
	spec TargetsSpec
}

// NewUpdater starts like [NewWorkflow]. A held snapshot does not count once the orders that it names are those of a revoked
// officer: versions that this officer used up would keep the others out. The serial never goes back all the same.
func NewUpdater(root *Root, held Metadata, now time.Time) *Updater {
	if held.namesRevoked(root) {
		held.Snapshot = nil
	}
	u := &Updater{Workflow: NewWorkflow(root.doc, held, now), root: root}
	u.list = root.spec.List
	return u
}

// Targets checks the targets that the snapshot names: the last step. It fails like Timestamp.
func (u *Updater) Targets(b []byte) (TargetsSpec, error) {
	spec, err := OpenTargets(u.root, b)
	if err != nil {
		return spec, err
	}
	if spec.Version != u.next.Snapshot.Targets.Version {
		return spec, fmt.Errorf("targets: %w: serial %d, the snapshot names %d", blocklist.ErrUntrusted, spec.Version, u.next.Snapshot.Targets.Version)
	}
	if err := CheckNewer(u.held.Targets, spec); err != nil {
		return spec, err
	}
	u.spec, u.next.Targets = spec, &spec
	return spec, u.Workflow.Targets(spec.doc)
}

// Unlock opens the targets with the list key. The targets of a list that is not confidential it returns as they are.
func (u *Updater) Unlock(k ListKey) (TargetsSpec, error) {
	spec, err := u.spec.Open(k)
	if err == nil {
		u.next.Key = spec.Key
	}
	return spec, err
}
