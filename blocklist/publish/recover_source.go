package publish

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// source is a release that was read from a bundle and verified, beginning with a trusted root. Its files are in a
// temporary folder with the layout of the agency's folder.
type source struct {
	folder
	roots   [][]byte
	root    *trust.Root // the newest root of the bundle
	release signedRelease
	signed  trust.Release // the entry of the signed metadata that describes this release
}

// readSource reads a bundle, and verifies it beginning with the given root. It unpacks the files into the folder d,
// which the caller removes. The function open decrypts the targets of a confidential list.
func readSource(bundle io.Reader, d folder, given []byte, open func(trust.TargetsSpec) (trust.TargetsSpec, error)) (
	*source, error,
) {
	s := &source{folder: d}
	b, err := trust.OpenBundle(bundle)
	if err != nil {
		return nil, err
	}
	if err := s.verifyRoots(b.Roots, given); err != nil {
		return nil, err
	}
	spec, err := trust.OpenTargets(s.root, b.Targets)
	if err != nil {
		return nil, err
	}
	if err := s.unpack(b, spec); err != nil {
		return nil, err
	}
	s.release = signedRelease{dir: d.dir, metadata: b.Targets}
	if s.release.targets, err = open(spec); err != nil {
		return nil, err
	}
	s.signed = s.release.targets.Newest()
	return s, nil
}

// verifyRoots verifies that each root of a bundle is signed by the officers of the root before it, and that the given
// root is one of them. It sets the roots and the list of s.
func (s *source) verifyRoots(all [][]byte, given []byte) error {
	pin, err := trust.OpenRoot(given)
	if err != nil {
		return fmt.Errorf("the given root: %w", err)
	}
	roots, err := trust.OpenRoots(all)
	if err != nil {
		return err
	}
	version := pin.Version()
	if int64(len(roots)) < version {
		return fmt.Errorf("%w: its newest root is %d, the given one is root %d", blocklist.ErrRollback, len(roots), version)
	}
	if same := roots[version-1]; same.ID() != pin.ID() {
		return fmt.Errorf("%w: its root %d (%s) is another one than the given one (%s)", blocklist.ErrUntrusted, version,
			rootFingerprint(same), rootFingerprint(pin))
	}
	s.roots, s.root, s.list = all, roots[len(roots)-1], pin.Spec().List
	return nil
}

// unpack writes the release files of a bundle to the folder of s. It fails unless the bundle has all files that the
// targets name.
func (s *source) unpack(b *trust.Bundle, spec trust.TargetsSpec) error {
	if err := disk.MkdirAll(s.path(filesDir)); err != nil {
		return err
	}
	missing, err := b.Unpack(spec.All(), func(f trust.File, content io.Reader) error {
		to := s.path(filesDir, fileName(f))
		return disk.Write(to, disk.Inherit, func(w io.Writer) error { return trust.CopyFile(w, content, f) })
	})
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("%w: %d files are missing, the first is %s", blocklist.ErrMalformed, len(missing), missing[0].Path)
	}
	return err
}

// listKey decrypts the targets of a confidential list with the list key in the agency's folder d. If that folder does
// not have the key, listKey decrypts the key with the identity, from the key files in the folder unpacked (a release
// from a bundle), and saves it in d.
func (d folder) listKey(spec trust.TargetsSpec, unpacked folder, identity []byte) (trust.TargetsSpec, error) {
	opened, err := d.openTargets(spec)
	if err == nil || len(identity) == 0 {
		return opened, err
	}
	identities, err := trust.ParseIdentities(identity)
	if err != nil {
		return spec, err
	}
	for _, kind := range identities.Kinds() {
		f, ok := spec.KeyFile(kind)
		if !ok {
			continue
		}
		b, err := os.ReadFile(unpacked.path(filesDir, fileName(f)))
		if err != nil {
			return spec, err
		}
		key, err := identities.DecryptKey(b)
		if errors.Is(err, blocklist.ErrNoKey) {
			continue
		}
		if err != nil {
			return spec, err
		}
		if spec, err = spec.Open(key); err != nil {
			return spec, err
		}
		return spec, d.saveListKey(key, spec.List)
	}
	return spec, fmt.Errorf("the list is confidential: %w: the identity is not that of a subscriber of this release", blocklist.ErrNoKey)
}

func (d folder) saveListKey(key trust.ListKey, list string) error {
	if err := disk.MkdirAll(d.path(keysDir)); err != nil {
		return err
	}
	return disk.WriteFile(d.keyPath(key.ID(list)), []byte(key.Text()+"\n"), disk.Inherit)
}

// moveTo moves the files of the release to the agency's folder d, except those that d already has intact. It returns
// the paths of the moved files.
func (s *source) moveTo(d folder) (mended []string, err error) {
	for _, f := range s.release.targets.All() {
		name := fileName(f)
		to := d.path(filesDir, name)
		if file, err := trust.OpenFile(to, f); err == nil {
			file.Close() //nolint:errcheck // it was only read
			continue
		}
		if err := os.Rename(s.path(filesDir, name), to); err != nil {
			return mended, err
		}
		mended = append(mended, filepath.Join(filesDir, name))
	}
	return mended, disk.SyncDir(d.path(filesDir))
}
