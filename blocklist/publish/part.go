package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// PartError says that a part of the agency's folder is missing or damaged. It wraps [blocklist.ErrDamaged], and Err if
// that is set. [Recover] can restore the part from a signed release.
type PartError struct {
	Part string // path of the file, relative to the agency's folder
	Err  error  // why the file can't be used; nil: it is missing
}

// Error implements [error].
func (e *PartError) Error() string {
	if e.Err == nil {
		return e.Part + " is missing"
	}
	return fmt.Sprintf("%s is damaged: %v", e.Part, e.Err)
}

// Unwrap lets [errors.Is] and [errors.As] find [blocklist.ErrDamaged] and Err.
func (e *PartError) Unwrap() []error { return []error{blocklist.ErrDamaged, e.Err} }

// Pending reports whether the part belongs to a pending root or release. Since that was not published, it can be
// refused and made again.
func (e *PartError) Pending() bool {
	return filepath.Dir(filepath.Dir(e.Part)) == pendingDir || filepath.Dir(e.Part) == pendingDir
}

// damaged returns err as a [PartError] about the part with this path. It returns these errors unchanged: nil, a
// PartError, errors of the operating system, and errors about a missing list key or a root that waits for signatures.
func (d folder) damaged(err error, names ...string) error {
	part := (*PartError)(nil)
	system := (*os.PathError)(nil)
	switch name := filepath.Join(names...); {
	case err == nil, errors.As(err, &part), errors.Is(err, blocklist.ErrNoKey), errors.Is(err, errRootWaits):
		return err
	case errors.Is(err, os.ErrNotExist):
		return &PartError{Part: name}
	case errors.As(err, &system):
		return err
	default:
		return &PartError{Part: name, Err: err}
	}
}

// readPushed reads the metadata of a pushed release.
func (d folder) readPushed(serial uint64) (signedRelease, error) {
	rel, err := d.readRelease(d.releasePath(serial))
	return rel, d.damaged(err, releasesDir, fmt.Sprint(serial), targetsFile)
}

// checkParts fails if a part of the folder that the last or the pending release needs is missing or damaged. It calls
// check for both of these releases, to check their files.
func (l *Ledger) checkParts(ctx context.Context, check func(signedRelease) error) error {
	last, err := l.history.LastRelease(ctx)
	if err != nil {
		return err
	}
	if last.Serial > 0 {
		if _, err := l.rootAfterRelease(); err != nil {
			return err
		}
		pushed, err := l.readPushed(last.Serial)
		if err != nil {
			return err
		}
		if err := check(pushed); err != nil {
			return err
		}
	}
	if _, err := l.Pending(); err != nil && !errors.Is(err, ErrNothingPending) {
		return err
	}
	pending, err := l.readRelease(l.path(pendingDir, releaseDir))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return check(pending)
}

// rootAfterRelease returns the root in force, for a list that has a release. Without a root the folder is damaged, so
// it fails with a [PartError].
func (d folder) rootAfterRelease() (*trust.Root, error) {
	newest, err := d.newestRoot()
	if err == nil && newest == 0 {
		err = &PartError{Part: filepath.Join(rootsDir, trust.RootName(1))}
	}
	if err != nil {
		return nil, err
	}
	return d.root()
}

// checkFiles fails if a file of a release is missing or damaged.
func (d folder) checkFiles(r signedRelease) error {
	for _, f := range r.targets.All() {
		file, err := d.openFile(f)
		if err != nil {
			return err
		}
		file.Close() //nolint:errcheck // it was only read
	}
	return nil
}

// findFiles fails if a file of a release is missing, or its length is not that in the metadata. It does not read the
// files.
func (d folder) findFiles(r signedRelease) error {
	for _, f := range r.targets.All() {
		info, err := os.Stat(d.path(filesDir, fileName(f)))
		if err == nil && info.Size() != f.Length {
			err = fmt.Errorf("it has %d bytes, %d were signed", info.Size(), f.Length)
		}
		if err != nil {
			return d.damaged(err, filesDir, fileName(f))
		}
	}
	return nil
}

// checkRoots fails if the version of root.json is above newest, the newest version in the folder roots. The error names
// the file that this folder then lacks: the file of the version after newest.
func (d folder) checkRoots(newest int64) error {
	b, err := os.ReadFile(d.path(rootFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if same, err := os.ReadFile(d.path(rootsDir, trust.RootName(newest))); err == nil && bytes.Equal(b, same) {
		return nil
	}
	root, err := trust.ParseRoot(b)
	if newest > 0 && (err != nil || root.Version() <= newest) { // the next command writes root.json again
		return nil
	}
	return d.damaged(os.ErrNotExist, rootsDir, trust.RootName(newest+1))
}
