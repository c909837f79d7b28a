package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Release makes the next release from the ledger and leaves it pending, unsigned. First it removes expired entries from
// the ledger, as an operation of author. A pending release of an older state is replaced, and its signatures are lost;
// replaced reports this. If the old release had signatures, its serial is not used again, see [Skipped]. A pending
// release of the same state is kept. If the guards hold the release, the error is a [*guard.HeldError], see
// [Ledger.Override]. Release fails with [ErrUnchanged] if there is nothing to release, and with an [*EndsError] if
// urgent orders that are not in the new release would end with it, see [Ledger.KeepUrgent] and [Ledger.EndUrgent].
func (l *Ledger) Release(ctx context.Context, author string) (p *Pending, replaced bool, err error) {
	unlock, err := l.history.Lock(ctx)
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	root, err := l.root()
	if err != nil {
		return nil, false, err
	}
	if err := l.expire(ctx, Audit{Author: author, Reason: reasonExpired}); err != nil {
		return nil, false, err
	}
	now, err := l.history.Head(ctx)
	if err != nil {
		return nil, false, err
	}
	waiting, err := l.waitingRelease()
	if err != nil {
		return nil, false, err
	}
	if waiting != nil {
		if waiting.Ledger == now.Hash && waiting.Confidential == root.Spec().Confidential && l.complete(waiting) {
			return waiting, false, l.checkEnds(ctx, waiting)
		}
		if err := l.checkSent(ctx, waiting); err != nil {
			return nil, false, err
		}
	}
	if err := l.build(ctx, now, waiting, author); err != nil {
		return nil, false, err
	}
	p, err = l.waitingRelease()
	return p, waiting != nil, err
}

// complete reports whether all files of a pending release exist.
func (l *Ledger) complete(p *Pending) bool {
	rel, err := l.readRelease(p.dir())
	return err == nil && l.checkFiles(rel) == nil
}

// build writes a release of the state after the operation now. It replaces the waiting release, if there is one.
func (l *Ledger) build(ctx context.Context, now Operation, waiting *Pending, author string) error {
	last, err := l.history.LastRelease(ctx)
	if err != nil {
		return err
	}
	if err := l.checkChanged(ctx, last, now); err != nil {
		return err
	}
	override, err := l.guardRelease(ctx, last, now)
	if err := errors.Join(err, l.checkEnds(ctx, nil)); err != nil {
		return err
	}
	key, err := l.nextListKey(ctx, last)
	if err != nil {
		return err
	}
	if waiting != nil {
		if err := l.replace(ctx, waiting, author); err != nil {
			return err
		}
	}
	if err := l.history.AnchorSteps(ctx, author); err != nil {
		return err
	}
	if now, err = l.history.Head(ctx); err != nil {
		return err
	}
	serial, err := l.nextSerial(ctx, last)
	if err != nil {
		return err
	}
	to := trust.Release{List: l.list, Serial: serial, Override: override}
	files, err := l.makeFiles(ctx, last, now, to, key)
	if err != nil {
		return err
	}
	keys, err := l.makeKeyFiles(ctx, last, key)
	if err != nil {
		return err
	}
	spec := trust.TargetsSpec{
		List: l.list, Version: int64(serial), Expires: lifetime(releaseLifetime), Files: files, Keys: keys, Key: key,
	}
	targets, err := trust.NewTargets(spec)
	if err != nil {
		return err
	}
	if err := disk.MkdirAll(l.path(pendingDir, releaseDir)); err != nil {
		return err
	}
	if err := disk.WriteFile(l.path(pendingDir, releaseDir, targetsFile), targets, disk.Inherit); err != nil {
		return err
	}
	return l.removeFiles(last, spec.All())
}

// checkChanged fails with [ErrUnchanged] if a new release would equal the last one. A new one is still allowed if the
// last one expires soon, if the root in force no longer accepts its signatures, or if subscribers have changed.
func (l *Ledger) checkChanged(ctx context.Context, last ReleaseRecord, now Operation) error {
	if last.Serial == 0 {
		return nil
	}
	pushed, err := l.readPushed(last.Serial)
	if err != nil {
		return err
	}
	root, err := l.root()
	if err != nil {
		return err
	}
	_, unsigned := trust.OpenTargets(root, pushed.metadata)
	if changed, err := l.subscribersChanged(ctx, last); changed || err != nil {
		return err
	}
	if pushed.targets.Newest().Digest == now.Digest && time.Until(pushed.targets.Expires) > renewBefore &&
		unsigned == nil {
		return fmt.Errorf("%w since serial %d", ErrUnchanged, last.Serial)
	}
	return nil
}
