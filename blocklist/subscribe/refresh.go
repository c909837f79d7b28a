package subscribe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// Refresh polls once: it tries the origins in order until one provides a verified newest release. It reports whether
// the list changed. After an error, the list is unchanged. But verified roots and metadata are saved even then, so
// that a rollback is detected.
func (s *Subscription) Refresh(ctx context.Context) (changed bool, err error) {
	err = s.poll(ctx, func(ctx context.Context) (err error) {
		changed, err = s.refreshFromAny(ctx)
		return err
	})
	return changed, err
}

func (s *Subscription) refreshFromAny(ctx context.Context) (changed bool, err error) {
	var all error
	for _, o := range s.origins {
		changed, err := s.refreshFrom(ctx, o)
		if err == nil {
			s.pollSucceeded(o)
			return changed, nil
		}
		all = errors.Join(all, fmt.Errorf("%s: %w", o.Name, err))
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
	}
	err = fmt.Errorf("refreshing %s: %w", s.c.List, all)
	s.pollFailed(err)
	return false, err
}

// refreshFrom polls one origin, by the TUF client workflow. It fetches the timestamp before the roots: see metadata.go
// for the reason.
func (s *Subscription) refreshFrom(ctx context.Context, o *fetch.Origin) (changed bool, err error) {
	if o.IsBundle() {
		err = withBundle(o.Name, func(b *trust.Bundle) (err error) {
			changed, err = s.installBundle(ctx, o, b)
			return err
		})
		return changed, err
	}
	next, spec, modified, err := s.ask(ctx, o)
	s.noteEquivocation(err)
	if err != nil || !modified {
		return false, err
	}
	before := s.held
	if changed, err = s.install(ctx, o, spec, next); err != nil {
		return false, fmt.Errorf("serial %d: %w", spec.Version, err)
	}
	return s.logUrgentChange(ctx, before) || changed, nil
}

// ask fetches and verifies the metadata of an origin. It returns modified = false if the origin has the known
// timestamp.
func (s *Subscription) ask(ctx context.Context, o *fetch.Origin) (
	next trustState, spec trust.TargetsSpec, modified bool, err error,
) {
	ctx, cancel := s.within(ctx, 0)
	defer cancel()
	held, heldErr := s.held.targets()
	var known []byte
	if s.upToDate() && (heldErr == nil && s.holds(held) && s.hold == nil || s.hold.awaitsDecision()) {
		known = s.newestMetadata().Timestamp.Bytes()
	}
	timestamp, modified, err := o.Timestamp(ctx, known)
	if err != nil {
		return next, spec, false, err
	}
	if !modified {
		return next, spec, false, s.checkFresh()
	}
	if err := s.followRoots(ctx, o, o.Name); err != nil {
		return next, spec, false, err
	}
	next, spec, err = s.verify(ctx, o, timestamp)
	return next, spec, err == nil, err
}

// upToDate reports whether the targets of the newest verified timestamp were accepted: their release is in force or
// held.
func (s *Subscription) upToDate() bool {
	ahead := s.held.Ahead.Timestamp
	return ahead == nil || bytes.Equal(ahead.Bytes(), s.newestMetadata().Timestamp.Bytes())
}

// install installs a verified release, unless it is already in force or held. It reports whether the list changed.
func (s *Subscription) install(ctx context.Context, o *fetch.Origin, spec trust.TargetsSpec,
	next trustState,
) (changed bool, err error) {
	switch {
	case s.holds(spec):
		return false, errors.Join(s.saveMetadata(next), s.dropHold())
	case s.enforces(spec):
		return false, s.saveRebuildFiles(ctx, o, spec, next)
	case s.hold.matches(spec) && s.hold.awaitsDecision():
		return false, s.saveHoldMetadata(next)
	}
	err = s.installUpdate(ctx, o, spec, next)
	return s.hold == nil, err
}

