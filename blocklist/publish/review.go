package publish

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Review yields what the pending release p changes against the newest one that was pushed, in the order of a delta. It
// reads the very bytes that the signature will cover, and proves that they are what the metadata says of them, that all
// ways lead to the same list, and that the files which are not new were signed before; the ledger is not asked. The last
// thing it yields may be an error.
func (l *Ledger) Review(p *Pending) iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
		if err := l.review(p, yield); err != nil {
			yield(blocklist.Change{}, err)
		}
	}
}

func (l *Ledger) review(p *Pending, yield func(blocklist.Change, error) bool) error {
	after, err := p.release()
	if err != nil {
		return err
	}
	before, err := l.signedBefore(p)
	if err != nil {
		return err
	}
	way, _ := after.targets.Way(0) // readRelease has seen that there is one
	held, _ := before.targets.Way(0)
	if err := before.checkOld(after, way); err != nil {
		return err
	}
	step, hasStep := after.targets.File(p.Serial-1, p.Serial)
	if hasStep && slices.EqualFunc(way, append(held, step), trust.File.Equal) {
		trust.Changes(step, before.targets, l.openFile)(yield)
		return nil
	}
	return l.reviewWhole(held, way, yield, func(shown string) error {
		if !hasStep {
			return nil
		}
		return compareStep(trust.Changes(step, before.targets, l.openFile), shown)
	})
}

// checkOld tells whether every file that is neither on the way nor the step was signed before.
func (r signedRelease) checkOld(after signedRelease, way []trust.File) error {
	for _, f := range after.targets.Files {
		isNew := slices.ContainsFunc(way, f.Equal) || f.Release.Base > 0 && f.Release.Base+1 == after.serial()
		if !isNew && !slices.ContainsFunc(r.targets.Files, f.Equal) {
			return fmt.Errorf("reviewing: %w: %s is neither needed nor was it signed before", blocklist.ErrUntrusted, f.Path)
		}
	}
	return nil
}

// reviewWhole compares two lists entry by entry, where a new snapshot or bridge leads to the second. In the end it passes
// on what identifies the changes.
func (l *Ledger) reviewWhole(held, way []trust.File, yield func(blocklist.Change, error) bool, end func(string) error) error {
	sum, ended := sha256.New(), false
	trust.Difference(l.lines(held), l.lines(way))(func(c blocklist.Change, err error) bool {
		if err == nil {
			hashChange(sum, c)
		}
		ended = !yield(c, err) || err != nil
		return !ended
	})
	if ended {
		return nil
	}
	return end(string(sum.Sum(nil)))
}

func hashChange(sum hash.Hash, c blocklist.Change) { fmt.Fprintf(sum, "%t %s\n", c.Removed, c.Entry) }

// compareStep tells whether a step makes the changes that were shown.
func compareStep(step iter.Seq2[blocklist.Change, error], shown string) error {
	sum := sha256.New()
	for c, err := range step {
		if err != nil {
			return err
		}
		hashChange(sum, c)
	}
	if string(sum.Sum(nil)) != shown {
		return fmt.Errorf("reviewing: %w: the delta makes other changes than the snapshot", blocklist.ErrUntrusted)
	}
	return nil
}

// release returns the release that p is, from the very bytes that a signature covers.
func (p *Pending) release() (r signedRelease, err error) {
	r.dir, r.metadata = filepath.Dir(p.path), p.metadata
	return r, r.parse()
}

// signedBefore returns the release before p, which enough officers have signed: else a change could be hidden in it. The
// first release has none before it.
func (l *Ledger) signedBefore(p *Pending) (before signedRelease, err error) {
	if p.Serial == 1 {
		return before, nil
	}
	if before, err = readRelease(l.releasePath(p.Serial - 1)); err != nil {
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

// signedRelease is the folder with the metadata of a release, pending or pushed.
type signedRelease struct {
	dir      string
	metadata []byte // targets.json, as it was signed
	targets  trust.TargetsSpec
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
	return nil
}

func (r signedRelease) serial() uint64 { return r.targets.Newest().Serial }

// releasePath returns the folder of a release that was pushed: its own, or, after a crash, still the pending one.
func (l *Ledger) releasePath(serial uint64) string {
	own := l.path(releasesDir, fmt.Sprint(serial))
	if _, err := os.Stat(own); errors.Is(err, os.ErrNotExist) {
		return l.path(pendingDir, releaseDir)
	}
	return own
}

// openFile opens a file that has the length and hash which the metadata says it has.
func (l *Ledger) openFile(file trust.File) (io.ReadCloser, error) {
	return trust.OpenFile(l.path(filesDir, fileName(file)), file)
}

// lines yields the list that a way from 0 leads to, nothing without one.
func (l *Ledger) lines(way []trust.File) iter.Seq2[blocklist.Entry, error] {
	if len(way) == 0 {
		return func(func(blocklist.Entry, error) bool) {}
	}
	return trust.Entries(way, l.openFile)
}
