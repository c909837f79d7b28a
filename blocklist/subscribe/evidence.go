package subscribe

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// evidence is what the store keeps for the subscription, in the same durable step as the state that it vouched for.
type evidence struct {
	Root  []byte           `json:"root"`  // the newest trusted root
	Roots map[int64]string `json:"roots"` // identifiers of all roots that were trusted, by version
	Chain trust.Chain      `json:"chain"` // that led to the state held; empty before the first
	Kept  []trust.File     `json:"kept"`  // files on disk that lead to the state held, from a snapshot on
	Seen  sightings        `json:"seen"`  // of urgent orders
	// Ahead is the newest timestamp and snapshot that were verified, where what they lead to is not in Chain, because it could
	// not be had yet or is on hold. They count for rollback and for nothing else.
	Ahead trust.Chain `json:"ahead,omitzero"`
}

// after returns what is kept when the files of a way have been applied to what is held, perhaps from an earlier serial on.
func (e evidence) after(way []trust.File) []trust.File {
	i := e.passed(way[0].Release.Base)
	if i < 0 {
		return nil
	}
	return slices.Concat(e.Kept[:i+1], way)
}

// back returns the deltas that are to be taken back before those of a way can be made, the newest first.
func (e evidence) back(way []trust.File) []trust.File {
	i := e.passed(way[0].Release.Base)
	if i < 0 {
		return nil
	}
	back := slices.Clone(e.Kept[i+1:])
	slices.Reverse(back)
	return back
}

// passed returns the index of the kept file that has led to a serial, -1 if none has.
func (e evidence) passed(serial uint64) int {
	return slices.IndexFunc(e.Kept, func(f trust.File) bool { return f.Release.Serial == serial })
}

func readEvidence(b []byte) (e evidence, err error) {
	if len(b) == 0 {
		return e, nil
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return evidence{}, fmt.Errorf("evidence: %w: %w", blocklist.ErrDamaged, err)
	}
	return e, nil
}

func (e evidence) bytes() ([]byte, error) { return json.Marshal(e) }

// root returns the newest trusted root, nil if there is none yet.
func (e evidence) root() (*trust.Root, error) {
	if len(e.Root) == 0 {
		return nil, nil //nolint:nilnil // see above
	}
	return trust.OpenRoot(e.Root)
}

// withRoot returns the evidence with one more root.
func (e evidence) withRoot(root *trust.Root) evidence {
	e.Root = root.Bytes()
	roots := maps.Clone(e.Roots)
	if roots == nil {
		roots = map[int64]string{}
	}
	roots[root.Version()] = root.ID()
	e.Roots = roots
	return e
}

// expires returns until when what is held may be taken for the newest: all that vouches for it must be in date, the root
// included. What only ever came by bundles has no timestamp; there the officers' dates count.
func (e evidence) expires(root time.Time) (first time.Time) {
	targets, err := trust.ParseTargets(e.Chain.Targets)
	if err != nil {
		return first
	}
	dates := []time.Time{targets.Expires, root}
	if len(e.Chain.Timestamp) > 0 {
		ts, errTS := trust.ParseTimestamp(e.Chain.Timestamp)
		snapshot, errSnapshot := trust.ParseSnapshot(e.Chain.Snapshot)
		if errTS != nil || errSnapshot != nil {
			return first
		}
		dates = append(dates, ts.Expires, snapshot.Expires)
	}
	return slices.MinFunc(dates, time.Time.Compare)
}

// save keeps evidence for the state in force.
func (s *Subscription) save(e evidence) error {
	orders, e := s.settle(e)
	b, err := e.bytes()
	if err != nil {
		return err
	}
	if err := s.list.Save(orders, b); err != nil {
		return err
	}
	s.held, s.kept = e, b
	return nil
}

// heldTargets returns what was signed about the state that is held; it fails if nothing is.
func (s *Subscription) heldTargets() (trust.TargetsSpec, error) {
	spec, err := trust.ParseTargets(s.held.Chain.Targets)
	if err != nil {
		return spec, err
	}
	return spec.Open(s.held.Chain.Key)
}
