package subscribe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/httpget"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// keptPrefix is the name prefix of release files in the list's folder.
const keptPrefix = "release-"

// keptPath returns the path of a release file on disk.
func (s *Subscription) keptPath(f trust.File) string {
	return filepath.Join(s.list.Dir(), fmt.Sprintf("%s%d-%.4x.zst", keptPrefix, f.Release.Serial, f.SHA256))
}

// installUpdate installs the newest release by the shortest update path: deltas from the current serial, or else a
// snapshot and the deltas after it. If the deltas fail, it tries the snapshot.
func (s *Subscription) installUpdate(ctx context.Context, o *fetch.Origin, spec trust.TargetsSpec,
	next trustState,
) (err error) {
	whole, _ := spec.UpdatePath(0) // always exists, since ParseTargets has checked it
	// Even if its files are on disk already, reading the whole list is expensive.
	if path, ok := s.deltas(spec); ok && s.missing(path) <= trust.Length(whole) {
		next.Kept = s.held.keptAfter(path)
		if err = s.fetchAndApply(ctx, o, path, next); err == nil || ctx.Err() != nil {
			return err
		}
		s.c.Log.WarnContext(ctx, "following by deltas did not work, trying the snapshot", slogErr(err))
	}
	next.Kept = whole
	if wholeErr := s.fetchAndApply(ctx, o, whole, next); wholeErr != nil {
		return errors.Join(err, wholeErr)
	}
	return nil
}

// maxBack limits the total compressed size of the deltas to revert, in bytes. They are combined in memory.
const maxBack = 1 << 20

// deltas returns the deltas to apply, as the update path with the fewest bytes to fetch. The path begins at the current
// serial or at an earlier one. If it begins at an earlier one, the deltas on disk from that serial to the current one
// must be reverted first.
func (s *Subscription) deltas(spec trust.TargetsSpec) (best []trust.File, ok bool) {
	info, held := s.store.List(s.c.List)
	if !held || info.Err != nil || info.Serial == 0 {
		return nil, false
	}
	best, ok = spec.UpdatePath(info.Serial)
	ok = ok && len(best) > 0
	if ok && len(best) == 1 || s.held.keptIndex(info.Serial) != len(s.held.Kept)-1 {
		return best, ok
	}
	var back int64
	for i := len(s.held.Kept) - 1; i > 0 && back <= maxBack; i-- {
		back += s.held.Kept[i].Length
		path, found := spec.UpdatePath(s.held.Kept[i-1].Release.Serial)
		if found && len(path) > 0 && (!ok || s.missing(path) < s.missing(best)) {
			best, ok = path, true
		}
	}
	return best, ok
}

// missing returns the total size in bytes of the files of an update path that are not on disk.
func (s *Subscription) missing(path []trust.File) (n int64) {
	for _, f := range path {
		if !s.isKept([]trust.File{f}) {
			n += f.Length
		}
	}
	return n
}

// fetchAndApply fetches the files of an update path, lets the guards check the update, and installs or holds it.
func (s *Subscription) fetchAndApply(ctx context.Context, o *fetch.Origin, path []trust.File, next trustState) error {
	if err := s.fetchAll(ctx, o, path); err != nil {
		return err
	}
	u, err := s.compose(ctx, path)
	if err != nil {
		return err
	}
	report, err := s.examine(ctx, u)
	if err != nil {
		return err
	}
	if report.Held > 0 {
		return s.setHold(ctx, path, next, report)
	}
	if err := s.putInForce(u, next); err != nil {
		return err
	}
	newest := path[len(path)-1].Release
	s.c.Log.InfoContext(ctx, "enforcing a new release", slog.Uint64("serial", newest.Serial), slog.Uint64("entries", newest.Entries),
		slog.Int("files", len(path)), slog.Int64("bytes", trust.Length(path)), slog.String("origin", o.Name))
	return nil
}

