package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// RootChange describes how the next root differs from the root in force. The zero value only renews the root: the next
// root has a later expiry.
type RootChange struct {
	Add       []string      // public keys of new officers, as text
	Remove    []string      // names of the officers to remove
	Threshold int           // how many officers must sign; 0: unchanged
	OriginKey string        // public online key of the origin, as text; empty: unchanged
	Urgent    *UrgentLimits // limits on urgent orders; nil: unchanged
	// Confidential means that the list is encrypted to its subscribers, from the next release on. This can't be undone.
	Confidential bool
}

// NewRoot makes the next root and leaves it pending. The new root takes effect when enough officers of the root in
// force and enough officers of the new root have signed it. Subscribers get it with the next push. The ledger records
// the changes with the author and reason of c. If a new root is already pending, NewRoot fails with [ErrPending].
func (l *Ledger) NewRoot(ctx context.Context, change RootChange, c Audit) (*Pending, error) {
	unlock, err := l.history.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	held, err := l.root()
	if err != nil {
		return nil, err
	}
	version := held.Version() + 1
	if _, err := os.Stat(l.pendingRootPath(version)); err == nil {
		return nil, fmt.Errorf("making root %d: %w", version, ErrPending)
	}
	next, err := change.apply(held.Spec())
	if err != nil {
		return nil, fmt.Errorf("making root %d: %w", version, err)
	}
	metadata, err := trust.NewRoot(next)
	if err != nil {
		return nil, err
	}
	made := append(Messages{madeRoot.With(version)}, changesOf(held.Spec(), next)...)
	c.Reason = because(made.String(), c.Reason)
	if err := l.history.Record(ctx, KindRoot, c, nil); err != nil {
		return nil, err
	}
	if err := disk.WriteFile(l.pendingRootPath(version), metadata, disk.Inherit); err != nil {
		return nil, err
	}
	return l.readPendingRoot(version)
}

// apply returns the root that follows spec: with the changes, the next version and a new expiry.
func (change RootChange) apply(spec trust.RootSpec) (trust.RootSpec, error) {
	spec.Version++
	spec.Expires = lifetime(rootLifetime)
	spec.Officers = slices.Clone(spec.Officers)
	for _, name := range change.Remove {
		i := slices.IndexFunc(spec.Officers, func(k notekey.Key) bool { return k.Name == name })
		if i < 0 {
			return spec, fmt.Errorf("removing %.80q: %w: the officers are %s", name, ErrNoOfficer,
				strings.Join(names(spec.Officers), ", "))
		}
		spec.Officers = slices.Delete(spec.Officers, i, i+1)
	}
	for _, text := range change.Add {
		key, err := notekey.Parse(text)
		if err != nil {
			return spec, fmt.Errorf("reading an officer's key: %w", err)
		}
		spec.Officers = append(spec.Officers, key)
	}
	if len(spec.Officers) == 0 {
		return spec, fmt.Errorf("%w: no officer would be left who could sign; add others in the same root", blocklist.ErrMalformed)
	}
	if change.Threshold != 0 {
		spec.Threshold = change.Threshold
	}
	if change.Urgent != nil {
		spec.Urgent = trust.Urgent(*change.Urgent)
	}
	spec.Confidential = spec.Confidential || change.Confidential
	if change.OriginKey == "" {
		return spec, nil
	}
	var err error
	if spec.Online, err = notekey.Parse(change.OriginKey); err != nil {
		err = fmt.Errorf("reading the origin's key: %w", err)
	}
	return spec, err
}

// ErrPending is returned by [Ledger.NewRoot] if a new root already waits for signatures.
var ErrPending = errors.New("one is pending already")

// ErrNoOfficer is returned for a name that no officer of the list has.
var ErrNoOfficer = errors.New("not an officer of the list")
