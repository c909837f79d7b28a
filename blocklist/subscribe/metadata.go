package subscribe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// The client workflow of The Update Framework, in the order in which documents are read: timestamp, root metadata, snapshot, targets.
// The timestamp is fetched before the roots: what is published meanwhile may then lead to a newer root than the timestamp needs, but
// never to an older one.

// source is where documents come from: an origin, a bundle, what is stored with a hold.
type source interface {
	// Document returns a document of at most limit bytes, and [fs.ErrNotExist] if there is none.
	Document(ctx context.Context, name string, limit int64) ([]byte, error)
}

// documents are a source in memory, by their names.
type documents map[string][]byte

// Document implements source.
func (d documents) Document(_ context.Context, name string, _ int64) ([]byte, error) {
	if b, ok := d[name]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// Each judges metadata. They are variables so that the tests can ask go-tuf about the same documents.
//
//nolint:gochecknoglobals // programs never set them
var (
	openRoot      = trust.OpenRoot
	checkNextRoot = trust.CheckNextRoot
	newUpdater    = trust.NewUpdater
	verifyUpdate  = verifyMetadata
	verifyTargets = trust.TargetsSpec.Verify
)

// fetchRoots reads root after root, from a version on, until there is no next one or verify refuses one.
func fetchRoots(ctx context.Context, from source, version int64, verify func([]byte) error) error {
	for n := range int64(trust.MaxRoots) {
		b, err := from.Document(ctx, trust.RootName(version+n), tuf.MaxRoot)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := verify(b); err != nil {
			return err
		}
	}
	return fmt.Errorf("roots: %w: more than %d", blocklist.ErrTooLarge, trust.MaxRoots)
}

// verifyMetadata verifies the metadata of a list from a timestamp on, and returns what was signed about its releases.
// See fetchMetadata.
func verifyMetadata(ctx context.Context, from source, u *trust.Updater, held trust.Metadata, timestamp []byte,
	keep func(trust.Metadata) error,
) (trust.TargetsSpec, error) {
	targets, err := fetchMetadata(ctx, from, u.Workflow, held, timestamp, keep)
	if err != nil {
		return trust.TargetsSpec{}, err
	}
	return u.Targets(targets)
}

// fetchMetadata goes from a timestamp to the targets that it leads to, reading what is not held. What was verified is passed to keep,
// if there is one, before the next document is read, provided that it says that it is of this list: else a mirror could pass off
// another list's, of the same origin.
func fetchMetadata(ctx context.Context, from source, w *trust.Workflow, held trust.Metadata, timestamp []byte, keep func(trust.Metadata) error) (targets []byte, err error) {
	remember := func(snapshot *trust.Snapshot) error {
		if keep == nil || !w.Named() {
			return nil
		}
		return keep(trust.Metadata{Timestamp: w.Accepted().Timestamp, Snapshot: snapshot})
	}
	next, err := w.Timestamp(timestamp)
	if err != nil {
		return nil, err
	}
	if !next.Is(held.Snapshot.Bytes()) {
		if err := remember(held.Snapshot); err != nil {
			return nil, err
		}
	}
	snapshot, err := fetchDocument(ctx, from, next, held.Snapshot.Bytes())
	if err != nil {
		return nil, err
	}
	if next, err = w.Snapshot(snapshot); err != nil {
		return nil, err
	}
	if err := remember(w.Accepted().Snapshot); err != nil {
		return nil, err
	}
	return fetchDocument(ctx, from, next, held.Targets.Bytes())
}

// fetchDocument returns the document that is referred to: the one that is held if it is the same.
func fetchDocument(ctx context.Context, from source, to trust.Reference, held []byte) ([]byte, error) {
	if to.Is(held) {
		return held, nil
	}
	return from.Document(ctx, to.Name, to.Limit)
}