// fetchAll fetches the files that are not yet on disk.
func (s *Subscription) fetchAll(ctx context.Context, o *fetch.Origin, path []trust.File) error {
	if err := s.removeKeptBut(path); err != nil {
		return err
	}
	ctx, cancel := s.within(ctx, trust.Length(path))
	defer cancel()
	for _, f := range path {
		if file, err := s.openKept(f); err == nil {
			file.Close() //nolint:errcheck // it was only read
			continue
		}
		if err := s.fetch(ctx, o, f, s.keptPath(f)); err != nil {
			return err
		}
	}
	return nil
}

// fetch streams a file to disk. The file gets its name only after its length and hash were checked.
func (s *Subscription) fetch(ctx context.Context, o *fetch.Origin, f trust.File, path string) error {
	if f.Length > s.c.MaxRelease {
		return fmt.Errorf("%s: %w: %d bytes, the limit is %d", f.Path, blocklist.ErrTooLarge, f.Length, s.c.MaxRelease)
	}
	body, err := o.Open(ctx, f.URLPath())
	if err != nil {
		return err
	}
	err = disk.Write(path, 0o600, func(dst io.Writer) error { return trust.CopyFile(dst, body, f) })
	return errors.Join(err, body.Close())
}

// within returns a context for the transfer of a number of bytes. If there are other origins to try, the context has
// a time limit.
func (s *Subscription) within(ctx context.Context, bytes int64) (context.Context, context.CancelFunc) {
	if len(s.origins) < 2 {
		return ctx, func() {}
	}
	return httpget.WithBudget(ctx, bytes)
}

// applyKept installs an update from the files of an update path, which must be on disk.
func (s *Subscription) applyKept(ctx context.Context, path []trust.File, next trustState) error {
	u, err := s.compose(ctx, path)
	if err != nil {
		return err
	}
	return s.putInForce(u, next)
}

// putInForce puts an update in force. The store saves the list and the trust state in one durable step.
func (s *Subscription) putInForce(u update, next trustState) error {
	orders, next := s.urgentToEnforce(next)
	b, err := next.bytes()
	if err != nil {
		return err
	}
	s.expectFresh(u.header.Serial, next.expires(s.root.Spec().Expires))
	if err := s.list.Apply(u.header, u.changes, orders, b); err != nil {
		return err
	}
	s.held, s.kept = next, b
	s.updateStatus()
	select {
	case s.applied <- struct{}{}:
	default: // the channel has a value already
	}
	return errors.Join(s.dropHold(), s.removeKeptBut(nil))
}

// saveRebuildFiles saves the files from which the current list can be rebuilt without network: a snapshot and the
// deltas after it.
func (s *Subscription) saveRebuildFiles(ctx context.Context, o *fetch.Origin, spec trust.TargetsSpec,
	next trustState,
) error {
	next.Kept, _ = spec.UpdatePath(0)
	if err := s.fetchAll(ctx, o, next.Kept); err != nil {
		return err
	}
	if err := s.save(next); err != nil {
		return err
	}
	return s.removeKeptBut(nil)
}

// removeKeptBut removes release files, except those of the current release, of the hold and of an update path.
func (s *Subscription) removeKeptBut(path []trust.File) (err error) {
	needed := map[string]bool{}
	for _, f := range slices.Concat(s.held.Kept, s.hold.files(), path) {
		needed[s.keptPath(f)] = true
	}
	files, _ := filepath.Glob(filepath.Join(s.list.Dir(), keptPrefix+"*"))
	for _, old := range files {
		if !needed[old] {
			err = errors.Join(err, os.Remove(old))
		}
	}
	return err
}

// isKept reports whether files with these names and lengths are on disk.
func (s *Subscription) isKept(path []trust.File) bool {
	return !slices.ContainsFunc(path, func(f trust.File) bool {
		info, err := os.Stat(s.keptPath(f))
		return err != nil || info.Size() != f.Length
	})
}

// openKept opens a release file on disk after checking its hash.
func (s *Subscription) openKept(f trust.File) (io.ReadCloser, error) {
	return trust.OpenFile(s.keptPath(f), f)
}
