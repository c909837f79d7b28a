package subscribe

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// Copy writes the newest release of a list to w, as a bundle: all roots, the targets document, and its files. It uses
// the first origin that answers. It verifies the metadata from the root on, and the files by their signed lengths and
// hashes. It needs neither stored state nor an identity. If the origin is a folder, the release may be old: a folder,
// like a bundle, proves that a release was signed, but not that it is the newest. Copy uses the fields List, Root,
// Origins and Client of the Config. If Copy fails, w has a part of the bundle.
func Copy(ctx context.Context, c Config, w io.Writer) error {
	return copySigned(ctx, c, w, trust.TargetsSpec.All)
}

// CopyMetadata is [Copy] without the files: only the metadata that the officers have signed, some 10 KB.
func CopyMetadata(ctx context.Context, c Config, w io.Writer) error {
	return copySigned(ctx, c, w, func(trust.TargetsSpec) []trust.File { return nil })
}

func copySigned(ctx context.Context, c Config, w io.Writer, files func(trust.TargetsSpec) []trust.File) error {
	o, m, err := signed(ctx, c, validAt)
	if err != nil {
		return fmt.Errorf("asking for %.80q: %w", c.List, err)
	}
	before, err := earlierRoots(ctx, o, c.Root)
	if err != nil {
		return fmt.Errorf("%s: %w", o.Name, err)
	}
	open := func(f trust.File) (io.ReadCloser, error) { return o.Open(ctx, f.URLPath()) }
	return trust.WriteBundle(w, append(before, m.roots...), nil, m.spec.Bytes(), files(m.spec), open)
}

// validAt returns the time at which the metadata of an origin must not have expired: now, or the zero time for a
// folder, which may be an old copy with expired metadata.
func validAt(o *fetch.Origin) (now time.Time) {
	if !o.IsLocal() {
		now = time.Now()
	}
	return now
}

// earlierRoots returns the roots from version 1 to the given root, which is trusted. It verifies that each root leads
// to the next one. That does not make the earlier roots trusted.
func earlierRoots(ctx context.Context, o *fetch.Origin, given []byte) (all [][]byte, err error) {
	pin, err := openRoot(given)
	if err != nil {
		return nil, err
	}
	for version := int64(1); version < pin.Version(); version++ {
		b, err := o.Document(ctx, trust.RootName(version), tuf.MaxRoot)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	all = append(all, given)
	_, err = trust.OpenRoots(all)
	return all, err
}
