package publish

import (
	"errors"
	"fmt"
	"os"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

func (d folder) pendingRootPath(version int64) string {
	return d.path(pendingDir, trust.RootName(version))
}

// newestRoot returns the version of the newest root with enough signatures, or 0 if there is none.
func (d folder) newestRoot() (int64, error) {
	for version := max(d.firstRoot-1, 0); ; version++ {
		_, err := os.Stat(d.path(rootsDir, trust.RootName(version+1)))
		if errors.Is(err, os.ErrNotExist) {
			return version, d.checkRoots(version)
		}
		if err != nil {
			return 0, err
		}
	}
}

// errRootWaits is returned if no root of the list is in force yet: the first one waits for signatures.
var errRootWaits = fmt.Errorf("%w: the list's root waits for the officers' signatures; run blocklist sign first", blocklist.ErrSignatures)

// root returns the root in force: the newest root with enough signatures.
func (d folder) root() (*trust.Root, error) {
	b, err := os.ReadFile(d.path(rootFile))
	if _, waits := os.Stat(d.pendingRootPath(1)); errors.Is(err, os.ErrNotExist) && waits != nil {
		return nil, d.damaged(err, rootFile)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, errRootWaits
	}
	if err != nil {
		return nil, err
	}
	root, err := trust.ParseRoot(b)
	return root, d.damaged(err, rootFile)
}

// openRoot returns the root with this version. It fails unless enough of the root's own officers have signed it.
func (d folder) openRoot(version int64) (*trust.Root, error) {
	b, err := os.ReadFile(d.path(rootsDir, trust.RootName(version)))
	if err != nil {
		return nil, err
	}
	root, err := trust.OpenRoot(b)
	return root, d.damaged(err, rootsDir, trust.RootName(version))
}

// roots returns the contents of all root files, from the first one up to the version newest.
func (d folder) roots(newest int64) (all [][]byte, err error) {
	for version := max(d.firstRoot, 1); version <= newest; version++ {
		root, err := os.ReadFile(d.path(rootsDir, trust.RootName(version)))
		if err != nil {
			return nil, err
		}
		all = append(all, root)
	}
	return all, nil
}

// rootHistory returns all roots in order. It verifies each root with the officers of the root before it.
func (d folder) rootHistory() ([]*trust.Root, error) {
	newest, err := d.newestRoot()
	if err != nil {
		return nil, err
	}
	if newest == 0 {
		_, err := os.Stat(d.pendingRootPath(1)) // the first root may wait for signatures
		return nil, d.damaged(err, rootsDir, trust.RootName(1))
	}
	all, err := d.roots(newest)
	if err != nil {
		return nil, err
	}
	roots, err := trust.OpenRoots(all)
	if err == nil {
		return roots, nil
	}
	for i, b := range all {
		if _, openErr := trust.OpenRoot(b); openErr != nil {
			return nil, d.damaged(openErr, rootsDir, trust.RootName(max(d.firstRoot, 1)+int64(i)))
		}
	}
	return nil, err
}

// signedUnder returns the first root whose threshold is reached by signatures on the targets, and all later roots. It
// fails if there is no such root.
func signedUnder(roots []*trust.Root, targets []byte) ([]*trust.Root, error) {
	err := fmt.Errorf("%w: there is no root", blocklist.ErrUntrusted)
	for i, root := range roots {
		if _, err = trust.OpenTargets(root, targets); err == nil {
			return roots[i:], nil
		}
	}
	return nil, err
}

// signedBefore returns the release before p, or the zero value if p is the first release. It fails unless enough
// officers have signed that release, since otherwise it could hide a change.
func (d folder) signedBefore(p *Pending) (before signedRelease, err error) {
	if p.base == 0 {
		return before, nil
	}
	if before, err = d.openSigned(p.base); err == nil {
		return before, nil
	}
	if errors.Is(err, blocklist.ErrSignatures) && d.firstRoot > 1 {
		err = fmt.Errorf("%w; if it was signed under a root before root %d, trust that root or an older one", err, d.firstRoot)
	}
	return before, fmt.Errorf("the release before %s: %w", p.What(), err)
}

// openSigned returns the pushed release with this serial. It fails unless enough officers have signed it.
func (d folder) openSigned(serial uint64) (r signedRelease, err error) {
	if r, err = d.readPushed(serial); err != nil {
		return r, err
	}
	if r.serial() != serial {
		return r, fmt.Errorf("%w: serial %d is missing", blocklist.ErrUntrusted, serial)
	}
	roots, err := d.rootHistory()
	if err == nil {
		_, err = signedUnder(roots, r.metadata)
	}
	return r, err
}
