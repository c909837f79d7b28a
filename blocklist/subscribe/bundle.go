package subscribe

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// BundleList returns the name of the list in a bundle. Nothing in the bundle is verified. It fails with
// [blocklist.ErrMalformed] or [blocklist.ErrTooLarge] for a file that is no bundle.
func BundleList(path string) (list string, err error) {
	err = withBundle(path, func(b *trust.Bundle) error {
		spec, err := trust.ParseTargets(b.Targets)
		list = spec.List
		return err
	})
	return list, err
}

func withBundle(path string, do func(*trust.Bundle) error) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%w: a bundle is a regular file", blocklist.ErrMalformed)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	b, err := trust.OpenBundle(f)
	if err != nil {
		return err
	}
	return do(b)
}

// Apply updates the list from a bundle, like Refresh with the bundle as its only origin. It reports whether the list
// changed. If the guards hold the release, the list stays as it is and the hold is in the Status. After an error, the
// list is unchanged.
func (s *Subscription) Apply(ctx context.Context, path string) (changed bool, err error) {
	s.lockNow()
	defer s.refreshing.Unlock()
	_ = s.reload()
	err = withBundle(path, func(b *trust.Bundle) (err error) {
		changed, err = s.installBundle(ctx, &fetch.Origin{Name: path}, b)
		return err
	})
	s.updateStatus()
	if err != nil {
		return false, fmt.Errorf("applying a bundle to %s: %w", s.c.List, err)
	}
	return changed, nil
}

// installBundle installs a release from a bundle. It verifies roots, signatures, expiry, serial and files. But no file
// can prove that there is nothing newer. So a bundle never extends the time for which a list counts as fresh beyond the
// expiry of the last timestamp. If there never was a timestamp, the expiry that the officers signed counts.
func (s *Subscription) installBundle(ctx context.Context, o *fetch.Origin, b *trust.Bundle) (changed bool, err error) {
	if err := s.followRoots(ctx, bundledRoots(b), o.Name); err != nil {
		return false, err
	}
	signed, err := s.checkBundled(b.Targets)
	if err != nil {
		return false, err
	}
	next := s.held
	next.Metadata = s.newestMetadata()
	next.Metadata.Targets, next.Metadata.Key = &signed, s.knownKey(signed)
	if spec, err := signed.Open(next.Metadata.Key); err == nil && s.holds(spec) {
		return s.installVerified(ctx, o, spec, next, b.Urgent)
	}
	dir, err := os.MkdirTemp(s.list.Dir(), disk.TempPrefix+"bundle-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the next start tries again
	from, err := fetch.At(dir)
	if err == nil {
		from.Name = o.Name
		err = s.unpack(b, signed, dir)
	}
	if err == nil {
		next.Metadata.Key, err = s.listKey(ctx, from, signed)
	}
	if err != nil {
		return false, err
	}
	spec, err := signed.Open(next.Metadata.Key)
	if err != nil {
		return false, err
	}
	return s.installVerified(ctx, from, spec, next, b.Urgent)
}

// installVerified installs a verified release from a bundle, with its urgent orders.
func (s *Subscription) installVerified(ctx context.Context, from *fetch.Origin, spec trust.TargetsSpec,
	next trustState, orders []byte,
) (changed bool, err error) {
	before := s.held
	s.acceptBundledUrgent(ctx, orders, &next)
	changed, err = s.install(ctx, from, spec, next)
	return s.logUrgentChange(ctx, before) || changed, err
}

// bundledRoots returns the roots of a bundle, by their file names.
func bundledRoots(b *trust.Bundle) documents {
	docs := documents{}
	for i, root := range b.Roots {
		docs[trust.RootName(int64(i)+1)] = root
	}
	return docs
}

func (s *Subscription) checkBundled(targets []byte) (trust.TargetsSpec, error) {
	spec, err := trust.ParseTargets(targets)
	if err == nil {
		held := s.newestMetadata().Targets
		err = s.verifyNewer(spec, held)
		s.noteEquivocation(err)
		if err == nil {
			s.noteEquivocation(trust.CheckEquivocation(held, spec))
		}
	}
	if until := spec.Expires; err == nil && time.Now().After(until) {
		err = fmt.Errorf("serial %d: %w: since %s", spec.Version, blocklist.ErrExpired, until.Format(time.RFC3339))
	}
	if root := s.root.Spec(); err == nil && time.Now().After(root.Expires) {
		err = fmt.Errorf("root %d: %w: since %s", root.Version, blocklist.ErrExpired, root.Expires.Format(time.RFC3339))
	}
	return spec, err
}

// unpack writes the files of a bundle to a folder, in the layout of an origin.
func (s *Subscription) unpack(b *trust.Bundle, spec trust.TargetsSpec, dir string) error {
	if err := os.Mkdir(filepath.Join(dir, "targets"), 0o700); err != nil {
		return err
	}
	_, err := b.Unpack(spec.All(), func(f trust.File, content io.Reader) error {
		if f.Length > s.c.MaxRelease {
			return fmt.Errorf("%s: %w: %d bytes, the limit is %d", f.Path, blocklist.ErrTooLarge, f.Length, s.c.MaxRelease)
		}
		to := filepath.Join(dir, filepath.FromSlash(f.URLPath()))
		return disk.Write(to, 0o600, func(dst io.Writer) error { return trust.CopyFile(dst, content, f) })
	})
	return err
}
