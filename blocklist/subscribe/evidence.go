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

// evidence is what the store keeps for the subscription, in the same durable step as the state that it vouched for.
type evidence struct {
	Root  *trust.Root      `json:"root"`  // the newest trusted root
	Roots map[int64]string `json:"roots"` // identifiers of all roots that were trusted, by version
	Chain trust.Metadata   `json:"chain"` // that led to the state held; empty before the first
	Kept  []trust.File     `json:"kept"`  // files on disk that lead to the state held, from a snapshot on
	Seen  sightings        `json:"seen"`  // of urgent orders
	// Ahead is the newest timestamp and snapshot that were verified, where what they lead to is not in Chain, because it could
	// not be had yet or is on hold. They count for rollback and for nothing else.
	Ahead trust.Metadata `json:"ahead,omitzero"`
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

// withRoot returns the evidence with one more root.
func (e evidence) withRoot(root *trust.Root) evidence {
	e.Root = root
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
	if e.Chain.Targets == nil {
		return first
	}
	dates := []time.Time{e.Chain.Targets.Expires, root}
	if e.Chain.Timestamp != nil && e.Chain.Snapshot != nil {
		dates = append(dates, e.Chain.Timestamp.Expires, e.Chain.Snapshot.Expires)
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

var errNothingHeld = errors.New("nothing is held yet")

// heldTargets returns what was signed about the state that is held; it fails if nothing is.
func (s *Subscription) heldTargets() (trust.TargetsSpec, error) {
	if s.held.Chain.Targets == nil {
		return trust.TargetsSpec{}, errNothingHeld
	}
	return s.held.Chain.Targets.Open(s.held.Chain.Key)
}
