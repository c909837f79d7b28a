package subscribe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// Refresh polls once: the origins in turn, until one proves what the newest release is and delivers it. It reports whether
// that changed the list. On an error everything is as before.
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

// refreshFrom takes the steps of The Update Framework's client workflow. The timestamp is fetched before the roots: what
// is published while this runs may then lead to a newer root than the timestamp needs, but never to an older one.
func (s *Subscription) refreshFrom(ctx context.Context, o *fetch.Origin) (changed bool, err error) {
	if o.IsBundle() {
		err = withBundle(o.Name, func(b *trust.Bundle) (err error) {
			changed, err = s.takeBundle(ctx, o, b)
			return err
		})
		return changed, err
	}
	next, spec, modified, err := s.ask(ctx, o)
	if err != nil || !modified {
		return false, err
	}
	before := s.held
	if changed, err = s.take(ctx, o, spec, next); err != nil {
		return false, fmt.Errorf("serial %d: %w", spec.Version, err)
	}
	return s.sayOrders(ctx, before) || changed, nil
}

// ask fetches and verifies what an origin says, unless it says nothing new.
func (s *Subscription) ask(ctx context.Context, o *fetch.Origin) (next evidence, spec trust.TargetsSpec, modified bool, err error) {
	ctx, cancel := s.within(ctx, 0)
	defer cancel()
	held, heldErr := s.heldTargets()
	var known []byte
	if s.upToDate() && (heldErr == nil && s.holds(held) && s.hold == nil || s.hold.settled()) {
		known = s.newest().Timestamp
	}
	timestamp, modified, err := o.Timestamp(ctx, known)
	if err != nil {
		return next, spec, false, err
	}
	if !modified {
		return next, spec, false, s.checkFresh()
	}
	if err := s.followRoots(ctx, o); err != nil {
		return next, spec, false, err
	}
	next, spec, err = s.walk(ctx, o, timestamp)
	return next, spec, err == nil, err
}

// upToDate reports whether nothing newer was verified than what is in force or on hold.
func (s *Subscription) upToDate() bool {
	ahead := s.held.Ahead.Timestamp
	return len(ahead) == 0 || bytes.Equal(ahead, s.newest().Timestamp)
}

// take puts in force what was verified, as far as that is not done.
func (s *Subscription) take(ctx context.Context, o *fetch.Origin, spec trust.TargetsSpec, next evidence) (changed bool, err error) {
	switch {
	case s.holds(spec):
		return false, errors.Join(s.keep(next), s.dropHold())
	case s.enforces(spec):
		return false, s.tidy(ctx, o, spec, next)
	case s.hold.is(spec) && s.hold.settled():
		return false, s.keepHold(next)
	}
	err = s.follow(ctx, o, spec, next)
	return s.hold == nil, err
}

// checkFresh judges an origin that has nothing newer than what is held.
func (s *Subscription) checkFresh() error {
	newest := s.held
	newest.Chain = s.newest()
	if until := newest.expires(s.root.Spec().Expires); time.Now().After(until) {
		return fmt.Errorf("timestamp: %w: since %s, and there is no newer one", blocklist.ErrExpired, until.Format(time.RFC3339))
	}
	return nil
}

// followRoots fetches root after root until there is no next one. Each is kept as soon as it is verified: no mirror can
// ever lead back behind it.
func (s *Subscription) followRoots(ctx context.Context, o *fetch.Origin) error {
	return fetchRoots(ctx, o, s.root.Version()+1, func(b []byte) error {
		root, err := trust.CheckNextRoot(s.root, b)
		if err != nil {
			return err
		}
		if err := s.save(s.held.withRoot(root)); err != nil {
			return err
		}
		s.root = root
		s.c.Log.InfoContext(ctx, "following a new root", slog.Int64("root", root.Version()), slog.String("origin", o.Name))
		return nil
	})
}

