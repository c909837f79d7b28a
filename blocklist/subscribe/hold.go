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

// Hold is a verified release that the guards hold. The current release stays in force until [Subscription.Accept], or
// until a newer release passes the guards. If the guards hold a newer release, it replaces this one, since a decision
// is about one release and its findings. A rejection also applies to later releases with exactly the same findings. A
// hold survives restarts. After each restart, the guards check it again with their current settings.
type Hold struct {
	ID       string        `json:"id"` // identifies release and findings, for Accept and Reject
	Serial   uint64        `json:"serial"`
	Entries  uint64        `json:"entries"`
	Digest   string        `json:"digest"`
	Created  time.Time     `json:"created"`
	Override string        `json:"override,omitempty"` // the agency's reason for overriding its own guards; empty: no override
	Since    time.Time     `json:"since"`
	Rejected bool          `json:"rejected"` // whether Reject was called; Accept is still possible
	Report   *guard.Report `json:"report"`
}

// ErrNoHold is returned by Accept and Reject if there is no hold with the ID. A newer release may have replaced it.
var ErrNoHold = errors.New("nothing is on hold with this ID")

// heldRelease is a hold as stored on disk.
type heldRelease struct {
	Hold

	Metadata trust.Metadata `json:"chain"`   // metadata of the held release; older metadata is refused as a rollback
	Path     []trust.File   `json:"way"`     // update path from the current release
	Kept     []trust.File   `json:"kept"`    // files to keep once the release is in force
	Checked  time.Time      `json:"checked"` // when the metadata was fetched and verified

	examined bool // whether the guard of this subscription has checked the release
}

// matches reports whether the held release is the newest release in the targets spec.
func (h *heldRelease) matches(spec trust.TargetsSpec) bool {
	return h != nil && len(h.Path) > 0 && sameState(h.Path[len(h.Path)-1].Release, spec.Newest())
}

// sameState reports whether two releases describe the same state, regardless of their bases.
func sameState(a, b trust.Release) bool {
	a.Base = b.Base
	return a == b
}

// awaitsDecision reports whether the guards have checked the hold, so that a decision is needed.
func (h *heldRelease) awaitsDecision() bool { return h != nil && h.examined }

// files returns the release files that the hold needs.
func (h *heldRelease) files() []trust.File {
	if h == nil {
		return nil
	}
	return slices.Concat(h.Path, h.Kept)
}

// newestMetadata returns the newest verified metadata: that of the hold, or else that of the current release.
func (s *Subscription) newestMetadata() trust.Metadata {
	if s.hold != nil {
		return s.hold.Metadata
	}
	return s.held.Metadata
}

// newestSeen returns the lower limit for rollback checks: the newest metadata, but with the newest verified timestamp
// and snapshot.
func (s *Subscription) newestSeen() trust.Metadata {
	metadata := s.newestMetadata()
	if ahead := s.held.Ahead; ahead.Timestamp != nil {
		metadata.Timestamp, metadata.Snapshot = ahead.Timestamp, ahead.Snapshot
	}
	return metadata
}

// remember saves a verified timestamp and snapshot at once, so that they count even if a later document is refused.
func (s *Subscription) remember(ahead trust.Metadata) error {
	if seen := s.newestSeen(); ahead.Equal(trust.Metadata{Timestamp: seen.Timestamp, Snapshot: seen.Snapshot}) {
		return nil
	}
	e := s.held
	e.Ahead = ahead
	return s.save(e)
}

// examine lets the guard check an update against the current list. It returns the guard's report.
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

// intact reports whether an update path is not empty, and all its files are on disk with the right hashes.
func (s *Subscription) intact(path []trust.File) bool {
	for _, f := range path {
		file, err := s.openKept(f)
		if err != nil {
			return false
		}
		file.Close() //nolint:errcheck // it was only read
	}
	return len(path) > 0
}

