package subscribe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/vouch"
)

// choose returns the file that is the shortest verified way to the newest release: the snapshot, so far the only one.
func choose(spec trust.TargetsSpec) trust.File {
	f, _ := spec.Snapshot() // ParseTargets saw to it that there is one
	return f
}

// keptPrefix begins the names of kept releases in the list's folder.
const keptPrefix = "release-"

// keptPath returns where the file of a release is kept.
func (s *Subscription) keptPath(f trust.File) string {
	return filepath.Join(s.dir, fmt.Sprintf("%s%d-%.4x.zst", keptPrefix, f.Release.Serial, f.SHA256))
}

// fetchAndApply puts a release in force: its file first, then the state together with what vouches for it.
func (s *Subscription) fetchAndApply(ctx context.Context, o *origin, spec trust.TargetsSpec, next evidence) error {
	f := choose(spec)
	path := s.keptPath(f)
	if checkKept(path, f) != nil { // a try before may have got as far as this
		if err := s.fetch(ctx, o, f, path); err != nil {
			return err
		}
	}
	if err := s.apply(f, next); err != nil {
		return err
	}
	s.c.Log.InfoContext(ctx, "enforcing a new release", slog.Uint64("serial", f.Release.Serial), slog.Uint64("entries", f.Release.Entries), slog.String("origin", o.name))
	return nil
}

// fetch streams a file to the disk; it gets its name only when it is whole and its hash is the one that was signed.
func (s *Subscription) fetch(ctx context.Context, o *origin, f trust.File, path string) error {
	if f.Length > s.c.MaxRelease {
		return fmt.Errorf("%s: %w: %d bytes, the limit is %d", f.Path, blocklist.ErrTooLarge, f.Length, s.c.MaxRelease)
	}
	body, err := o.open(ctx, f.URLPath())
	if err != nil {
		return err
	}
	err = disk.Write(path, 0o600, func(dst io.Writer) error { return trust.CopyFile(dst, body, f) })
	return errors.Join(err, body.Close())
}

// apply decompresses and parses a kept file, hash first, and hands it to the store.
func (s *Subscription) apply(f trust.File, next evidence) error {
	path := s.keptPath(f)
	if err := s.removeKeptBut(path); err != nil {
		return err
	}
	file, err := openKept(path, f)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	r, text, err := trust.OpenRelease(file, f)
	if err != nil {
		return err
	}
	defer text.Close() //nolint:errcheck // it was only read
	b, err := next.bytes()
	if err != nil {
		return err
	}
	if err := s.store.Apply(blocklist.Vouch(vouch.Verified{}, r, b)); err != nil {
		return err
	}
	s.held = next
	return s.removeKeptBut(path)
}

// removeKeptBut removes the files of releases that are neither the one held nor the one at path.
func (s *Subscription) removeKeptBut(path string) (err error) {
	held := path
	if spec, err := s.heldTargets(); err == nil {
		held = s.keptPath(choose(spec))
	}
	files, _ := filepath.Glob(filepath.Join(s.dir, keptPrefix+"*"))
	for _, old := range files {
		if old != held && old != path {
			err = errors.Join(err, os.Remove(old))
		}
	}
	return err
}

// isKept tells, without reading it, whether the file is there.
func isKept(path string, f trust.File) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() == f.Length
}

// openKept opens a kept file after checking its hash.
func openKept(path string, f trust.File) (*os.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	err = trust.CopyFile(io.Discard, file, f)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func checkKept(path string, f trust.File) error {
	file, err := openKept(path, f)
	if err != nil {
		return err
	}
	return file.Close()
}
