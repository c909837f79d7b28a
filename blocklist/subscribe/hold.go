package subscribe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Hold is a release that is verified and was stopped by the guards. What was in force before stays in force until
// [Subscription.Accept], or until a newer release passes. A newer release that the guards stop takes its place: a decision
// is for one release and for exactly what was found in it. Only a rejection goes on to later releases in which exactly the
// same is found, so that nobody has to repeat it. What is on hold outlasts restarts, and is judged anew after each, by the
// guards as they are set then.
type Hold struct {
	ID       string        `json:"id"` // of release and findings, for Accept and Reject
	Serial   uint64        `json:"serial"`
	Entries  uint64        `json:"entries"`
	Digest   string        `json:"digest"`
	Created  time.Time     `json:"created"`
	Override string        `json:"override,omitempty"` // why the agency overrode its own guards; empty if they let it pass
	Since    time.Time     `json:"since"`
	Rejected bool          `json:"rejected"` // by Reject; it may be accepted all the same
	Report   *guard.Report `json:"report"`
}

// ErrNoHold is returned by Accept and Reject if nothing is on hold under that ID: look again at what is.
var ErrNoHold = errors.New("nothing is on hold with this ID")

// holding is a hold as it is kept on disk.
type holding struct {
	Hold

	Chain   trust.Metadata `json:"chain"`   // that led to the release; no older one is believed any more
	Way     []trust.File   `json:"way"`     // files that lead there from what is in force
	Kept    []trust.File   `json:"kept"`    // what would be kept then
	Checked time.Time      `json:"checked"` // when the chain was verified

	judged bool // by the guard of this subscription
}

// is reports whether it is the newest release of spec that is on hold.
func (h *holding) is(spec trust.TargetsSpec) bool {
	return h != nil && len(h.Way) > 0 && sameState(h.Way[len(h.Way)-1].Release, spec.Newest())
}

// sameState compares two releases whatever they start from.
func sameState(a, b trust.Release) bool {
	a.Base = b.Base
	return a == b
}

// settled reports whether there is nothing to do about it but to wait.
func (h *holding) settled() bool { return h != nil && h.judged }

// files returns what is kept of it.
func (h *holding) files() []trust.File {
	if h == nil {
		return nil
	}
	return slices.Concat(h.Way, h.Kept)
}

// newest returns the newest chain that was verified, whether what it leads to is in force or on hold.
func (s *Subscription) newest() trust.Metadata {
	if s.hold != nil {
		return s.hold.Chain
	}
	return s.held.Chain
}

// seen returns the newest chain with the newest timestamp and snapshot that were verified, which nothing may go behind.
func (s *Subscription) seen() trust.Metadata {
	chain := s.newest()
	if ahead := s.held.Ahead; ahead.Timestamp != nil {
		chain.Timestamp, chain.Snapshot = ahead.Timestamp, ahead.Snapshot
	}
	return chain
}

// remember keeps a timestamp and a snapshot that were verified, at once: whatever becomes of the rest.
func (s *Subscription) remember(ahead trust.Metadata) error {
	if seen := s.seen(); ahead.Equal(trust.Metadata{Timestamp: seen.Timestamp, Snapshot: seen.Snapshot}) {
		return nil
	}
	e := s.held
	e.Ahead = ahead
	return s.save(e)
}

// examine asks the guard about an update.
func (s *Subscription) examine(ctx context.Context, next update) (*guard.Report, error) {
	u := guard.Update{After: next.header.Entries}
	info, ok := s.list.InForce()
	if ok = ok && info.Serial > 0; ok {
		u.Before = info.Entries
	}
	if next.header.IsDelta() {
		u.Changes = next.changes
		return s.c.Guard.Check(u)
	}
	before := func(func(blocklist.Entry, error) bool) {}
	switch {
	case ok && s.intact(s.held.Kept):
		before = trust.Entries(s.held.Kept, s.openKept)
	case ok:
		s.c.Log.WarnContext(ctx, "what is in force can't be compared: its files are gone; the new release is judged like a first one")
		u.Before = 0
	}
	u.Entries = next.entries
	u.Changes = trust.Diff(before, u.Entries)
	return s.c.Guard.Check(u)
}

