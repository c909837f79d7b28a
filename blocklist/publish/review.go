package publish

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"iter"
	"path/filepath"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Review yields the changes that the pending release p makes to the last pushed release, in the order of a delta. It
// reads them from the release files, whose hashes the signatures cover, not from the ledger. It proves that the files
// match the metadata, that all chains of files lead to the same list, and that officers have signed the files of
// earlier releases. For urgent orders it yields the changes to the previous orders. The last value may be an error.
func (d folder) Review(p *Pending) iter.Seq2[blocklist.Change, error] {
	if p != nil && p.Number > 0 {
		return d.reviewOrders(p)
	}
	return func(yield func(blocklist.Change, error) bool) {
		if err := d.review(p, yield); err != nil {
			yield(blocklist.Change{}, err)
		}
	}
}

func (d folder) review(p *Pending, yield func(blocklist.Change, error) bool) error {
	if err := p.checkRelease(); err != nil {
		return err
	}
	after, err := d.parseRelease(filepath.Dir(p.path), p.metadata)
	if err != nil {
		return err
	}
	before, err := d.signedBefore(p)
	if err != nil {
		return err
	}
	if p.base > 0 {
		if err := trust.CheckEquivocation(&before.targets, after.targets); err != nil {
			return fmt.Errorf("reviewing: %w", err)
		}
	}
	chain, _ := after.targets.UpdatePath(0) // readRelease has seen that there is one
	old, _ := before.targets.UpdatePath(0)
	fresh := before.unsigned(after)
	step, hasStep := after.targets.File(p.base, p.Serial)
	links := slices.DeleteFunc(slices.Clone(fresh), func(f trust.File) bool {
		return !hasStep ||
			!before.leadsFrom(f.Release.Base)
	})
	if err := d.checkLinks(links, step, before); err != nil {
		return err
	}
	if len(links) == len(fresh) {
		trust.Changes(step, before.targets, d.openFile)(yield)
		return nil
	}
	for _, f := range fresh {
		if !slices.ContainsFunc(links, f.Equal) && !slices.ContainsFunc(chain, f.Equal) {
			return fmt.Errorf("reviewing: %w: %s is neither needed nor was it signed before", blocklist.ErrUntrusted, f.Path)
		}
	}
	return d.reviewWhole(old, chain, yield, func(shown string) error {
		return d.compareStep(step, hasStep, before, shown)
	})
}

// unsigned returns the files of the release later that are not in the signed release r: no officer has signed them yet.
func (r signedRelease) unsigned(later signedRelease) []trust.File {
	return slices.DeleteFunc(slices.Clone(later.targets.Files),
		func(f trust.File) bool { return slices.ContainsFunc(r.targets.Files, f.Equal) })
}

// leadsFrom reports whether the deltas of the signed release r lead from this serial to r. It returns false for serial
// 0.
func (r signedRelease) leadsFrom(serial uint64) bool {
	_, ok := r.targets.UpdatePath(serial)
	return ok && serial > 0
}

// checkLinks proves that each new link of the delta chain makes exactly the net changes of the signed deltas since its
// base and of the step, the delta from the previous release.
func (d folder) checkLinks(links []trust.File, step trust.File, before signedRelease) error {
	for _, f := range links {
		if f.Equal(step) {
			continue
		}
		signed, _ := before.targets.UpdatePath(f.Release.Base)
		want, err := hashChanges(trust.NetChanges(nil, append(signed, step), d.openFile))
		if err != nil {
			return err
		}
		got, err := hashChanges(trust.NetChanges(nil, []trust.File{f}, d.openFile))
		if err != nil {
			return err
		}
		if f.Release.Serial != step.Release.Serial || got != want {
			return fmt.Errorf("reviewing: %w: %s makes other changes than those that were signed, and the new ones",
				blocklist.ErrUntrusted, f.Path)
		}
	}
	return nil
}

// reviewWhole yields the changes between two whole lists, each given as a chain of release files. It is for releases
// that can't be checked delta by delta: those with a new snapshot, or with a new delta from a serial from which no
// signed deltas lead to the previous release. After the last change, it calls end with the hash of all changes.
func (d folder) reviewWhole(before, after []trust.File, yield func(blocklist.Change, error) bool,
	end func(string) error,
) error {
	sum, ended := sha256.New(), false
	trust.Diff(d.lines(before), d.lines(after))(func(c blocklist.Change, err error) bool {
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

// compareStep fails unless the step, the delta from the previous release, makes the changes that the review has shown.
// Shown is the hash of these changes. If the release has no step, compareStep succeeds.
func (d folder) compareStep(step trust.File, hasStep bool, before signedRelease, shown string) error {
	if !hasStep {
		return nil
	}
	sum, err := hashChanges(trust.Changes(step, before.targets, d.openFile))
	if err == nil && sum != shown {
		err = fmt.Errorf("reviewing: %w: the delta makes other changes than the snapshot", blocklist.ErrUntrusted)
	}
	return err
}

func hashChanges(changes iter.Seq2[blocklist.Change, error]) (string, error) {
	sum := sha256.New()
	for c, err := range changes {
		if err != nil {
			return "", err
		}
		hashChange(sum, c)
	}
	return string(sum.Sum(nil)), nil
}
