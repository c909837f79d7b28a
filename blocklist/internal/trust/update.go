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

// NewUpdater is [NewWorkflow] for a list. It ignores the snapshot metadata in the argument held if they reference
// urgent orders of a revoked officer: that officer may have given them the highest possible version, so that no later
// urgent orders could be accepted.
func NewUpdater(root *Root, held Metadata, now time.Time) *Updater {
	if held.namesRevoked(root) {
		held.Snapshot = nil
	}
	u := &Updater{Workflow: NewWorkflow(root.doc, held, now), root: root}
	u.list = root.spec.List
	return u
}

// Targets verifies the targets that the snapshot references, the last step of the workflow. It fails like
// [Workflow.Timestamp], with [blocklist.ErrSignatures], or with an [*EquivocationError].
func (u *Updater) Targets(b []byte) (TargetsSpec, error) {
	spec, err := OpenTargets(u.root, b)
	if err != nil {
		return spec, err
	}
	if spec.Version != u.next.Snapshot.Targets.Version {
		return spec, fmt.Errorf("targets: %w: serial %d, the snapshot names %d", blocklist.ErrUntrusted, spec.Version, u.next.Snapshot.Targets.Version)
	}
	if err := CheckFollows(u.held.Targets, spec); err != nil {
		return spec, err
	}
	u.spec, u.next.Targets = spec, &spec
	return spec, u.Workflow.Targets(spec.doc)
}

// Unlock decrypts the verified targets with the list key. It returns them unchanged if the list is not confidential.
func (u *Updater) Unlock(k ListKey) (TargetsSpec, error) {
	spec, err := u.spec.Open(k)
	if err == nil {
		u.next.Key = spec.Key
	}
	return spec, err
}

// Urgent returns the snapshot's reference to the urgent document. It returns false if there is none, or if the root
// allows no urgent orders.
func (u *Updater) Urgent() (Reference, bool) {
	to := u.next.Snapshot.Urgent
	if to == nil || !u.root.spec.Urgent.Allowed() {
		return Reference{}, false
	}
	return reference(UrgentName(to.Version), *to, MaxUrgent), true
}

// AcceptUrgent verifies the urgent document that the snapshot references. It returns the decrypted orders, and the
// metadata with the document. It fails like [Updater.Targets]. The release can be used even if AcceptUrgent fails.
func (u *Updater) AcceptUrgent(b []byte) (spec UrgentSpec, next Metadata, err error) {
	to := u.next.Snapshot.Urgent
	if err := to.Verify(b); err != nil {
		return spec, u.next, fmt.Errorf("urgent orders: %w", err)
	}
	if spec, err = ParseUrgent(b); err == nil && spec.Version != to.Version {
		err = fmt.Errorf("urgent orders: %w: version %d, the snapshot names %d", blocklist.ErrUntrusted, spec.Version, to.Version)
	}
	if err == nil {
		spec, u.next, err = u.next.AcceptUrgent(u.root, spec)
	}
	return spec, u.next, err
}