// intact reports whether all files of a way are there and whole.
func (s *Subscription) intact(way []trust.File) bool {
	for _, f := range way {
		file, err := s.openKept(f)
		if err != nil {
			return false
		}
		file.Close() //nolint:errcheck // it was only read
	}
	return len(way) > 0
}

// setHold puts a release on hold, durably.
func (s *Subscription) setHold(ctx context.Context, way []trust.File, next evidence, report *guard.Report) error {
	r := way[len(way)-1].Release
	now, old := time.Now(), s.hold
	h := &holding{
		Hold: Hold{
			ID: holdID(r, report), Serial: r.Serial, Entries: r.Entries, Digest: r.Digest, Created: r.Created,
			Override: r.Override, Since: now.UTC().Truncate(time.Second), Report: report,
		},
		Chain: next.Chain, Way: way, Kept: next.Kept, Checked: now, judged: true,
	}
	known := old != nil && old.Report.Digest == report.Digest
	if known {
		h.Rejected = old.Rejected
	}
	if known && old.ID == h.ID {
		h.Since = old.Since
	} else {
		s.setStatus(func(st *Status) { st.Held++ })
	}
	if err := s.saveHold(h); err != nil {
		return err
	}
	if !known {
		s.c.Log.ErrorContext(ctx, "the guards hold a release, the list before it stays in force: accept or reject it",
			slog.String("id", h.ID), slog.Uint64("serial", h.Serial), slog.Uint64("findings", report.Held), slog.Any("checks", report.Counts))
	}
	return s.removeKeptBut(nil)
}

// holdID identifies what a person decides about.
func holdID(r trust.Release, report *guard.Report) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s %s", r.List, r.Serial, r.Digest, report.Digest))
	return fmt.Sprintf("%x", sum[:16])
}

// keepHold keeps newer metadata for what is on hold.
func (s *Subscription) keepHold(next evidence) error {
	h := *s.hold
	h.Chain, h.Checked = next.Chain, time.Now()
	return s.saveHold(&h)
}

// holdFile is the name of the file of what is on hold; see [blocklist.Store.Dir].
const holdFile = "release.hold.json"

