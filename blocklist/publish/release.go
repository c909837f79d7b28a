package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// ErrUnchanged is returned by Release when the list is as it was released last.
var ErrUnchanged = errors.New("nothing has changed")

// Release makes the next release from the ledger and leaves it pending, unsigned. Entries past their expiry are taken out
// of the ledger first; that is an operation of its own, by author. A release that was pending for an older state is
// replaced, and with it its signatures; replaced reports that. One that is pending for the very same state stays as it is. What the
// guards hold is not released: the error is a [*guard.HeldError], see [Ledger.Override].
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
		if waiting.Ledger == now.Hash && waiting.Confidential == root.Spec().Confidential {
			return waiting, false, nil
		}
		if err := l.checkSent(ctx, waiting); err != nil {
			return nil, false, err
		}
	}
	if err := l.build(ctx, now); err != nil {
		return nil, false, err
	}
	p, err = l.waitingRelease()
	return p, waiting != nil, err
}

// build writes the release of the state after the operation now.
func (l *Ledger) build(ctx context.Context, now Operation) error {
	last, err := l.history.LastRelease(ctx)
	if err != nil {
		return err
	}
	if err := l.checkChanged(ctx, last, now); err != nil {
		return err
	}
	override, err := l.guardRelease(ctx, last, now)
	if err != nil {
		return err
	}
	key, err := l.nextListKey(ctx, last)
	if err != nil {
		return err
	}
	files, err := l.makeFiles(ctx, last, now, override, key)
	if err != nil {
		return err
	}
	keys, err := l.makeKeyFiles(ctx, last, key)
	if err != nil {
		return err
	}
	spec := trust.TargetsSpec{
		List: l.list, Version: int64(last.Serial) + 1, Expires: lifetime(releaseLifetime), Files: files, Keys: keys, Key: key,
	}
	targets, err := trust.NewTargets(spec)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(l.path(pendingDir, releaseDir), 0o700); err != nil {
		return err
	}
	if err := disk.WriteFile(l.path(pendingDir, releaseDir, targetsFile), targets, 0o644); err != nil {
		return err
	}
	return l.removeFiles(last, spec.All())
}

// checkChanged refuses a release that would say what the last one said, unless that one ends soon, or officers whom its
// signatures need have gone since, or subscribers have come or gone.
func (l *Ledger) checkChanged(ctx context.Context, last ReleaseRecord, now Operation) error {
	if last.Serial == 0 {
		return nil
	}
	pushed, err := l.readRelease(l.releasePath(last.Serial))
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
	if pushed.targets.Newest().Digest == now.Digest && time.Until(pushed.targets.Expires) > renewBefore && unsigned == nil {
		return fmt.Errorf("%w since serial %d", ErrUnchanged, last.Serial)
	}
	return nil
}
