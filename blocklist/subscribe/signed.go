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
	_, newest, err := signed(ctx, c, func(*fetch.Origin) time.Time { return time.Now() })
	if err != nil {
		return nil, fmt.Errorf("asking what was signed about %.80q: %w", c.List, err)
	}
	return releases(newest.spec), nil
}

// signedMetadata is the metadata that the officers have signed, verified from a root on.
type signedMetadata struct {
	roots [][]byte // all roots after that root
	spec  trust.TargetsSpec
}

// signed returns the first origin with verified metadata, and that metadata. The argument date returns the time at
// which the metadata of an origin must not have expired.
func signed(ctx context.Context, c Config, date func(*fetch.Origin) time.Time) (*fetch.Origin, signedMetadata, error) {
	pin, err := openRoot(c.Root)
	if err == nil && pin.Spec().List != c.List {
		err = fmt.Errorf("%w: the root is of list %q", blocklist.ErrUntrusted, pin.Spec().List)
	}
	if err != nil {
		return nil, signedMetadata{}, err
	}
	origins, err := fetch.Origins(c.List, c.Origins, c.Client)
	for _, o := range origins {
		m, signedErr := signedAt(ctx, o, pin, date(o))
		if signedErr == nil {
			return o, m, nil
		}
		err = errors.Join(err, fmt.Errorf("%s: %w", o.Name, signedErr))
	}
	return nil, signedMetadata{}, err
}

// signedAt fetches and verifies the metadata of an origin, from a trusted root to the newest targets. The metadata must
// not have expired at the time in the argument date.
func signedAt(ctx context.Context, o *fetch.Origin, root *trust.Root, date time.Time) (m signedMetadata, err error) {
	timestamp, _, err := o.Timestamp(ctx, nil)
	if err != nil {
		return m, err
	}
	err = fetchRoots(ctx, o, root.Version()+1, func(b []byte) (err error) {
		m.roots = append(m.roots, b)
		root, err = checkNextRoot(root, b)
		return err
	})
	if err != nil {
		return m, err
	}
	m.spec, err = verifyUpdate(ctx, o, newUpdater(root, trust.Metadata{}, date), trust.Metadata{}, timestamp, nil)
	return m, err
}

// releases returns the releases that the targets describe, each once.
func releases(spec trust.TargetsSpec) (all []receipt.Release) {
	for _, f := range spec.Files {
		r := receipt.Release{Serial: f.Release.Serial, Digest: f.Release.Digest, Created: f.Release.Created}
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	return all
}
