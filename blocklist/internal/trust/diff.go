package trust

import (
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// Diff yields the changes from one list to another, in the order of a delta. Both lists must be in the order of a
// release. The last value may be an error.
func Diff(before, after iter.Seq2[blocklist.Entry, error]) iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
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
			if !same && !yieldChange(order, was.at, is.at, yield) {
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
}

// yieldChange yields the removal of the old entry (order < 0), the addition of the current one (order > 0), or both
// (order 0: the attributes have changed).
func yieldChange(order int, old, current blocklist.Entry, yield func(blocklist.Change, error) bool) bool {
	if order <= 0 && !yield(blocklist.Change{Removed: true, Entry: old}, nil) {
		return false
	}
	return order < 0 || yield(blocklist.Change{Entry: current}, nil)
}

// cursor is a position in a list.
type cursor struct {
	at   blocklist.Entry
	err  error
	more bool
	next func() (blocklist.Entry, error, bool)
}

func newCursor(entries iter.Seq2[blocklist.Entry, error]) (c *cursor, stop func()) {
	c = &cursor{}
	c.next, stop = iter.Pull2(entries)
	c.advance()
	return c, stop
}

func (c *cursor) advance() { c.at, c.err, c.more = c.next() }

// compare compares two cursors by target. The end of a list comes last.
func (c *cursor) compare(other *cursor) int {
	switch {
	case !other.more:
		return -1
	case !c.more:
		return 1
	}
	return strings.Compare(c.at.Target(), other.at.Target())
}

// NetChanges reverts some deltas, applies others, and yields the net changes in the order of a delta. An entry that is
// removed and added again with the same attributes is not a change. The deltas to revert are given newest first. The
// last value may be an error.
func NetChanges(revert, apply []File, open Open) iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
		all := outcomes{}
		err := all.read(revert, open, all.revert)
		if err == nil {
			err = all.read(apply, open, all.apply)
		}
		if err != nil {
			yield(blocklist.Change{}, err)
			return
		}
		for _, target := range slices.Sorted(maps.Keys(all)) {
			if !all[target].yield(yield) {
				return
			}
		}
	}
}

// outcome is the state of one target before and after all changes of [NetChanges].
type outcome struct {
	was, is       bool // whether the target is listed before, and after
	before, after blocklist.Entry
}

type outcomes map[string]outcome

func (all outcomes) read(files []File, open Open, do func(*blocklist.ReleaseReader) error) error {
	for r, err := range readers(files, open) {
		if err == nil {
			err = do(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (all outcomes) apply(r *blocklist.ReleaseReader) error {
	for c, err := range r.Changes() {
		if err != nil {
			return err
		}
		all.record(c)
	}
	return nil
}

// revert records the changes of a delta in reverse. It starts at the end of the delta, because a replaced entry has two
// lines whose order matters.
func (all outcomes) revert(r *blocklist.ReleaseReader) error {
	var changes []blocklist.Change
	for c, err := range r.Changes() {
		if err != nil {
			return err
		}
		changes = append(changes, c)
	}
	for _, c := range slices.Backward(changes) {
		c.Removed = !c.Removed
		all.record(c)
	}
	return nil
}

func (all outcomes) record(c blocklist.Change) {
	target := c.Entry.Target()
	o, seen := all[target]
	if !seen && c.Removed {
		o.was, o.before = true, c.Entry
	}
	o.is, o.after = !c.Removed, c.Entry
	all[target] = o
}

func (o outcome) yield(yield func(blocklist.Change, error) bool) bool {
	switch {
	case o.was && o.is:
		return o.before.String() == o.after.String() || yieldChange(0, o.before, o.after, yield)
	case o.was:
		return yieldChange(-1, o.before, o.after, yield)
	}
	return !o.is || yieldChange(1, o.before, o.after, yield)
}
