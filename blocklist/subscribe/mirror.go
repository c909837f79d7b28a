package subscribe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// mirrorGrace is how long a mirror keeps the files that a newer release has replaced, for subscribers whose download
// has begun.
const mirrorGrace = 24 * time.Hour

// mirrorLock is the name of the lock file in a list's folder on a mirror.
const mirrorLock = ".lock"

// Mirrored is the result of [Mirror].
type Mirrored struct {
	Serial  uint64 // serial of the release in the folder
	Root    int64  // version of the newest root in the folder
	Changed bool   // whether a new timestamp was written
	Files   int    // number of copied release files
	Bytes   int64  // total size of the copied release files
	Removed int    // number of removed documents and release files
}

// Mirror brings a copy of a list in the folder dir up to date. The copy is below dir/lists/LIST, as an origin serves
// it: any web server that serves dir is a mirror. Mirror uses the first origin that answers, and the fields List, Root,
// Origins, Client and MaxRelease of the Config.
//
// Everything is verified before it is written, from the root on. It is also compared with the content of the folder:
// the copy never goes back to an older release. A confidential list is copied encrypted, without an identity. The
// timestamp is written last, so that at any point, killed or not, the folder has the old release or the new one. Files
// that a newer release has replaced are removed after a day.
//
// Mirror fails with [blocklist.ErrBusy] if another process copies the list to the folder, with [blocklist.ErrExpired]
// if no origin has unexpired metadata, and otherwise like [Subscription.Refresh].
func Mirror(ctx context.Context, c Config, dir string) (Mirrored, error) {
	m, err := openMirror(ctx, c, dir)
	if err != nil {
		return Mirrored{}, fmt.Errorf("the copy of %.80q in %s: %w", c.List, dir, err)
	}
	defer m.lock.Close() //nolint:errcheck // nothing was written to it
	origins, err := fetch.Origins(c.List, c.Origins, c.Client)
	for _, o := range origins {
		done, copyErr := m.update(ctx, o)
		if copyErr == nil {
			return done, nil
		}
		err = errors.Join(err, fmt.Errorf("%s: %w", o.Name, copyErr))
	}
	return Mirrored{}, fmt.Errorf("copying %.80q: %w", c.List, err)
}

// mirror is the copy of a list in a folder. The field held has the documents that the folder had.
type mirror struct {
	c    Config
	dir  trust.Folder
	lock io.Closer
	pin  *trust.Root // the root of the Config
	root *trust.Root // the newest verified root
	held trust.Metadata
}

// openMirror locks the folder, and reads its documents. The root of the Config may be older or newer than the
// folder's.
func openMirror(ctx context.Context, c Config, dir string) (m *mirror, err error) {
	m = &mirror{c: c}
	if m.pin, err = openRoot(c.Root); err != nil {
		return nil, err
	}
	m.root = m.pin
	if list := m.root.Spec().List; list != c.List {
		return nil, fmt.Errorf("%w: the root is of list %q", blocklist.ErrUntrusted, list)
	}
	if m.c.MaxRelease <= 0 {
		m.c.MaxRelease = maxRelease
	}
	m.dir = trust.Folder(dir)
	m.dir = trust.Folder(m.dir.Path("lists/" + c.List))
	if err := disk.MkdirAll(m.dir.Path(trust.TargetsDir)); err != nil {
		return nil, err
	}
	if m.lock, err = disk.LockSilently(m.dir.Path(mirrorLock)); err != nil {
		if errors.Is(err, disk.ErrLocked) {
			err = fmt.Errorf("%w by another process that copies this list there", err)
		}
		return nil, err
	}
	err = errors.Join(disk.RemoveTemps(string(m.dir)), disk.RemoveTemps(m.dir.Path(trust.TargetsDir)))
	if err == nil {
		err = m.read(ctx, dir)
	}
	if err != nil {
		return nil, errors.Join(err, m.lock.Close())
	}
	return m, nil
}

// read verifies the roots in the folder, and reads its other documents. It ignores documents that can't be parsed:
// they are copied again.
func (m *mirror) read(ctx context.Context, dir string) error {
	own, err := fetch.Origins(m.c.List, []string{dir}, nil)
	if err != nil {
		return err
	}
	if err := m.comparePin(); err != nil {
		return err
	}
	if err := m.followRoots(ctx, own[0], func([]byte) {}); err != nil {
		return fmt.Errorf("reading the roots: %w", err)
	}
	b, _ := os.ReadFile(m.dir.Path(trust.TimestampName))
	if m.held.Timestamp, err = trust.ParseTimestamp(b); err != nil {
		m.held.Timestamp = nil
		return nil
	}
	b, _ = os.ReadFile(m.dir.Path(trust.SnapshotName(m.held.Timestamp.Snapshot.Version)))
	if m.held.Snapshot, err = trust.ParseSnapshot(b); err != nil {
		m.held.Snapshot = nil
		return nil
	}
	b, _ = os.ReadFile(m.dir.Path(trust.TargetsName(m.held.Snapshot.Targets.Version)))
	if targets, err := trust.ParseTargets(b); err == nil {
		m.held.Targets = &targets
	}
	return nil
}

// comparePin returns an error if the folder has a different root with the version of the trusted root.
func (m *mirror) comparePin() error {
	b, err := os.ReadFile(m.dir.Path(trust.RootName(m.root.Version())))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if here, err := trust.ParseRoot(b); err != nil || here.ID() != m.root.ID() {
		return fmt.Errorf("%w: its root %d is not the trusted one; use another folder", blocklist.ErrUntrusted, m.root.Version())
	}
	return nil
}

