package publish

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Limits on the files of a release. A release consists of a snapshot of an earlier serial, a chain of deltas from there
// to the newest serial, and the last steps. Each delta of the chain (a link) is longer than all later ones together. A
// step is a delta from one release to the next. A subscriber with one of the last serials takes steps. Any other
// subscriber follows the chain from the last serial of the chain that it has seen.
const (
	// keepSteps is the maximum number of steps (deltas from one release to the next) in a release. It is also the
	// maximum number of deltas (links) of the old delta chain that are kept after a new snapshot.
	keepSteps = 4
	keepOld   = 64 // number of releases after a new snapshot for which links of the old delta chain are kept
	// tier says when links of the delta chain are joined: a link is joined with all later links if its length is less
	// than tier times their total length.
	tier = 4
	// maxPart limits the delta chain: if it has more bytes than 1/maxPart of the snapshot, a new snapshot is made.
	maxPart = 4
	// maxChurn decides between delta and snapshot: a snapshot is made if more than 1/maxChurn of the list's lines have
	// changed.
	maxChurn   = 4
	maxChanges = 250_000 // maximum number of changed lines in a delta, since a subscriber merges them in memory
	fewChanges = 1000    // number of changed lines up to which a delta is made in any case
	// shortWindow is the zstd window, in bytes, for a delta, and for the snapshot of a list of up to fewEntries. For a
	// short file, allocating a larger window takes longer than compressing.
	shortWindow = 1 << 20
	fewEntries  = 10_000
	snapshotFmt = "snapshot-%d.txt.zst"
	deltaFmt    = "delta-%d-%d.txt.zst"
)

// releaseBuilder makes the files of one release.
type releaseBuilder struct {
	*Ledger
	to     trust.Release
	key    trust.ListKey     // the list key; nil: the list is not confidential
	before trust.TargetsSpec // targets of the last release
	now    Operation
}

// makeFiles writes the new files of the next release. It returns all files of that release: the new ones, and those
// kept from earlier releases.
func (l *Ledger) makeFiles(ctx context.Context, last ReleaseRecord, now Operation, to trust.Release,
	key trust.ListKey,
) ([]trust.File, error) {
	to.Entries, to.Digest, to.Ledger = now.Entries, now.Digest, now.Hash
	to.Created = time.Now().UTC().Truncate(time.Second)
	b := releaseBuilder{Ledger: l, now: now, key: key, to: to}
	if last.Serial == 0 {
		snapshot, err := b.snapshot(ctx)
		return []trust.File{snapshot}, err
	}
	before, err := l.readPushed(last.Serial)
	if err != nil {
		return nil, err
	}
	b.before = before.targets
	if !bytes.Equal(key, b.before.Key) { // old files have another key, or none
		snapshot, err := b.snapshot(ctx)
		return []trust.File{snapshot}, err
	}
	return b.files(ctx, last.Serial)
}

// files writes the new files of the release after another one, whose serial is the argument last. It returns all files
// of the new release: the snapshot, the chain of deltas from there to the new serial, and the last steps (deltas from
// one release to the next).
func (b *releaseBuilder) files(ctx context.Context, last uint64) ([]trust.File, error) {
	step, ok, err := b.delta(ctx, last)
	if err != nil {
		return nil, err
	}
	if !ok {
		snapshot, err := b.snapshot(ctx)
		return []trust.File{snapshot}, err
	}
	chain, ok, err := b.chain(ctx, step)
	if err != nil {
		return nil, err
	}
	steps := lastOf(stepsFirst(append(slices.Clone(b.before.Files), step)), b.to.Serial)
	if ok && trust.Length(chain[1:]) <= chain[0].Length/maxPart {
		var old []trust.File
		if serial := chain[0].Release.Serial; b.to.Serial < serial+keepOld {
			old = lastOf(b.before.Files, serial)
		}
		return union(union(chain, steps), old), nil
	}
	snapshot, err := b.snapshot(ctx)
	return union(union([]trust.File{snapshot}, steps), lastOf(chain, b.to.Serial)), err
}