// checkFresh returns an error if the newest verified metadata has expired. It is called if an origin has no newer
// timestamp.
func (s *Subscription) checkFresh() error {
	newest := s.held
	newest.Metadata = s.newestMetadata()
	if until := newest.expires(s.root.Spec().Expires); time.Now().After(until) {
		return fmt.Errorf("timestamp: %w: since %s, and there is no newer one", blocklist.ErrExpired, until.Format(time.RFC3339))
	}
	return nil
}

// verify verifies an origin's metadata from the timestamp on, and its urgent orders. It fetches only the documents that
// are not saved yet. It returns the state to save with the release.
func (s *Subscription) verify(ctx context.Context, o *fetch.Origin, timestamp []byte) (
	next trustState, spec trust.TargetsSpec, err error,
) {
	held := s.newestSeen()
	u := newUpdater(s.root, held, time.Now())
	if spec, err = verifyUpdate(ctx, o, u, held, timestamp, s.remember); err != nil {
		return next, spec, err
	}
	s.noteEquivocation(trust.CheckEquivocation(held.Targets, spec))
	key, err := s.listKey(ctx, o, spec)
	if err == nil {
		spec, err = u.Unlock(key)
	}
	if err != nil {
		return next, spec, err
	}
	next = s.held
	next.Metadata, next.Ahead = u.Accepted(), trust.Metadata{}
	return next, spec, s.fetchUrgent(ctx, o, u, &next)
}

// followRoots fetches and verifies newer roots. It saves each root as soon as it is verified, so that no mirror can
// roll back to an older root.
func (s *Subscription) followRoots(ctx context.Context, from source, name string) error {
	return fetchRoots(ctx, from, s.root.Version()+1, func(b []byte) error {
		root, err := checkNextRoot(s.root, b)
		if err != nil {
			return err
		}
		if err := s.save(s.held.withRoot(root)); err != nil {
			return err
		}
		s.root = root
		s.c.Log.InfoContext(ctx, "following a new root", slog.Int64("root", root.Version()), slog.String("origin", name))
		return nil
	})
}

// verifyNewer verifies targets from a bundle, which has no snapshot: enough officers must have signed them, and they
// must not be older than the targets in held.
func (s *Subscription) verifyNewer(spec trust.TargetsSpec, held *trust.TargetsSpec) error {
	if err := verifyTargets(spec, s.root); err != nil {
		return err
	}
	return trust.CheckFollows(held, spec)
}

// enforces reports whether the newest release in the targets spec is in force.
func (s *Subscription) enforces(spec trust.TargetsSpec) bool {
	newest := spec.Newest()
	info, ok := s.store.List(s.c.List)
	return ok && info.Err == nil && info.Serial == newest.Serial && info.Digest.String() == newest.Digest
}

// Limits on the release files on disk for a rebuild. If there are more, the published files are fetched instead.
const (
	maxKept     = 24 // maximum number of release files kept on disk
	maxKeptPart = 2  // maximum total size of the kept files, as a multiple of the size of the published files
)

// holds reports whether the newest release in the targets spec is in force, and the files for a rebuild are on disk.
func (s *Subscription) holds(spec trust.TargetsSpec) bool {
	kept := s.held.Kept
	if !s.enforces(spec) || !s.isKept(kept) || len(kept) == 0 || !sameState(kept[len(kept)-1].Release, spec.Newest()) {
		return false
	}
	path, _ := spec.UpdatePath(0)
	return len(kept) <= maxKept && trust.Length(kept) <= maxKeptPart*trust.Length(path) ||
		slices.EqualFunc(path, kept, trust.File.Equal)
}

// saveMetadata saves newer metadata for the current release or the hold.
func (s *Subscription) saveMetadata(next trustState) error {
	if next.Metadata.Equal(s.held.Metadata) {
		return nil
	}
	return s.save(next)
}

// save saves the trust state with the current list, which does not change.
func (s *Subscription) save(t trustState) error {
	urgent, t := s.urgentToEnforce(t)
	b, err := t.bytes()
	if err != nil {
		return err
	}
	if err := s.list.Save(urgent, b); err != nil {
		return err
	}
	s.held, s.kept = t, b
	return nil
}