// followRoots fetches and verifies the roots after the newest one, and passes each to keep.
func (m *mirror) followRoots(ctx context.Context, from source, keep func([]byte)) error {
	return fetchRoots(ctx, from, m.root.Version()+1, func(b []byte) error {
		root, err := checkNextRoot(m.root, b)
		if err == nil {
			m.root = root
			keep(b)
		}
		return err
	})
}

// document is a metadata file, which update writes after the release files.
type document struct {
	name    string
	content []byte
}

// update copies the newest release of an origin, in an order in which no reader sees half a release: release files,
// targets, urgent orders, snapshot, roots, timestamp.
func (m *mirror) update(ctx context.Context, o *fetch.Origin) (done Mirrored, err error) {
	before := m.root
	defer func() {
		if err != nil {
			m.root = before
		}
	}()
	docs, spec, err := m.verify(ctx, o)
	if err != nil {
		return done, err
	}
	done = Mirrored{Serial: uint64(spec.Version), Root: m.root.Version()}
	for _, f := range spec.All() {
		if m.dir.Has(f) {
			continue
		}
		if err := m.copyFile(ctx, o, f); err != nil {
			return done, err
		}
		done.Files, done.Bytes = done.Files+1, done.Bytes+f.Length
	}
	for _, d := range docs {
		written, err := m.write(d)
		if err != nil {
			return done, err
		}
		done.Changed = written && d.name == trust.TimestampName
	}
	done.Removed, err = m.removeOld(docs, time.Now().Add(-mirrorGrace))
	return done, err
}

// verify fetches and verifies the metadata of an origin. It returns the documents in the order in which update must
// write them.
func (m *mirror) verify(ctx context.Context, o *fetch.Origin) (docs []document, spec trust.TargetsSpec, err error) {
	timestamp, _, err := o.Timestamp(ctx, nil)
	if err != nil {
		return nil, spec, err
	}
	roots, err := m.newRoots(ctx, o)
	if err != nil {
		return nil, spec, err
	}
	u := newUpdater(m.root, m.held, time.Now())
	if spec, err = verifyUpdate(ctx, o, u, m.held, timestamp, nil); err != nil {
		return nil, spec, err
	}
	next := u.Accepted()
	docs = []document{{trust.TargetsName(spec.Version), spec.Bytes()}}
	if want, ok := u.Urgent(); ok {
		b, err := o.Document(ctx, want.Name, want.Limit)
		if err == nil {
			err = want.Verify(b)
		}
		if err != nil {
			return nil, spec, fmt.Errorf("urgent orders: %w", err)
		}
		docs = append(docs, document{want.Name, b})
	}
	docs = append(docs, document{trust.SnapshotName(next.Snapshot.Version), next.Snapshot.Bytes()})
	return append(append(docs, roots...), document{trust.TimestampName, next.Timestamp.Bytes()}), spec, nil
}

// newRoots fetches and verifies the roots that the folder lacks: the roots after its newest root, and the roots
// before the trusted root. Subscribers that begin with an older root need the latter.
func (m *mirror) newRoots(ctx context.Context, o *fetch.Origin) (docs []document, err error) {
	if !slices.Contains(m.dir.Versions("root"), m.pin.Version()) {
		early, err := earlierRoots(ctx, o, m.c.Root)
		if err != nil {
			return nil, err
		}
		for i, b := range early {
			docs = append(docs, document{trust.RootName(int64(i) + 1), b})
		}
	}
	err = m.followRoots(ctx, o, func(b []byte) {
		docs = append(docs, document{trust.RootName(m.root.Version()), b})
	})
	return docs, err
}

// copyFile copies a release file. The copy gets its name only after its length and hash were checked.
func (m *mirror) copyFile(ctx context.Context, o *fetch.Origin, f trust.File) error {
	if f.Length > m.c.MaxRelease {
		return fmt.Errorf("%s: %w: %d bytes, the limit is %d", f.Path, blocklist.ErrTooLarge, f.Length, m.c.MaxRelease)
	}
	body, err := o.Open(ctx, f.URLPath())
	if err != nil {
		return err
	}
	err = disk.Write(m.dir.Path(f.URLPath()), disk.Inherit, func(w io.Writer) error { return trust.CopyFile(w, body, f) })
	return errors.Join(err, body.Close())
}

// write writes a document, unless the folder has it already.
func (m *mirror) write(d document) (written bool, err error) {
	path := m.dir.Path(d.name)
	if held, err := os.ReadFile(path); err == nil && bytes.Equal(held, d.content) {
		return false, nil
	}
	return true, disk.WriteFile(path, d.content, disk.Inherit)
}

// documentName is the form of a document's name: version and role.
const documentName = "%d.%s.json"

// removeOld removes documents whose successors were written before the time limit, except for the current documents.
// Then it removes the release files that no remaining targets document names. It returns the number of removed files.
func (m *mirror) removeOld(current []document, limit time.Time) (removed int, err error) {
	for _, role := range []string{"targets", "snapshot", "urgent"} {
		versions := m.dir.Versions(role)
		for i := range len(versions) - 1 {
			name, successor := fmt.Sprintf(documentName, versions[i], role), fmt.Sprintf(documentName, versions[i+1], role)
			info, err := os.Stat(m.dir.Path(successor))
			if err != nil {
				return removed, err
			}
			if info.ModTime().After(limit) {
				break
			}
			if slices.ContainsFunc(current, func(d document) bool { return d.name == name }) {
				continue
			}
			if err := os.Remove(m.dir.Path(name)); err != nil {
				return removed, err
			}
			removed++
		}
	}
	files, err := m.dir.RemoveUnnamed()
	return removed + files, err
}
