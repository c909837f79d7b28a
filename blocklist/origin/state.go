package origin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

const targetsDir = "targets" // within a list's folder: the files of releases

// keepReleases is how many serials are kept, so that subscribers in the middle of a download can finish it.
const keepReleases = 8

// errUnknown is wrapped where the origin has no root for a list.
var errUnknown = fmt.Errorf("%w: this origin takes no pushes for it; its operator can run 'blocklist origin trust'", blocklist.ErrUntrusted)

// state is what the origin has published of a list. Whatever timestamp.json does not lead to is not there.
type state struct {
	list      string
	dir       string
	root      *trust.Root
	timestamp *trust.Timestamp // of version 0 if nothing was published yet
	snapshot  *trust.Snapshot
	targets   []byte
	urgent    orders
}

// orders is the newest urgent document, whether or not it still counts; empty if there never was one.
type orders struct {
	doc     []byte
	version int64
}

func (o *Origin) listDir(list string) string {
	return filepath.Join(o.dir, listsDir, filepath.FromSlash(list))
}

// lists returns the names of the lists that are trusted here.
func (o *Origin) lists() (all []string, err error) {
	root := filepath.Join(o.dir, listsDir)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".root.json") {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		all = append(all, filepath.ToSlash(rel))
		return err
	})
	slices.Sort(all)
	return slices.Compact(all), err
}

// newState returns the state of a list of which nothing was read yet.
func (o *Origin) newState(list string) *state {
	return &state{list: list, dir: o.listDir(list), timestamp: &trust.Timestamp{}, snapshot: &trust.Snapshot{}}
}

// load reads the state of a list.
func (o *Origin) load(list string) (*state, error) {
	st := o.newState(list)
	if err := st.readChain(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", list, err)
	}
	roots := st.versions(".root.json")
	if len(roots) == 0 {
		return nil, fmt.Errorf("list %s: %w", list, errUnknown)
	}
	version := roots[len(roots)-1]
	if st.timestamp.Root > 0 {
		version = st.timestamp.Root
	}
	b, err := os.ReadFile(st.path(trust.RootName(version)))
	if err == nil {
		st.root, err = o.read.root(list, b)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", list, err)
	}
	return st, nil
}

// readChain reads from the timestamp down to the targets, all of which the origin itself has verified and written.
func (st *state) readChain() error {
	b, err := os.ReadFile(st.path(trust.TimestampName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st.timestamp, err = trust.ParseTimestamp(b); err != nil {
		return err
	}
	if b, err = os.ReadFile(st.path(trust.SnapshotName(st.timestamp.Snapshot.Version))); err != nil {
		return err
	}
	if st.snapshot, err = trust.ParseSnapshot(b); err != nil {
		return err
	}
	if st.snapshot.Urgent != nil {
		st.urgent.version = st.snapshot.Urgent.Version
		if st.urgent.doc, err = os.ReadFile(st.path(trust.UrgentName(st.urgent.version))); err != nil {
			return err
		}
	}
	st.targets, err = os.ReadFile(st.path(trust.TargetsName(st.snapshot.Targets.Version)))
	return err
}

func (st *state) path(name string) string { return filepath.Join(st.dir, filepath.FromSlash(name)) }

// versions returns the versions of the documents whose names end in suffix, in order.
func (st *state) versions(suffix string) (all []int64) {
	files, _ := filepath.Glob(filepath.Join(st.dir, "*"+suffix))
	for _, f := range files {
		if v, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(f), suffix), 10, 64); err == nil && v > 0 {
			all = append(all, v)
		}
	}
	slices.Sort(all)
	return all
}

// files returns the files of the published release that lie in the folder, by path. What they hold was verified when they
// came.
func (st *state) files() (map[string]trust.File, error) {
	here := map[string]trust.File{}
	if len(st.targets) == 0 {
		return here, nil
	}
	spec, err := trust.ParseTargets(st.targets)
	for _, f := range spec.All() {
		if info, err := os.Stat(st.path(f.URLPath())); err == nil && info.Size() == f.Length {
			here[f.Path] = f
		}
	}
	return here, err
}

