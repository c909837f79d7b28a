package publish

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Review yields what the pending release p changes against the newest one that was pushed, in the order of a delta. It
// reads the very bytes that the signature will cover, and proves that they are what the metadata says of them; the ledger
// is not asked. The last thing it yields may be an error.
func (l *Ledger) Review(p *Pending) iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
		after, err := p.release()
		if err != nil {
			yield(blocklist.Change{}, err)
			return
		}
		if p.Serial == 1 {
			after.lines()(yield)
			return
		}
		before, err := l.signedBefore(p)
		if err != nil {
			yield(blocklist.Change{}, err)
			return
		}
		difference(before.lines(), after.lines(), yield)
	}
}

// difference merges two states, both in the order of a release.
func difference(before, after iter.Seq2[blocklist.Change, error], yield func(blocklist.Change, error) bool) {
	was, stop := newCursor(before)
	defer stop()
	is, stop := newCursor(after)
	defer stop()
	for was.more || is.more {
		if err := errors.Join(was.err, is.err); err != nil {
			yield(blocklist.Change{}, err)
			return
		}
		order := was.compare(is)
		same := order == 0 && was.at.String() == is.at.String()
		if !same && !tell(order, was.at, is.at, yield) {
			return
		}
		if order <= 0 {
			was.advance()
		}
		if order >= 0 {
			is.advance()
		}
	}
}

// tell yields what went, what came, or both where only the attributes are other ones.
func tell(order int, was, is blocklist.Entry, yield func(blocklist.Change, error) bool) bool {
	if order <= 0 && !yield(blocklist.Change{Removed: true, Entry: was}, nil) {
		return false
	}
	return order < 0 || yield(blocklist.Change{Entry: is}, nil)
}

// cursor stands on an entry of a state, or at its end.
type cursor struct {
	at   blocklist.Entry
	err  error
	more bool
	next func() (blocklist.Change, error, bool)
}

func newCursor(lines iter.Seq2[blocklist.Change, error]) (c *cursor, stop func()) {
	c = &cursor{}
	c.next, stop = iter.Pull2(lines)
	c.advance()
	return c, stop
}

func (c *cursor) advance() {
	change, err, more := c.next()
	c.at, c.err, c.more = change.Entry, err, more
}

// compare orders two cursors by target; the end comes last.
func (c *cursor) compare(other *cursor) int {
	switch {
	case !other.more:
		return -1
	case !c.more:
		return 1
	}
	return strings.Compare(c.at.Target(), other.at.Target())
}

// release returns the release that p is, from the very bytes that a signature covers.
func (p *Pending) release() (r signedRelease, err error) {
	r.dir, r.metadata = filepath.Dir(p.path), p.metadata
	return r, r.parse()
}

// signedBefore returns the release before p, which enough officers have signed: else a change could be hidden in it.
func (l *Ledger) signedBefore(p *Pending) (signedRelease, error) {
	before, err := readRelease(l.releasePath(p.Serial - 1))
	if err != nil {
		return before, err
	}
	roots, err := l.chain()
	if err != nil {
		return before, err
	}
	if _, err := signedUnder(roots, before.metadata); err != nil {
		return before, fmt.Errorf("the release before: %w", err)
	}
	return before, nil
}

// signedRelease is the folder of a release, pending or pushed.
type signedRelease struct {
	dir      string
	metadata []byte // targets.json, as it was signed
	targets  trust.TargetsSpec
	snapshot trust.File
}

// readRelease reads the metadata of the release in dir.
func readRelease(dir string) (r signedRelease, err error) {
	r.dir = dir
	if r.metadata, err = os.ReadFile(filepath.Join(dir, targetsFile)); err != nil {
		return r, err
	}
	return r, r.parse()
}

func (r *signedRelease) parse() (err error) {
	if r.targets, err = trust.ParseTargets(r.metadata); err != nil {
		return fmt.Errorf("reading %s: %w", r.dir, err)
	}
	r.snapshot, _ = r.targets.Snapshot() // ParseTargets has seen that there is one
	return nil
}

func (r signedRelease) serial() uint64 { return r.snapshot.Release.Serial }

// releasePath returns the folder of a release that was pushed: its own, or, after a crash, still the pending one.
func (l *Ledger) releasePath(serial uint64) string {
	own := l.path(releasesDir, fmt.Sprint(serial))
	if _, err := os.Stat(own); errors.Is(err, os.ErrNotExist) {
		return l.path(pendingDir, releaseDir)
	}
	return own
}

// open opens a file of the release that has the length and hash which the metadata says it has.
func (r signedRelease) open(file trust.File) (io.ReadCloser, error) {
	f, err := os.Open(filepath.Join(r.dir, fileName(file)))
	if err != nil {
		return nil, err
	}
	err = trust.CopyFile(io.Discard, f, file)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// lines yields what the snapshot holds. If it ends without an error, that was whole, in order, and what was signed.
func (r signedRelease) lines() iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
		f, err := r.open(r.snapshot)
		if err != nil {
			yield(blocklist.Change{}, err)
			return
		}
		defer f.Close() //nolint:errcheck // it was only read
		reader, text, err := trust.OpenRelease(f, r.snapshot)
		if err != nil {
			yield(blocklist.Change{}, err)
			return
		}
		defer text.Close() //nolint:errcheck // it was only read
		reader.Changes()(yield)
	}
}
