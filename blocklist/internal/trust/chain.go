package trust

import (
	"bytes"
	"fmt"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// Chain is the metadata below the root that was accepted in one piece, as the bytes that were received.
type Chain struct {
	Timestamp []byte `json:"timestamp,omitempty"`
	Snapshot  []byte `json:"snapshot,omitempty"`
	Targets   []byte `json:"targets,omitempty"`
	Urgent    []byte `json:"urgent,omitempty"` // the newest urgent document, whether or not it still counts
	// Refused is the newest urgent document that an officer has signed and that broke a rule. It is there so that nothing older
	// is taken.
	Refused []byte `json:"refused,omitempty"`
	// Key is the list key, where the list is confidential. It opens Targets, and Urgent where that counts.
	Key ListKey `json:"key,omitempty"`
}

// Equal reports whether two chains are the same bytes.
func (c Chain) Equal(other Chain) bool {
	return bytes.Equal(c.Timestamp, other.Timestamp) && bytes.Equal(c.Snapshot, other.Snapshot) &&
		bytes.Equal(c.Targets, other.Targets) && bytes.Equal(c.Urgent, other.Urgent) && bytes.Equal(c.Refused, other.Refused) && bytes.Equal(c.Key, other.Key)
}

// Walk is the workflow of a list: with the rules for roots and targets that are ours, and held targets whose serial never
// goes back, whoever signed them.
type Walk struct {
	*Workflow
	root *Root
	spec TargetsSpec
}

// NewWalk starts like [NewWorkflow]. A held snapshot counts for nothing once the orders that it names are those of an officer
// who has gone: versions that he used up would keep the others out. The serial never goes back all the same.
func NewWalk(root *Root, held Chain, now time.Time) (*Walk, error) {
	if held.namesRevoked(root) {
		held.Snapshot = nil
	}
	w, err := NewWorkflow(root.doc, held, now)
	if err != nil {
		return nil, err
	}
	w.list = root.spec.List
	return &Walk{Workflow: w, root: root}, nil
}

// Targets checks the targets that the snapshot wants: the last step. It fails like Timestamp.
func (w *Walk) Targets(b []byte) (TargetsSpec, error) {
	spec, err := OpenTargets(w.root, b)
	if err != nil {
		return spec, err
	}
	if spec.Version != w.snap.Targets.Version {
		return spec, fmt.Errorf("targets: %w: serial %d, the snapshot names %d", blocklist.ErrUntrusted, spec.Version, w.snap.Targets.Version)
	}
	if err := CheckNewer(w.held.Targets, b); err != nil {
		return spec, err
	}
	w.spec = spec
	return spec, w.Workflow.Targets(spec.doc)
}

// Unlock opens the targets with the list key. The targets of a list that is not confidential it returns as they are.
func (w *Walk) Unlock(k ListKey) (TargetsSpec, error) {
	spec, err := w.spec.Open(k)
	if err == nil {
		w.next.Key = spec.Key
	}
	return spec, err
}