// publish signs snapshot and timestamp for targets that lie in the folder, and makes them count.
func (o *Origin) publish(st *state, root *trust.Root, targets []byte, urgent orders) error {
	spec, err := trust.ParseTargets(targets)
	if err != nil {
		return err
	}
	signer, err := o.signer(root)
	if err != nil {
		return err
	}
	now := time.Now()
	snapshot := trust.OnlineSpec{
		List: st.list, Version: nextVersion(st.snapshot.Version, now), Expires: now.Add(7 * o.o.Lifetime),
		Next: targets, NextVersion: spec.Version, Urgent: urgent.doc, UrgentVersion: urgent.version,
	}
	b, err := trust.NewSnapshot(snapshot)
	if err != nil {
		return err
	}
	if b, err = tuf.Sign(b, signer); err != nil {
		return err
	}
	if err := disk.WriteFile(st.path(trust.SnapshotName(snapshot.Version)), b, 0o644); err != nil {
		return err
	}
	return o.stamp(st, root, b, snapshot.Version, now)
}

// stamp signs a timestamp for a snapshot that lies in the folder. Its rename is what makes a change count.
func (o *Origin) stamp(st *state, root *trust.Root, snapshot []byte, version int64, now time.Time) error {
	signer, err := o.signer(root)
	if err != nil {
		return err
	}
	b, err := trust.NewTimestamp(trust.OnlineSpec{
		List: st.list, Version: nextVersion(st.timestamp.Version, now), Expires: now.Add(o.o.Lifetime), Next: snapshot, NextVersion: version, Root: root.Version(),
	})
	if err != nil {
		return err
	}
	if b, err = tuf.Sign(b, signer); err != nil {
		return err
	}
	return disk.WriteFile(st.path(trust.TimestampName), b, 0o644)
}

// nextVersion counts by the clock, so that an origin that lost its folder is not behind what subscribers have seen.
func nextVersion(held int64, now time.Time) int64 { return max(held+1, now.Unix()) }

// Run signs new timestamps, and new snapshots where these come near their end, and announces what other processes publish
// in the folder, until ctx ends. What goes wrong is logged and tried again.
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

// resign signs for what is published, unless that was done just now.
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
	snapshot, err := os.ReadFile(st.path(trust.SnapshotName(st.snapshot.Version)))
	if err != nil {
		return err
	}
	return o.stamp(st, st.root, snapshot, st.snapshot.Version, now)
}

// removeOld removes all but the newest releases and what belongs to them, and the urgent orders beyond those that are published
// now: of an officer who has gone, say.
func (st *state) removeOld(now orders) error {
	err := removeAllBut(keepReleases, st.versions(".snapshot.json"), func(v int64) string { return st.path(trust.SnapshotName(v)) })
	err = errors.Join(err, removeAllBut(keepReleases, st.versions(".targets.json"), func(v int64) string { return st.path(trust.TargetsName(v)) }))
	urgent := st.versions(".urgent.json")
	until, found := slices.BinarySearch(urgent, now.version)
	if found {
		until++
	}
	urgentPath := func(v int64) string { return st.path(trust.UrgentName(v)) }
	err = errors.Join(err, removeAllBut(keepReleases, urgent[:until], urgentPath), removeAllBut(0, urgent[until:], urgentPath))
	needed := map[string]bool{}
	for _, v := range st.versions(".targets.json") {
		b, readErr := os.ReadFile(st.path(trust.TargetsName(v)))
		spec, parseErr := trust.ParseTargets(b)
		if err = errors.Join(err, readErr, parseErr); err != nil {
			return err
		}
		for _, f := range spec.All() {
			needed[filepath.Base(st.path(f.URLPath()))] = true
		}
	}
	files, _ := filepath.Glob(st.path(targetsDir + "/*.*"))
	for _, f := range files {
		if releaseFile.MatchString(filepath.Base(f)) && !needed[filepath.Base(f)] {
			err = errors.Join(err, os.Remove(f))
		}
	}
	return err
}

func removeAllBut(keep int, versions []int64, path func(int64) string) (err error) {
	for _, v := range versions[:max(len(versions)-keep, 0)] {
		err = errors.Join(err, os.Remove(path(v)))
	}
	return err
}

// removeUncommitted removes roots that a push has written which then did not come to its end.
func (st *state) removeUncommitted() (err error) {
	for _, v := range st.versions(".root.json") {
		if st.timestamp.Root > 0 && v > st.timestamp.Root {
			err = errors.Join(err, os.Remove(st.path(trust.RootName(v))))
		}
	}
	return err
}
