package subscribe

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// trustState is the trusted root, the verified metadata and the files of the list. The store saves it in one durable step
// with the list in force. The names of its JSON fields are those of earlier versions.
type trustState struct {
	Root      *trust.Root      `json:"root"`  // the newest trusted root
	Roots     map[int64]string `json:"roots"` // IDs of all roots that were ever trusted, by version
	Metadata  trust.Metadata   `json:"chain"` // of the list in force; empty before the first release
	Kept      []trust.File     `json:"kept"`  // files on disk that rebuild the list in force: a snapshot, then deltas
	FirstSeen firstSeen        `json:"seen"`  // targets of urgent orders
	// Ahead is the newest verified timestamp and snapshot, where their targets are not in Metadata yet: they could not be
	// fetched, or are on hold. It counts for rollback only.
	Ahead trust.Metadata `json:"ahead,omitzero"`
}

// firstSeen is when each target was first ordered urgently on top of a release.
type firstSeen struct {
	Serial  int64             `json:"serial"`
	Targets []trust.FirstSeen `json:"of,omitempty"`
}

// on returns the targets seen on top of a serial. Each new release starts with none.
func (f firstSeen) on(serial int64) []trust.FirstSeen {
	if f.Serial != serial {
		return nil
	}
	return f.Targets
}

// keptAfter returns the files to keep once the update path is applied. The path may start at an earlier serial than the
// one in force.
func (t trustState) keptAfter(path []trust.File) []trust.File {
	i := t.keptIndex(path[0].Release.Base)
	if i < 0 {
		return nil
	}
	return slices.Concat(t.Kept[:i+1], path)
}

// toRevert returns the deltas to revert before the update path can be applied, newest first.
func (t trustState) toRevert(path []trust.File) []trust.File {
	i := t.keptIndex(path[0].Release.Base)
	if i < 0 {
		return nil
	}
	deltas := slices.Clone(t.Kept[i+1:])
	slices.Reverse(deltas)
	return deltas
}

// keptIndex returns the index of the kept file that leads to a serial, -1 if none does.
func (t trustState) keptIndex(serial uint64) int {
	return slices.IndexFunc(t.Kept, func(f trust.File) bool { return f.Release.Serial == serial })
}

func readTrustState(b []byte) (t trustState, err error) {
	if len(b) == 0 {
		return t, nil
	}
	if err := json.Unmarshal(b, &t); err != nil {
		return trustState{}, fmt.Errorf("reading the trusted metadata: %w: %w", blocklist.ErrDamaged, err)
	}
	return t, nil
}

func (t trustState) bytes() ([]byte, error) { return json.Marshal(t) }

// withRoot returns the state with root as the newest one.
func (t trustState) withRoot(root *trust.Root) trustState {
	t.Root = root
	roots := maps.Clone(t.Roots)
	if roots == nil {
		roots = map[int64]string{}
	}
	roots[root.Version()] = root.ID()
	t.Roots = roots
	return t
}

// expires returns until when the list in force counts as fresh: the earliest expiry of its metadata and of the root. A list
// that only ever came from bundles has no timestamp and no snapshot; the officers' dates count alone.
func (t trustState) expires(root time.Time) (first time.Time) {
	if t.Metadata.Targets == nil {
		return first
	}
	dates := []time.Time{t.Metadata.Targets.Expires, root}
	if t.Metadata.Timestamp != nil && t.Metadata.Snapshot != nil {
		dates = append(dates, t.Metadata.Timestamp.Expires, t.Metadata.Snapshot.Expires)
	}
	return slices.MinFunc(dates, time.Time.Compare)
}

// errNothingHeld is the error where no release was ever installed.
var errNothingHeld = errors.New("nothing is held yet")

// targets returns the targets of the list in force, opened with its list key. It fails before the first release.
func (t trustState) targets() (trust.TargetsSpec, error) {
	if t.Metadata.Targets == nil {
		return trust.TargetsSpec{}, errNothingHeld
	}
	return t.Metadata.Targets.Open(t.Metadata.Key)
}

// limitUrgent checks the urgent document against the newest root, and limits its entries by when they were first seen. There
// are no entries if it is for another release. It fails if the root does not allow them or revokes their officer.
func (t trustState) limitUrgent(now time.Time) ([]blocklist.Entry, firstSeen, error) {
	targets, signed := t.Metadata.Targets, t.Metadata.Urgent
	if t.Root == nil || targets == nil || signed == nil || signed.Serial != uint64(targets.Version) {
		return nil, t.FirstSeen, nil
	}
	spec := *signed
	if err := spec.Verify(t.Root, t.Metadata.Key); err != nil {
		return nil, t.FirstSeen, err
	}
	entries, seen, err := t.Root.Spec().Urgent.Limit(spec.Entries, t.FirstSeen.on(targets.Version), now)
	if err != nil {
		return nil, t.FirstSeen, err
	}
	return entries, firstSeen{Serial: targets.Version, Targets: seen}, nil
}

// affects reports whether an urgent document may be for the release in force or a later one. An old one is no alarm: its
// officer may have left since.
func (t trustState) affects(urgent []byte) bool {
	spec, err := trust.ParseUrgent(urgent)
	return err != nil || t.Metadata.Targets == nil || spec.Serial >= uint64(t.Metadata.Targets.Version)
}
