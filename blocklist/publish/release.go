package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Release makes the next release from the ledger, and leaves it pending for signatures. Before that, it removes expired
// entries from the ledger, as an operation of the given author. If a release of the same state is already pending,
// Release returns it. A pending release of an older state is replaced, and its signatures are lost; replaced reports
// this. If it had signatures, its serial is not used again, see [Skipped].
//
// Release fails with [ErrUnchanged] if there is nothing to release, and with a [*guard.HeldError] if the guards hold
// the release, see [Ledger.Override]. It fails with an [*EndsError] if the release would end urgent orders whose
// targets it does not list, see [Ledger.KeepUrgent] and [Ledger.EndUrgent].
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

// complete reports whether all files of the pending release p exist and are intact.
func (l *Ledger) complete(p *Pending) bool {
	rel, err := l.readRelease(p.dir())
	return err == nil && l.checkFiles(rel) == nil
}

// build makes a release of the ledger's state after an operation, the argument head. If pending is not nil, the new
// release replaces this pending release.
func (l *Ledger) build(ctx context.Context, head Operation, pending *Pending, author string) error {
	last, err := l.history.LastRelease(ctx)
	if err != nil {
		return err
	}
	if err := l.checkChanged(ctx, last, head); err != nil {
		return err
	}
	override, err := l.guardRelease(ctx, last, head)
	if err := errors.Join(err, l.checkEnds(ctx, nil)); err != nil {
		return err
	}
	key, err := l.nextListKey(ctx, last)
	if err != nil {
		return err
	}
	if pending != nil {
		if err := l.replace(ctx, pending, author); err != nil {
			return err
		}
	}
	if err := l.history.AnchorSteps(ctx, author); err != nil {
		return err
	}
	if head, err = l.history.Head(ctx); err != nil {
		return err
	}
	serial, err := l.nextSerial(ctx, last)
	if err != nil {
		return err
	}
	to := trust.Release{List: l.list, Serial: serial, Override: override}
	files, err := l.makeFiles(ctx, last, head, to, key)
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

// checkChanged fails with [ErrUnchanged] if a new release would equal the last one. It allows an equal release if the
// last one expires soon, if its signatures are not enough under the root in force, or if subscribers have changed.
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