// chain extends the delta chain of the last release to the new serial. The argument step is the delta from the last
// release. Backwards from the end of the chain, each link (a delta) that is shorter than tier times all links after it
// together is joined with these. The first link that is not shorter stays, and so do the links before it. The method
// returns false if the joined link would have too many changes for a delta.
func (b *releaseBuilder) chain(ctx context.Context, step trust.File) (chain []trust.File, ok bool, err error) {
	chain, _ = b.before.UpdatePath(0) // ParseTargets has seen that there is one
	at, rest := len(chain), step.Length
	for at > 1 && chain[at-1].Length < tier*rest {
		at--
		rest += chain[at].Length
	}
	if at == len(chain) {
		return append(chain, step), true, nil
	}
	link, ok, err := b.delta(ctx, chain[at].Release.Base)
	return append(chain[:at], link), ok, err
}

// stepsFirst sorts files by base, highest first. Among the deltas that lead to one serial, the delta from the previous
// release (the step) then comes first.
func stepsFirst(files []trust.File) []trust.File {
	slices.SortStableFunc(files, func(f, g trust.File) int { return cmp.Compare(g.Release.Base, f.Release.Base) })
	return files
}

// lastOf follows deltas backwards, beginning with one that leads to this serial. It returns at most keepSteps deltas,
// the last one first. If several deltas lead to the same serial, it takes the first of them in files.
func lastOf(files []trust.File, serial uint64) (last []trust.File) {
	for len(last) < keepSteps {
		i := slices.IndexFunc(files, func(f trust.File) bool { return f.Release.Serial == serial && f.Release.Base > 0 })
		if i < 0 {
			break
		}
		last, serial = append(last, files[i]), files[i].Release.Base
	}
	return last
}

func union(a, b []trust.File) []trust.File {
	for _, f := range b {
		if !slices.ContainsFunc(a, func(have trust.File) bool { return have.Path == f.Path }) {
			a = append(a, f)
		}
	}
	return a
}

// snapshot writes a snapshot of the new release.
func (b *releaseBuilder) snapshot(ctx context.Context) (trust.File, error) {
	return b.write(fmt.Sprintf(snapshotFmt, b.to.Serial), b.to, blocklist.Header{}, b.history.Additions(ctx))
}

// delta writes the delta from an earlier serial to the new release. It returns false if there are too many changes for
// a delta.
func (b *releaseBuilder) delta(ctx context.Context, from uint64) (f trust.File, ok bool, err error) {
	signed, _ := b.before.State(from)
	base, err := signed.Header()
	if err != nil {
		return f, false, err
	}
	operation, err := b.operationOf(ctx, from)
	if errors.Is(err, sql.ErrNoRows) { // a recovery has skipped it: only the entries of later serials are known
		return f, false, nil
	}
	if err != nil {
		return f, false, fmt.Errorf("reading release %d: %w", from, err)
	}
	if n := uint64(b.now.LastChange - operation.LastChange); n > fewChanges &&
		n > min(maxChanges, b.now.Entries/maxChurn) {
		return f, false, nil
	}
	to := b.to
	to.Base = from
	f, err = b.write(fmt.Sprintf(deltaFmt, from, to.Serial), to, base, b.history.Changes(ctx, operation.ID, b.now.ID))
	return f, err == nil, err
}

// operationOf returns the last operation of the release with this serial.
func (b *releaseBuilder) operationOf(ctx context.Context, serial uint64) (Operation, error) {
	r, err := b.history.Release(ctx, serial)
	if err != nil {
		return Operation{}, err
	}
	return b.history.OperationByID(ctx, r.Operation)
}

