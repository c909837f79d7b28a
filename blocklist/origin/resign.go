package origin

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// Run re-signs timestamps, renews snapshots before they expire, and announces releases that other processes publish
// in the folder. It returns when ctx ends. It logs errors and tries again.
func (o *Origin) Run(ctx context.Context) {
	var watching sync.WaitGroup
	watching.Go(func() { o.watch(ctx) })
	defer watching.Wait()
	for {
		wait := o.o.Resign
		if err := o.resignAll(ctx); err != nil {
			o.o.Log.ErrorContext(ctx, "signing new timestamps", slogErr(err))
			wait = min(wait, time.Minute)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (o *Origin) resignAll(ctx context.Context) error {
	lists, err := o.lists()
	for _, list := range lists {
		err = errors.Join(err, o.change(ctx, func() error { return o.resign(list) }))
	}
	return err
}

// resign signs a new timestamp for a list's published release, unless the last timestamp is recent. It also renews
// the snapshot if that expires soon.
func (o *Origin) resign(list string) error {
	st, err := o.load(list)
	if err != nil || st.timestamp.Version == 0 {
		return err
	}
	now := time.Now()
	if st.timestamp.Expires.Sub(now) > o.o.Lifetime-o.o.Resign {
		return nil
	}
	if st.snapshot.Expires.Sub(now) < 3*o.o.Lifetime {
		if err := o.publish(st, st.root, st.targets, st.urgent); err != nil {
			return err
		}
		return st.removeOld(st.urgent)
	}
	snapshot, err := os.ReadFile(st.dir.Path(trust.SnapshotName(st.snapshot.Version)))
	if err != nil {
		return err
	}
	return o.signTimestamp(st, st.root, snapshot, st.snapshot.Version, now)
}

// publish signs a snapshot and a timestamp for a targets document in the folder. The timestamp makes the targets
// document the published one.
func (o *Origin) publish(st *state, root *trust.Root, targets *trust.TargetsSpec, urgent orders) error {
	signer, err := o.signer(root)
	if err != nil {
		return err
	}
	now := time.Now()
	snapshot := trust.OnlineSpec{
		List: st.list, Version: nextVersion(st.snapshot.Version, now), Expires: now.Add(7 * o.o.Lifetime),
		Next: targets.Bytes(), NextVersion: targets.Version, Urgent: urgent.doc, UrgentVersion: urgent.version,
	}
	b, err := trust.NewSnapshot(snapshot)
	if err != nil {
		return err
	}
	if b, err = tuf.Sign(b, signer); err != nil {
		return err
	}
	if err := disk.WriteFile(st.dir.Path(trust.SnapshotName(snapshot.Version)), b, 0o644); err != nil {
		return err
	}
	return o.signTimestamp(st, root, b, snapshot.Version, now)
}

// signTimestamp signs a timestamp for a snapshot in the folder, and replaces the published timestamp. This commits a
// change.
func (o *Origin) signTimestamp(st *state, root *trust.Root, snapshot []byte, version int64, now time.Time) error {
	signer, err := o.signer(root)
	if err != nil {
		return err
	}
	b, err := trust.NewTimestamp(trust.OnlineSpec{
		List: st.list, Version: nextVersion(st.timestamp.Version, now), Expires: now.Add(o.o.Lifetime), Next: snapshot,
		NextVersion: version, Root: root.Version(),
	})
	if err != nil {
		return err
	}
	if b, err = tuf.Sign(b, signer); err != nil {
		return err
	}
	return disk.WriteFile(st.dir.Path(trust.TimestampName), b, 0o644)
}

// nextVersion returns the next version number of an online document. The argument held is the last version. The next
// version is at least the Unix time: even if the origin has lost its folder, new versions are higher than those that
// subscribers have seen.
func nextVersion(held int64, now time.Time) int64 { return max(held+1, now.Unix()) }
