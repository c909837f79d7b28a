package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Names of folders that a recovery uses in the agency's folder.
const (
	// recoveredDir is a folder below pending. It has the metadata of an adopted release until the ledger has recorded the
	// recovery.
	recoveredDir = "recovered"
	// asideDir has the files and folders that recoveries have replaced, in a subfolder for each recovery.
	asideDir = "aside"
)

// setAside moves the file or folder with this path inside the agency's folder to aside/TIME. It returns the new path,
// or an empty text if the path did not exist.
func (d folder) setAside(at time.Time, names ...string) (to string, err error) {
	from := d.path(names...)
	if _, err := os.Lstat(from); errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	to = d.path(append([]string{asideDir, at.Format("20060102T150405Z")}, names...)...)
	if err := disk.MkdirAll(filepath.Dir(to)); err != nil {
		return "", err
	}
	for n := 2; ; n++ {
		if _, err := os.Lstat(to); errors.Is(err, os.ErrNotExist) {
			break
		}
		to = fmt.Sprintf("%s-%d", strings.TrimSuffix(to, fmt.Sprintf("-%d", n-1)), n)
	}
	return to, errors.Join(os.Rename(from, to), disk.SyncDir(filepath.Dir(from)))
}

func (v *recovery) setAside(names ...string) error {
	to, err := v.to.setAside(v.at, names...)
	if to != "" {
		v.r.Aside = append(v.r.Aside, to)
	}
	return err
}

// mend restores the roots, files and metadata of the release that are missing or damaged in the folder. If the ledger
// is still behind, the metadata goes to pending/recovered, see [Ledger.finishRecovery].
func (v *recovery) mend() error {
	if err := v.mendRoots(); err != nil {
		return err
	}
	mended, err := v.moveTo(v.to.folder)
	if err != nil {
		return err
	}
	if v.upToDate() {
		v.r.Mended = append(v.r.Mended, mended...)
		return v.mendRelease()
	}
	return v.to.writeRelease(v.release, pendingDir, recoveredDir)
}

// mendRoots writes the roots of the release into the folder. If the folder has a different valid root with the same
// version, mendRoots replaces that root only if the root in the options says which of the two is right. Otherwise it
// fails with [blocklist.ErrUntrusted].
func (v *recovery) mendRoots() error {
	pin, err := trust.OpenRoot(v.o.Root)
	if err != nil {
		return err
	}
	for i, b := range v.roots {
		version := int64(i) + 1
		name := trust.RootName(version)
		held, err := os.ReadFile(v.to.path(rootsDir, name))
		if err == nil && v.sameRoot(held, i) {
			continue
		}
		if other, parseErr := trust.OpenRoot(held); err == nil && parseErr == nil && version > pin.Version() {
			return fmt.Errorf("%w: the folder has another root %d (%s) than the release; --root must name the root %d that counts", blocklist.ErrUntrusted,
				version, rootFingerprint(other), version)
		}
		if err := errors.Join(v.setAside(rootsDir, name),
			disk.WriteFile(v.to.path(rootsDir, name), b, disk.Inherit)); err != nil {
			return err
		}
		if !v.lost {
			v.r.Mended = append(v.r.Mended, filepath.Join(rootsDir, name))
		}
		if err := v.setAside(pendingDir, name); err != nil {
			return err
		}
	}
	return v.mendNewerRoots()
}

// sameRoot reports whether held, a root from the folder, is the root at index i of the release and has enough
// signatures.
func (v *recovery) sameRoot(held []byte, i int) bool {
	root, err := trust.ParseRoot(held)
	if err != nil {
		return false
	}
	is, err := trust.ParseRoot(v.roots[i])
	if err != nil || is.ID() != root.ID() {
		return false
	}
	chain := append(append([][]byte{}, v.roots[:i]...), held)
	_, err = trust.OpenRoots(chain)
	return err == nil
}

