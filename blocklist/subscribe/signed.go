package subscribe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/receipt"
	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// Signed returns the verified descriptions of a list's newest releases, from the first origin that answers. It verifies
// the metadata from the root on and uses no stored state. It fetches no release, and needs no identity. It uses the
// fields List, Root, Origins and Client of the Config.
func Signed(ctx context.Context, c Config) ([]receipt.Release, error) {
	root, err := openRoot(c.Root)
	if err == nil && root.Spec().List != c.List {
		err = fmt.Errorf("%w: the root is of list %q", blocklist.ErrUntrusted, root.Spec().List)
	}
	if err != nil {
		return nil, fmt.Errorf("asking what was signed about %.80q: %w", c.List, err)
	}
	origins, err := fetch.Origins(c.List, c.Origins, c.Client)
	for _, o := range origins {
		spec, signedErr := signed(ctx, o, root)
		if signedErr == nil {
			return releases(spec), nil
		}
		err = errors.Join(err, fmt.Errorf("%s: %w", o.Name, signedErr))
	}
	return nil, fmt.Errorf("asking what was signed about %s: %w", c.List, err)
}

// signed verifies the metadata of an origin from a root to the newest targets.
func signed(ctx context.Context, o *fetch.Origin, root *trust.Root) (spec trust.TargetsSpec, err error) {
	timestamp, _, err := o.Timestamp(ctx, nil)
	if err != nil {
		return spec, err
	}
	err = fetchRoots(ctx, o, root.Version()+1, func(b []byte) (err error) {
		root, err = checkNextRoot(root, b)
		return err
	})
	if err != nil {
		return spec, err
	}
	u := newUpdater(root, trust.Metadata{}, time.Now())
	return verifyUpdate(ctx, o, u, trust.Metadata{}, timestamp, nil)
}

// releases returns the description of each serial in the targets.
func releases(spec trust.TargetsSpec) (all []receipt.Release) {
	for _, f := range spec.Files {
		r := receipt.Release{Serial: f.Release.Serial, Digest: f.Release.Digest, Created: f.Release.Created}
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	return all
}
