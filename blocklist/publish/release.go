package publish

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// releaseDir is the folder of the pending release: targets.json, and the snapshot under its hash and name. When it is
// pushed, the folder becomes releases/SERIAL.
const releaseDir = "release"

// ErrUnchanged is returned by Release when the list is as it was released last.
var ErrUnchanged = errors.New("nothing has changed")

// Release makes the next release from the ledger and leaves it pending, unsigned. Entries past their expiry are taken out
// of the ledger first; that is an operation of its own, by author. A release that was pending for an older state is
// replaced, and with it its signatures; replaced tells. One that is pending for the very same state stays as it is.
func (l *Ledger) Release(ctx context.Context, author string) (p *Pending, replaced bool, err error) {
	unlock, err := l.lock(ctx)
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	if _, err := l.root(); err != nil {
		return nil, false, err
	}
	if err := l.expire(ctx, Cause{Author: author, Reason: "expired before the release"}); err != nil {
		return nil, false, err
	}
	now, err := head(ctx, l.db)
	if err != nil {
		return nil, false, err
	}
	held, err := l.heldRelease()
	if err != nil {
		return nil, false, err
	}
	if held != nil {
		if held.Ledger == now.Hash {
			return held, false, nil
		}
		if err := l.checkSent(ctx, held); err != nil {
			return nil, false, err
		}
	}
	if err := l.build(ctx, now); err != nil {
		return nil, false, err
	}
	p, err = l.heldRelease()
	return p, held != nil, err
}

// expire takes out what is past its expiry.
func (l *Ledger) expire(ctx context.Context, c Cause) error {
	return l.operate(ctx, KindExpire, c, func(o *operation) error {
		var r Result
		var targets []string
		for e, err := range query(ctx, o.tx, scanEntry, `SELECT target, attributes FROM entries WHERE attributes LIKE '% expires=%'`) {
			if err != nil {
				return err
			}
			if !e.Expires.IsZero() && !e.Expires.After(o.Time) {
				targets = append(targets, e.Target())
			}
		}
		for _, target := range targets {
			if err := o.remove(ctx, target, &r); err != nil {
				return err
			}
		}
		return nil
	})
}

// build writes the release of the state after the operation now.
func (l *Ledger) build(ctx context.Context, now Operation) error {
	last, err := lastRelease(ctx, l.db)
	if err != nil {
		return err
	}
	if err := l.checkChanged(last, now); err != nil {
		return err
	}
	digest, err := blocklist.ParseDigest(now.Digest)
	if err != nil {
		return fmt.Errorf("operation %d: %w: %w", now.ID, blocklist.ErrDamaged, err)
	}
	h := blocklist.Header{
		List: l.list, Serial: last.Serial + 1, Entries: now.Entries, Digest: digest, Created: time.Now().UTC().Truncate(time.Second),
	}
	if err := os.MkdirAll(l.path(pendingDir, releaseDir), 0o755); err != nil {
		return err
	}
	file, err := l.writeSnapshot(ctx, h)
	if err != nil {
		return err
	}
	file.Release = trust.Release{
		List: h.List, Serial: h.Serial, Entries: h.Entries, Digest: now.Digest, Created: h.Created, Ledger: now.Hash,
	}
	targets, err := trust.NewTargets(trust.TargetsSpec{
		List: h.List, Version: int64(h.Serial), Expires: lifetime(releaseLifetime), Files: []trust.File{file},
	})
	if err != nil {
		return err
	}
	if err := disk.WriteFile(l.path(pendingDir, releaseDir, targetsFile), targets, 0o644); err != nil {
		return err
	}
	return l.removeOthers(file)
}

// checkChanged refuses a release that would say what the last one said, unless that one ends soon, or officers whom its
// signatures need have gone since.
func (l *Ledger) checkChanged(last Released, now Operation) error {
	if last.Serial == 0 {
		return nil
	}
	pushed, err := readRelease(l.releasePath(last.Serial))
	if err != nil {
		return err
	}
	root, err := l.root()
	if err != nil {
		return err
	}
	_, unsigned := trust.OpenTargets(root, pushed.metadata)
	if pushed.snapshot.Release.Digest == now.Digest && time.Until(pushed.targets.Expires) > renewBefore && unsigned == nil {
		return fmt.Errorf("%w since serial %d", ErrUnchanged, last.Serial)
	}
	return nil
}

// writeSnapshot writes the whole list into the pending folder. It proves on the way that the entries are those that the
// history has led to.
func (l *Ledger) writeSnapshot(ctx context.Context, h blocklist.Header) (file trust.File, err error) {
	temp := l.path(pendingDir, releaseDir, disk.TempPrefix+"snapshot")
	f, err := os.Create(temp)
	if err != nil {
		return file, err
	}
	defer f.Close() //nolint:errcheck // Commit has closed it
	sum := sha256.New()
	length := &counter{}
	if err := l.compress(ctx, io.MultiWriter(f, sum, length), h); err != nil {
		return file, errors.Join(err, os.Remove(temp))
	}
	file = trust.File{Path: fmt.Sprintf("snapshot-%d.txt.zst", h.Serial), Length: length.n, SHA256: sum.Sum(nil)}
	return file, disk.Commit(f, l.path(pendingDir, releaseDir, fileName(file)))
}

// fileName is how a release file is called in the folder, as on an origin: a rebuilt one does not overwrite the old.
func fileName(f trust.File) string { return path.Base(f.URLPath()) }

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

func (l *Ledger) compress(ctx context.Context, w io.Writer, h blocklist.Header) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithWindowSize(trust.MaxWindow),
		zstd.WithEncoderConcurrency(1)) // one after the other: the same bytes each time
	if err != nil {
		return err
	}
	defer z.Close() //nolint:errcheck // on success it is closed already
	if err := l.writeText(ctx, z, h); err != nil {
		return err
	}
	return z.Close()
}

func (l *Ledger) writeText(ctx context.Context, w io.Writer, h blocklist.Header) error {
	rw, err := blocklist.NewReleaseWriter(w, h)
	if err != nil {
		return err
	}
	var digest blocklist.Digest
	var written uint64
	for e, err := range l.Entries(ctx) {
		if err != nil {
			return err
		}
		digest.Add(e.Append(nil))
		written++
		if err := rw.Write(blocklist.Change{Entry: e}); err != nil {
			return err
		}
	}
	if digest != h.Digest || written != h.Entries {
		return fmt.Errorf("ledger: %w: the entries are not those that its history has led to; blocklist verify finds out why", blocklist.ErrDigest)
	}
	return rw.Close()
}

// removeOthers removes what a replaced release has left in the pending folder.
func (l *Ledger) removeOthers(file trust.File) error {
	dir := l.path(pendingDir, releaseDir)
	names, err := os.ReadDir(dir)
	for _, n := range names {
		if n.Name() != targetsFile && n.Name() != fileName(file) {
			err = errors.Join(err, os.Remove(l.path(pendingDir, releaseDir, n.Name())))
		}
	}
	return err
}