// fetchRoots fetches root after root, from a version on, until there is no next one or take refuses one.
func fetchRoots(ctx context.Context, o *fetch.Origin, from int64, take func([]byte) error) error {
	for version := from; version < from+trust.MaxRoots; version++ {
		b, err := o.Document(ctx, trust.RootName(version), tuf.MaxRoot)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := take(b); err != nil {
			return err
		}
	}
	return fmt.Errorf("roots: %w: more than %d", blocklist.ErrTooLarge, trust.MaxRoots)
}

// walk verifies the documents below the root, fetching those that are not held.
func (s *Subscription) walk(ctx context.Context, o *fetch.Origin, timestamp []byte) (next evidence, spec trust.TargetsSpec, err error) {
	held := s.seen()
	w, err := trust.NewWalk(s.root, held, time.Now())
	if err != nil {
		return next, spec, err
	}
	targets, err := fetchMetadata(ctx, o, w.Workflow, held, timestamp, s.remember)
	if err != nil {
		return next, spec, err
	}
	if spec, err = w.Targets(targets); err != nil {
		return next, spec, err
	}
	key, err := s.listKey(ctx, o, spec)
	if err == nil {
		spec, err = w.Unlock(key)
	}
	if err != nil {
		return next, spec, err
	}
	next = s.held
	next.Chain, next.Ahead = w.Accepted(), trust.Chain{}
	return next, spec, s.fetchOrders(ctx, o, w, &next)
}

// fetchMetadata goes from a timestamp to the targets that it leads to, fetching what is not held. What was verified is kept before the
// next document is fetched, if it says that it is of this list: else a mirror could pass off another list's, of the same origin.
func fetchMetadata(ctx context.Context, o *fetch.Origin, w *trust.Workflow, held trust.Chain, timestamp []byte, keep func(timestamp, snapshot []byte) error) (targets []byte, err error) {
	want, err := w.Timestamp(timestamp)
	if err != nil {
		return nil, err
	}
	timestamp = w.Accepted().Timestamp
	if w.Named() && !want.Is(held.Snapshot) {
		if err := keep(timestamp, held.Snapshot); err != nil {
			return nil, err
		}
	}
	snapshot, err := fetchWanted(ctx, o, want, held.Snapshot)
	if err != nil {
		return nil, err
	}
	if want, err = w.Snapshot(snapshot); err != nil {
		return nil, err
	}
	if w.Named() {
		if err := keep(timestamp, snapshot); err != nil {
			return nil, err
		}
	}
	return fetchWanted(ctx, o, want, held.Targets)
}

// fetchWanted returns the document that is wanted: the one that is held if it is the same.
func fetchWanted(ctx context.Context, o *fetch.Origin, w trust.Wanted, held []byte) ([]byte, error) {
	if w.Is(held) {
		return held, nil
	}
	return o.Document(ctx, w.Name, w.Limit)
}

// enforces reports whether the newest of these releases is in force in the store.
func (s *Subscription) enforces(spec trust.TargetsSpec) bool {
	newest := spec.Newest()
	info, ok := s.store.List(s.c.List)
	return ok && info.Err == nil && info.Serial == newest.Serial && info.Digest.String() == newest.Digest
}

// Limits on what a list is rebuilt from, before it is fetched anew as it is published.
const (
	maxKept     = 24 // files
	maxKeptPart = 2  // times as long as what is published
)

// holds reports whether it is in force and what it can be rebuilt from is kept.
func (s *Subscription) holds(spec trust.TargetsSpec) bool {
	kept := s.held.Kept
	if !s.enforces(spec) || !s.isKept(kept) || len(kept) == 0 || !sameState(kept[len(kept)-1].Release, spec.Newest()) {
		return false
	}
	way, _ := spec.UpdatePath(0)
	return len(kept) <= maxKept && trust.Length(kept) <= maxKeptPart*trust.Length(way) || slices.EqualFunc(way, kept, trust.File.Equal)
}

// keep keeps newer metadata for the state that is held.
func (s *Subscription) keep(next evidence) error {
	if next.Chain.Equal(s.held.Chain) {
		return nil
	}
	return s.save(next)
}
