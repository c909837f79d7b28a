package publish

import (
	"bytes"
	"context"
	"crypto/sha256"
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

// What a release consists of: a snapshot of an earlier serial, deltas that lead from there to the newest serial, each
// longer than all that follow it (the chain), and the last steps (deltas from one serial to the next). Who holds one of
// the last serials takes steps; anyone else goes from the last serial where the chain passes that they have passed,
// too.
const (
	keepSteps  = 4       // steps, and links of the chain before a new snapshot
	keepOld    = 64      // releases for which these links are kept
	tier       = 4       // a link that is not so many times as long as what follows it is joined with that
	maxPart    = 4       // a chain longer than this part of the snapshot: time for a new one
	maxChurn   = 4       // more changed lines than this part of the list: no delta, but a snapshot
	maxChanges = 250_000 // changed lines of a delta; a subscriber keeps them in memory until they are merged
	fewChanges = 1000    // changed lines of a delta that always pays
	// bytes that are searched for repetitions; to make room for more takes longer than all else in a short delta
	deltaWindow = 1 << 20
	snapshotFmt = "snapshot-%d.txt.zst"
	deltaFmt    = "delta-%d-%d.txt.zst"
)

// releaseBuilder makes the files of one release.
type releaseBuilder struct {
	*Ledger
	to     trust.Release
	key    trust.ListKey     // of a confidential list
	before trust.TargetsSpec // of the release before
	now    Operation
}

// makeFiles writes the files that the next release has beyond those of the last one, and returns all of its files.
func (l *Ledger) makeFiles(ctx context.Context, last ReleaseRecord, now Operation, override string,
	key trust.ListKey) ([]trust.File, error) {
	b := releaseBuilder{Ledger: l, now: now, key: key, to: trust.Release{
		List: l.list, Serial: last.Serial + 1, Entries: now.Entries, Digest: now.Digest,
		Created: time.Now().UTC().Truncate(time.Second), Ledger: now.Hash, Override: override,
	}}
	if last.Serial == 0 {
		snapshot, err := b.snapshot(ctx)
		return []trust.File{snapshot}, err
	}
	before, err := l.readRelease(l.releasePath(last.Serial))
	if err != nil {
		return nil, err
	}
	b.before = before.targets
	if !bytes.Equal(key, b.before.Key) { // what was before is not for those who have the new key, or was in the clear
		snapshot, err := b.snapshot(ctx)
		return []trust.File{snapshot}, err
	}
	return b.files(ctx, last.Serial)
}

// files returns the chain to the new serial and the last steps.
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
	steps := lastOf(append(slices.Clone(b.before.Files), step), b.to.Serial, isStep)
	if ok && trust.Length(chain[1:]) <= chain[0].Length/maxPart {
		var old []trust.File
		if serial := chain[0].Release.Serial; b.to.Serial < serial+keepOld {
			old = lastOf(b.before.Files, serial, isDelta)
		}
		return union(union(chain, steps), old), nil
	}
	snapshot, err := b.snapshot(ctx)
	return union(union([]trust.File{snapshot}, steps), lastOf(chain, b.to.Serial, isDelta)), err
}

// chain returns the chain of the release before, led on to the new serial: its last links, as far as they are not much
// longer than what follows them, become one. It returns false if that is too much for a delta.
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

func isDelta(f trust.File) bool { return f.Release.Base > 0 }

func isStep(f trust.File) bool { return isDelta(f) && f.Release.Serial == f.Release.Base+1 }

// lastOf returns the last files of a kind that lead to a serial, one after the other.
func lastOf(files []trust.File, to uint64, kind func(trust.File) bool) (last []trust.File) {
	for len(last) < keepSteps {
		i := slices.IndexFunc(files, func(f trust.File) bool { return f.Release.Serial == to && kind(f) })
		if i < 0 {
			break
		}
		last, to = append(last, files[i]), files[i].Release.Base
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

// snapshot writes the whole list.
func (b *releaseBuilder) snapshot(ctx context.Context) (trust.File, error) {
	return b.write(fmt.Sprintf(snapshotFmt, b.to.Serial), b.to, blocklist.Header{}, b.history.Additions(ctx))
}

// delta writes what has changed since a serial, and returns false if that is too much for a delta.
func (b *releaseBuilder) delta(ctx context.Context, from uint64) (f trust.File, ok bool, err error) {
	signed, _ := b.before.State(from)
	base, err := signed.Header()
	if err != nil {
		return f, false, err
	}
	operation, err := b.operationOf(ctx, from)
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

// operationOf returns the last operation of the release with a serial.
func (b *releaseBuilder) operationOf(ctx context.Context, serial uint64) (Operation, error) {
	r, err := b.history.Release(ctx, serial)
	if err != nil {
		return Operation{}, err
	}
	return b.history.OperationByID(ctx, r.Operation)
}

// write writes a file. It proves on the way that the lines lead from the state base to the one that the history has led
// to.
func (b *releaseBuilder) write(name string, to trust.Release, base blocklist.Header,
	changes iter.Seq2[blocklist.Change, error]) (file trust.File, err error) {
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
	return file, errors.Join(f.Chmod(0o644), disk.Commit(f, b.path(filesDir, fileName(file))))
}

// fileName is how a release file is called in the folder, as on an origin: a rebuilt one does not overwrite the old.
func fileName(f trust.File) string { return path.Base(f.URLPath()) }

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// Steps in the length of encrypted files: what is a little longer or shorter does not show.
const (
	deltaStep    = 384
	snapshotStep = 16 << 10
)

// compress writes a file, encrypted where the list is confidential.
func (b *releaseBuilder) compress(w io.Writer, h, base blocklist.Header,
	changes iter.Seq2[blocklist.Change, error]) error {
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
	if h.IsDelta() {
		window = deltaWindow
	}
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithWindowSize(window),
		zstd.WithEncoderPadding(step),  // with a skippable frame, which decompressors do skip
		zstd.WithEncoderConcurrency(1)) // one after the other: the same bytes each time, but for padding
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

// removeFiles removes the files that neither the last release nor the one that is pending names.
func (l *Ledger) removeFiles(last ReleaseRecord, pending []trust.File) error {
	needed := map[string]bool{}
	if last.Serial > 0 {
		pushed, err := l.readRelease(l.releasePath(last.Serial))
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

// errDiverged says that the database was changed by something else than our commands.
func errDiverged() error {
	return fmt.Errorf("ledger: %w: the entries are not those that its history has led to; blocklist verify finds out why",
		blocklist.ErrDigest)
}