// setHold saves a release as the hold, with the guard's report. It replaces an earlier hold.
func (s *Subscription) setHold(ctx context.Context, path []trust.File, next trustState, report *guard.Report) error {
	r := path[len(path)-1].Release
	now, old := time.Now(), s.hold
	h := &heldRelease{
		Hold: Hold{
			ID: holdID(r, report), Serial: r.Serial, Entries: r.Entries, Digest: r.Digest, Created: r.Created,
			Override: r.Override, Since: now.UTC().Truncate(time.Second), Report: report,
		},
		Metadata: next.Metadata, Path: path, Kept: next.Kept, Checked: now, examined: true,
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

// holdID returns an ID for a held release with its findings.
func holdID(r trust.Release, report *guard.Report) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s %s", r.List, r.Serial, r.Digest, report.Digest))
	return fmt.Sprintf("%x", sum[:16])
}

// saveHoldMetadata saves newer metadata of the held release.
func (s *Subscription) saveHoldMetadata(next trustState) error {
	h := *s.hold
	h.Metadata, h.Checked = next.Metadata, time.Now()
	return s.saveHold(&h)
}

// holdFile is the file name of the hold, in the folder [blocklist.SignedList.Dir].
const holdFile = "release.hold.json"

func (s *Subscription) saveHold(h *heldRelease) error {
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

// showHold makes h the current hold, and shows it in the status. If h is nil, there is no hold.
func (s *Subscription) showHold(h *heldRelease) {
	if s.hold = h; h == nil {
		s.setStatus(func(st *Status) { st.Hold = nil })
		return
	}
	s.setStatus(func(st *Status) { st.Hold = &h.Hold })
}

// dropHold removes the hold and its file.
func (s *Subscription) dropHold() error {
	s.showHold(nil)
	err := os.Remove(filepath.Join(s.list.Dir(), holdFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, disk.SyncDir(s.list.Dir()))
}

// readHold loads the hold from disk: it was saved before a restart, or by another subscription to the list. If the
// file is damaged, there is no hold, and the next poll checks the release again.
func (s *Subscription) readHold() error {
	b, err := os.ReadFile(filepath.Join(s.list.Dir(), holdFile))
	if errors.Is(err, fs.ErrNotExist) {
		s.showHold(nil)
		return nil
	}
	h := &heldRelease{}
	if err == nil {
		err = json.Unmarshal(b, h)
	}
	if err != nil || h.Report == nil || len(h.Path) == 0 {
		s.showHold(nil)
		return errors.Join(fmt.Errorf("reading what is on hold: %w", blocklist.ErrDamaged), err)
	}
	if info, ok := s.store.List(s.c.List); ok && info.Serial >= h.Serial { // the program crashed right after the release came into force
		s.hold = h
		return s.dropHold()
	}
	h.examined = s.hold.awaitsDecision() && s.hold.ID == h.ID
	s.showHold(h)
	return nil
}

// Accept puts the held release with this ID in force. It verifies the release again, under the newest root, and fails
// with [blocklist.ErrUntrusted] if a key was revoked in the meantime. It fails with [ErrNoHold] if there is no hold
// with this ID.
func (s *Subscription) Accept(ctx context.Context, id string) error {
	return s.decide(id, "accepting", func(h *heldRelease) error {
		next, err := s.reverify(ctx, h)
		if err != nil {
			return err
		}
		if err := s.applyKept(ctx, h.Path, next); err != nil {
			return err
		}
		s.c.Log.WarnContext(ctx, "a release on hold was accepted, and is in force", slog.String("id", id), slog.Uint64("serial", h.Serial))
		return nil
	})
}

// Reject rejects the held release with this ID. The current release stays in force until a newer one passes the guards.
// Reject fails with [ErrNoHold] if there is no hold with this ID.
func (s *Subscription) Reject(ctx context.Context, id string) error {
	return s.decide(id, "rejecting", func(h *heldRelease) error {
		rejected := *h
		rejected.Rejected = true
		if err := s.saveHold(&rejected); err != nil {
			return err
		}
		s.c.Log.WarnContext(ctx, "a release on hold was rejected", slog.String("id", id), slog.Uint64("serial", h.Serial))
		return nil
	})
}

func (s *Subscription) decide(id, what string, do func(*heldRelease) error) error {
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

// reverify verifies the metadata of a hold again, under the newest root. For expiry, it uses the time at which the
// metadata was fetched. It returns the state to save with the release.
func (s *Subscription) reverify(ctx context.Context, h *heldRelease) (next trustState, err error) {
	if h.fromBundle() {
		return s.reverifyBundled(ctx, h)
	}
	u := newUpdater(s.root, s.held.Metadata, h.Checked)
	spec, err := verifyUpdate(ctx, h.documents(), u, trust.Metadata{}, h.Metadata.Timestamp.Bytes(), nil)
	if err == nil {
		spec, err = u.Unlock(h.Metadata.Key)
	}
	if err == nil && !h.matches(spec) {
		err = errHoldAltered
	}
	if err != nil {
		return next, err
	}
	next = s.held
	next.Metadata, next.Kept = u.Accepted(), h.Kept
	if bytes.Equal(next.Metadata.Timestamp.Bytes(), next.Ahead.Timestamp.Bytes()) {
		next.Ahead = trust.Metadata{}
	}
	if want, ok := u.Urgent(); ok && want.Is(h.Metadata.Urgent.Bytes()) {
		s.acceptUrgent(ctx, h.Metadata.Urgent.Bytes(), &next, u.AcceptUrgent)
	}
	return next, nil
}

// documents returns the snapshot and the targets of the hold, by their file names.
func (h *heldRelease) documents() documents {
	docs := documents{}
	if h.Metadata.Snapshot != nil && h.Metadata.Targets != nil {
		docs[trust.SnapshotName(h.Metadata.Snapshot.Version)] = h.Metadata.Snapshot.Bytes()
		docs[trust.TargetsName(h.Metadata.Targets.Version)] = h.Metadata.Targets.Bytes()
	}
	return docs
}

// fromBundle reports whether the release was read from a bundle. The snapshot of an origin, if there is one, does not
// reference such a release.
func (h *heldRelease) fromBundle() bool {
	targets, snapshot := h.Metadata.Targets, h.Metadata.Snapshot
	return targets != nil && (snapshot == nil || snapshot.Targets.Version != targets.Version)
}

// reverifyBundled is reverify for a release from a bundle.
func (s *Subscription) reverifyBundled(ctx context.Context, h *heldRelease) (next trustState, err error) {
	if err := s.verifyNewer(*h.Metadata.Targets, s.held.Metadata.Targets); err != nil {
		return next, err
	}
	spec, err := h.Metadata.Targets.Open(h.Metadata.Key)
	if err == nil && !h.matches(spec) {
		err = errHoldAltered
	}
	next = s.held
	next.Metadata.Targets, next.Metadata.Key, next.Kept = h.Metadata.Targets, h.Metadata.Key, h.Kept
	s.acceptBundledUrgent(ctx, h.Metadata.Urgent.Bytes(), &next)
	return next, err
}
