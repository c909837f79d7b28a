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

// The TUF client workflow, in the order in which documents are read: timestamp, roots, snapshot, targets. The timestamp
// is fetched before the roots: if the agency publishes in between, the roots are newer than the timestamp requires,
// which is harmless. In the other order, they could be too old.

// source is a source of documents: an origin, a bundle, or the documents stored with a hold.
type source interface {
	// Document returns a document of at most limit bytes, or [fs.ErrNotExist].
	Document(ctx context.Context, name string, limit int64) ([]byte, error)
}

// documents is a source in memory. The keys are file names.
type documents map[string][]byte

// Document implements source.
func (d documents) Document(_ context.Context, name string, _ int64) ([]byte, error) {
	if b, ok := d[name]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// Functions that verify metadata. They are variables so that the tests can ask go-tuf about the same documents.
//
//nolint:gochecknoglobals // programs never set them
var (
	openRoot      = trust.OpenRoot
	checkNextRoot = trust.CheckNextRoot
	newUpdater    = trust.NewUpdater
	verifyUpdate  = verifyMetadata
	verifyTargets = trust.TargetsSpec.Verify
)

// fetchRoots fetches roots from a version on, and calls verify for each. It ends without an error at the first
// version that the source does not have, and fails if verify fails.
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

// verifyMetadata is like [fetchMetadata], but also verifies the targets, and returns them.
func verifyMetadata(ctx context.Context, from source, u *trust.Updater, held trust.Metadata, timestamp []byte,
	keep func(trust.Metadata) error,
) (trust.TargetsSpec, error) {
	targets, err := fetchMetadata(ctx, from, u.Workflow, held, timestamp, keep)
	if err != nil {
		return trust.TargetsSpec{}, err
	}
	return u.Targets(targets)
}

// fetchMetadata verifies a timestamp and the snapshot that it references. If held has a referenced document, it uses
// that one, otherwise it fetches the document. It returns the referenced targets, not yet verified.
//
// After each verified document it calls keep, unless keep is nil. It does not call keep for documents that do not
// name their list, since a mirror could substitute those of another list of the same origin.
func fetchMetadata(ctx context.Context, from source, w *trust.Workflow, held trust.Metadata, timestamp []byte,
	keep func(trust.Metadata) error,
) (targets []byte, err error) {
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

// fetchDocument returns the document that ref references. It fetches the document unless held is that document.
func fetchDocument(ctx context.Context, from source, ref trust.Reference, held []byte) ([]byte, error) {
	if ref.Is(held) {
		return held, nil
	}
	return from.Document(ctx, ref.Name, ref.Limit)
}