// mendNewerRoots keeps the folder's roots that are newer than those of the release, if each is signed by the officers
// of the root before it. It sets the others aside, and puts the newest valid root in force.
func (v *recovery) mendNewerRoots() error {
	newest := v.root
	for {
		name := trust.RootName(newest.Version() + 1)
		b, err := os.ReadFile(v.to.path(rootsDir, name))
		if errors.Is(err, os.ErrNotExist) {
			return v.to.copyRoot(newest.Version())
		}
		if err != nil {
			return err
		}
		next, err := trust.CheckNextRoot(newest, b)
		if err == nil {
			newest = next
			continue
		}
		v.note("%s does not follow from root %d: %v", filepath.Join(rootsDir, name), newest.Version(), err)
		if err := v.setAside(rootsDir, name); err != nil {
			return err
		}
	}
}

// mendRelease writes the metadata of the release, unless the folder already has it.
func (v *recovery) mendRelease() error {
	serial := fmt.Sprint(v.signed.Serial)
	held, err := os.ReadFile(v.to.path(releasesDir, serial, targetsFile))
	if err == nil {
		_, err = trust.OpenTargets(v.root, held)
	}
	if err == nil {
		return nil
	}
	v.r.Mended = append(v.r.Mended, filepath.Join(releasesDir, serial, targetsFile))
	if err := v.setAside(releasesDir, serial); err != nil {
		return err
	}
	return v.to.writeRelease(v.release, releasesDir, serial)
}

// writeRelease writes the metadata of a release into the folder with this path inside d.
func (d folder) writeRelease(r signedRelease, names ...string) error {
	if err := disk.MkdirAll(d.path(names...)); err != nil {
		return err
	}
	return disk.WriteFile(d.path(append(names, targetsFile)...), r.metadata, disk.Inherit)
}

// finishRecovery moves the metadata of an adopted release to the folder releases, if the ledger has recorded the
// recovery. Before that it sets aside another release with the same serial, and the pending release, which continues an
// older release. It returns their new paths.
func (l *Ledger) finishRecovery(ctx context.Context) (aside []string, err error) {
	from := l.path(pendingDir, recoveredDir)
	rel, err := l.readRelease(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	last, err := l.history.LastRelease(ctx)
	if err != nil {
		return nil, err
	}
	if last.Serial != rel.serial() || last.Head != rel.targets.Newest().Ledger {
		return nil, os.RemoveAll(from) // the recovery was not completed
	}
	serial := fmt.Sprint(last.Serial)
	for _, names := range [][]string{{releasesDir, serial}, {pendingDir, releaseDir}} {
		to, err := l.setAside(last.Pushed, names...)
		if err != nil {
			return aside, err
		}
		if to != "" {
			aside = append(aside, to)
		}
	}
	if err := os.Rename(from, l.path(releasesDir, serial)); err != nil {
		return aside, err
	}
	return aside, errors.Join(disk.SyncDir(l.path(releasesDir)), disk.SyncDir(l.path(pendingDir)))
}

// checkPending sets the pending release aside if its metadata or one of its files is missing or damaged. The release
// can be made again.
func (v *recovery) checkPending(ctx context.Context) error {
	rel, err := v.to.readRelease(v.to.path(pendingDir, releaseDir))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = v.to.checkFiles(rel)
	}
	if err == nil {
		return nil
	}
	v.note("what was pending can't be read (%v): blocklist release makes it again", err)
	return errors.Join(v.skipUnreadable(ctx, rel), v.setAside(pendingDir, releaseDir))
}

// noteSubscribers adds a note if the ledger's subscribers are not as many as the recipients of the release.
func (v *recovery) noteSubscribers(ctx context.Context) error {
	if !v.release.targets.Confidential() {
		return nil
	}
	subscribers, err := v.to.Subscribers(ctx)
	if err != nil {
		return err
	}
	if err := v.to.checkRecipients(v.release.targets, subscribers); err != nil {
		v.note("%v: add those that are missing with blocklist subscriber add, before the next release", err)
	}
	return nil
}
