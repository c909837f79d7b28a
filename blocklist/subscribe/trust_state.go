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

// trustState is the trusted root, the verified metadata and the release files of a list. The store saves it in one step
// with the list. Some JSON names are from earlier versions.
type trustState struct {
	Root      *trust.Root      `json:"root"`  // the newest trusted root
	Roots     map[int64]string `json:"roots"` // IDs of all roots trusted so far, by version
	Metadata  trust.Metadata   `json:"chain"` // metadata of the current release; empty: no release yet
	Kept      []trust.File     `json:"kept"`  // release files on disk that rebuild the current list: a snapshot, then deltas
	FirstSeen firstSeen        `json:"seen"`  // first-seen times of urgent orders
	// Ahead is the newest verified timestamp and snapshot whose targets are not in Metadata yet, because the targets
	// could not be fetched, or the guards hold their release. It is used only for rollback checks.
	Ahead trust.Metadata `json:"ahead,omitzero"`
}

// firstSeen has the first-seen time of each target of urgent orders. The orders apply in addition to the release with
// the field Serial.
type firstSeen struct {
	Serial  int64             `json:"serial"`
	Targets []trust.FirstSeen `json:"of,omitempty"`
}

// on returns the first-seen times recorded for a serial, or nil if they are recorded for another serial.
func (f firstSeen) on(serial int64) []trust.FirstSeen {
	if f.Serial != serial {
		return nil
	}
	return f.Targets
}

// keptAfter returns the release files to keep after an update path is applied. The path may begin at an earlier
// serial than the current one.
func (t trustState) keptAfter(path []trust.File) []trust.File {
	i := t.keptIndex(path[0].Release.Base)
	if i < 0 {
		return nil
	}
	return slices.Concat(t.Kept[:i+1], path)
}

// toRevert returns the deltas to revert before an update path is applied, newest first.
func (t trustState) toRevert(path []trust.File) []trust.File {
	i := t.keptIndex(path[0].Release.Base)
	if i < 0 {
		return nil
	}
	deltas := slices.Clone(t.Kept[i+1:])
	slices.Reverse(deltas)
	return deltas
}

// keptIndex returns the index of the kept file that leads to a serial, or -1.
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

// withRoot returns the state with the given root as its newest root.
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

// expires returns the time until which the list counts as fresh: the earliest expiry of its metadata and the root.
// Timestamp and snapshot are ignored if they are missing: then the list has only come in bundles.
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

// errNothingHeld is returned if there is no release yet.
var errNothingHeld = errors.New("nothing is held yet")

// targets returns the targets of the current list, decrypted with its list key. It fails if there is no release yet.
func (t trustState) targets() (trust.TargetsSpec, error) {
	if t.Metadata.Targets == nil {
		return trust.TargetsSpec{}, errNothingHeld
	}
	return t.Metadata.Targets.Open(t.Metadata.Key)
}

// limitUrgent verifies the urgent orders under the newest root, and limits the expiry of each, counted from its
// first-seen time. It returns no entries if the orders are for another release. It fails if the root does not allow
// urgent orders, or has revoked the key of their officer.
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

// affects reports whether an urgent document may be for the current release or a later one. Older documents are ignored
// without a warning, because the key of their officer may have been revoked in the meantime.
func (t trustState) affects(urgent []byte) bool {
	spec, err := trust.ParseUrgent(urgent)
	return err != nil || t.Metadata.Targets == nil || spec.Serial >= uint64(t.Metadata.Targets.Version)
}
