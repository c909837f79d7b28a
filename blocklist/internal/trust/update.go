package trust

import (
	"fmt"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// Updater is the client workflow for a list: [Workflow] with Argine's rules for roots and targets. Serials never go
// back, not even under a root with new keys.
type Updater struct {
	*Workflow
	root *Root
	spec TargetsSpec
}

// NewUpdater is [NewWorkflow] for a list. It ignores a held snapshot that references urgent orders of a revoked
// officer, since that officer could have chosen such a high version that no later one is possible.
func NewUpdater(root *Root, held Metadata, now time.Time) *Updater {
	if held.namesRevoked(root) {
		held.Snapshot = nil
	}
	u := &Updater{Workflow: NewWorkflow(root.doc, held, now), root: root}
	u.list = root.spec.List
	return u
}

// Targets verifies the targets that the snapshot references: the last step. It fails like Timestamp.
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

// Unlock decrypts the verified targets with the list key. Targets of other lists are returned unchanged.
func (u *Updater) Unlock(k ListKey) (TargetsSpec, error) {
	spec, err := u.spec.Open(k)
	if err == nil {
		u.next.Key = spec.Key
	}
	return spec, err
}