func (s *Subscription) saveHold(h *holding) error {
	b, err := json.Marshal(h)
	if err == nil {
		err = disk.WriteFile(filepath.Join(s.list.Dir(), holdFile), b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keeping what is on hold: %w", err)
	}
	s.showHold(h)
	return nil
}

// showHold puts it into the status.
func (s *Subscription) showHold(h *holding) {
	if s.hold = h; h == nil {
		s.setStatus(func(st *Status) { st.Hold = nil })
		return
	}
	s.setStatus(func(st *Status) { st.Hold = &h.Hold })
}

// dropHold forgets what is on hold.
func (s *Subscription) dropHold() error {
	s.showHold(nil)
	err := os.Remove(filepath.Join(s.list.Dir(), holdFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, disk.SyncDir(s.list.Dir()))
}

// readHold takes over what is on hold: from before a restart, or of another subscription to the list. A file that can't be
// read is as if it were not there: the next poll judges the release anew.
func (s *Subscription) readHold() error {
	b, err := os.ReadFile(filepath.Join(s.list.Dir(), holdFile))
	if errors.Is(err, fs.ErrNotExist) {
		s.showHold(nil)
		return nil
	}
	h := &holding{}
	if err == nil {
		err = json.Unmarshal(b, h)
	}
	if err != nil || h.Report == nil || len(h.Way) == 0 {
		s.showHold(nil)
		return errors.Join(fmt.Errorf("reading what is on hold: %w", blocklist.ErrDamaged), err)
	}
	if info, ok := s.store.List(s.c.List); ok && info.Serial >= h.Serial { // a crash came right after it was put in force
		s.hold = h
		return s.dropHold()
	}
	h.judged = s.hold.settled() && s.hold.ID == h.ID
	s.showHold(h)
	return nil
}

// Accept puts the release in force that is on hold under this ID. What vouches for it is verified once more, against the
// root that is trusted by now: [blocklist.ErrUntrusted] if a key was revoked meanwhile. It fails with [ErrNoHold] if
// something else is on hold.
func (s *Subscription) Accept(ctx context.Context, id string) error {
	return s.decide(id, "accepting", func(h *holding) error {
		next, err := s.reverify(ctx, h)
		if err != nil {
			return err
		}
		if err := s.applyKept(ctx, h.Way, next); err != nil {
			return err
		}
		s.c.Log.WarnContext(ctx, "a release on hold was accepted, and is in force", slog.String("id", id), slog.Uint64("serial", h.Serial))
		return nil
	})
}

// Reject says that the release on hold under this ID is not wanted. It stays on hold, and the list as it is, until a newer
// release passes the guards. It fails with [ErrNoHold] if something else is on hold.
func (s *Subscription) Reject(ctx context.Context, id string) error {
	return s.decide(id, "rejecting", func(h *holding) error {
		rejected := *h
		rejected.Rejected = true
		if err := s.saveHold(&rejected); err != nil {
			return err
		}
		s.c.Log.WarnContext(ctx, "a release on hold was rejected", slog.String("id", id), slog.Uint64("serial", h.Serial))
		return nil
	})
}

func (s *Subscription) decide(id, what string, do func(*holding) error) error {
	s.lockNow()
	defer s.refreshing.Unlock()
	err := s.reload()
	if err == nil && (s.hold == nil || s.hold.ID != id) {
		err = ErrNoHold
	}
	if err == nil {
		err = do(s.hold)
	}
	if err != nil {
		return fmt.Errorf("%s %.40q of %s: %w", what, id, s.c.List, err)
	}
	return nil
}

var errHoldAltered = fmt.Errorf("%w: the file of what is on hold says something else than what was signed", blocklist.ErrDamaged)

// reverify verifies the metadata of a hold as of the time when it was fetched, against the newest root, and returns what is to be
// kept with the release.
func (s *Subscription) reverify(ctx context.Context, h *holding) (next evidence, err error) {
	if h.fromBundle() {
		return s.reverifyBundled(ctx, h)
	}
	u := trust.NewUpdater(s.root, s.held.Chain, h.Checked)
	spec, err := verifyUpdate(ctx, h.documents(), u, trust.Metadata{}, h.Chain.Timestamp.Bytes(), nil)
	if err == nil {
		spec, err = u.Unlock(h.Chain.Key)
	}
	if err == nil && !h.is(spec) {
		err = errHoldAltered
	}
	if err != nil {
		return next, err
	}
	next = s.held
	next.Chain, next.Kept = u.Accepted(), h.Kept
	if bytes.Equal(next.Chain.Timestamp.Bytes(), next.Ahead.Timestamp.Bytes()) {
		next.Ahead = trust.Metadata{}
	}
	if want, ok := u.Urgent(); ok && want.Is(h.Chain.Urgent.Bytes()) {
		s.takeOrders(ctx, h.Chain.Urgent.Bytes(), &next, u.AcceptUrgent)
	}
	return next, nil
}

// documents are the snapshot and targets of the hold.
func (h *holding) documents() documents {
	docs := documents{}
	if h.Chain.Snapshot != nil && h.Chain.Targets != nil {
		docs[trust.SnapshotName(h.Chain.Snapshot.Version)] = h.Chain.Snapshot.Bytes()
		docs[trust.TargetsName(h.Chain.Targets.Version)] = h.Chain.Targets.Bytes()
	}
	return docs
}

// fromBundle reports whether a release came in a bundle: the documents of an origin, if there are any, do not lead to it.
func (h *holding) fromBundle() bool {
	targets, snapshot := h.Chain.Targets, h.Chain.Snapshot
	return targets != nil && (snapshot == nil || snapshot.Targets.Version != targets.Version)
}

// reverifyBundled is reverify for what came in a bundle.
func (s *Subscription) reverifyBundled(ctx context.Context, h *holding) (next evidence, err error) {
	if err := s.verifyNewer(*h.Chain.Targets, s.held.Chain.Targets); err != nil {
		return next, err
	}
	spec, err := h.Chain.Targets.Open(h.Chain.Key)
	if err == nil && !h.is(spec) {
		err = errHoldAltered
	}
	next = s.held
	next.Chain.Targets, next.Chain.Key, next.Kept = h.Chain.Targets, h.Chain.Key, h.Kept
	s.takeBundledOrders(ctx, h.Chain.Urgent.Bytes(), &next)
	return next, err
}