// write writes a release file with these changes. It fails unless the changes, applied to the state base, lead to the
// entries and digest that the ledger has recorded.
func (b *releaseBuilder) write(name string, to trust.Release, base blocklist.Header,
	changes iter.Seq2[blocklist.Change, error],
) (file trust.File, err error) {
	h, err := to.Header()
	if err != nil {
		return file, fmt.Errorf("operation %d: %w: %w", b.now.ID, blocklist.ErrDamaged, err)
	}
	f, err := os.CreateTemp(b.path(filesDir), disk.TempPrefix+"*")
	if err != nil {
		return file, err
	}
	defer f.Close() //nolint:errcheck // Commit has closed it
	sum := sha256.New()
	length := &counter{}
	if err := b.compress(io.MultiWriter(f, sum, length), h, base, changes); err != nil {
		return file, errors.Join(err, os.Remove(f.Name()))
	}
	if b.key != nil {
		name += ".age"
	}
	file = trust.File{Path: name, Length: length.n, SHA256: sum.Sum(nil), Release: to, Key: b.key}
	mode, err := disk.FileMode(b.path(filesDir))
	if err != nil {
		return file, err
	}
	return file, errors.Join(f.Chmod(mode), disk.Commit(f, b.path(filesDir, fileName(file))))
}

// fileName returns the name of a release file in the agency's folder. It contains the file's hash, as on an origin, so
// a rebuilt file does not overwrite the old one.
func fileName(f trust.File) string { return path.Base(f.URLPath()) }

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// Units of padding, in bytes. Before encryption, a compressed delta or snapshot is padded to a multiple of its unit.
// This hides small differences in size.
const (
	deltaStep    = 384
	snapshotStep = 16 << 10
)

// compress writes the compressed text of a release file, encrypted if the list is confidential.
func (b *releaseBuilder) compress(w io.Writer, h, base blocklist.Header,
	changes iter.Seq2[blocklist.Change, error],
) error {
	if b.key == nil {
		return compress(w, 1, h, base, changes)
	}
	step := snapshotStep
	if h.IsDelta() {
		step = deltaStep
	}
	sealed, err := b.key.Seal(w)
	if err == nil {
		err = compress(sealed, step, h, base, changes)
	}
	if err != nil {
		return err
	}
	return sealed.Close()
}

func compress(w io.Writer, step int, h, base blocklist.Header, changes iter.Seq2[blocklist.Change, error]) error {
	window := trust.MaxWindow
	if h.IsDelta() || h.Entries <= fewEntries {
		window = shortWindow
	}
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithWindowSize(window),
		zstd.WithEncoderPadding(step),  // with a skippable frame, which decompressors ignore
		zstd.WithEncoderConcurrency(1)) // no parallelism: the same bytes each time, except for padding
	if err != nil {
		return err
	}
	defer z.Close() //nolint:errcheck // on success it is closed already
	if err := writeText(z, h, base, changes); err != nil {
		return err
	}
	return z.Close()
}

func writeText(w io.Writer, h, base blocklist.Header, changes iter.Seq2[blocklist.Change, error]) error {
	rw, err := blocklist.NewReleaseWriter(w, h)
	if err != nil {
		return err
	}
	digest, entries := base.Digest, base.Entries
	for c, err := range changes {
		if err != nil {
			return err
		}
		if c.Removed {
			digest.Remove(c.Entry.Append(nil))
			entries--
		} else {
			digest.Add(c.Entry.Append(nil))
			entries++
		}
		if err := rw.Write(c); err != nil {
			return err
		}
	}
	if digest != h.Digest || entries != h.Entries {
		return errDiverged()
	}
	return rw.Close()
}

// removeFiles deletes all release files except those of the last release and of the pending one.
func (l *Ledger) removeFiles(last ReleaseRecord, pending []trust.File) error {
	needed := map[string]bool{}
	if last.Serial > 0 {
		pushed, err := l.readPushed(last.Serial)
		if err != nil {
			return err
		}
		pending = slices.Concat(pending, pushed.targets.All())
	}
	for _, f := range pending {
		needed[fileName(f)] = true
	}
	names, err := os.ReadDir(l.path(filesDir))
	for _, n := range names {
		if !needed[n.Name()] {
			err = errors.Join(err, os.Remove(l.path(filesDir, n.Name())))
		}
	}
	return err
}

// errDiverged returns the error for a database whose entries are not those that its history leads to: another program
// has changed them.
func errDiverged() error {
	return fmt.Errorf("ledger: %w: the entries are not those that its history has led to; blocklist verify finds out why",
		blocklist.ErrDigest)
}
