package trust

import (
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// Difference yields what leads from one list to another, both in the order of a release; its own is that of a delta. The
// last thing it yields may be an error.
func Difference(before, after iter.Seq2[blocklist.Entry, error]) iter.Seq2[blocklist.Change, error] {
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
	next func() (blocklist.Entry, error, bool)
}

func newCursor(entries iter.Seq2[blocklist.Entry, error]) (c *cursor, stop func()) {
	c = &cursor{}
	c.next, stop = iter.Pull2(entries)
	c.advance()
	return c, stop
}

func (c *cursor) advance() { c.at, c.err, c.more = c.next() }

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

// Net yields what it changes altogether to take back the deltas of back, and to make those of way, in the order of a delta: an
// entry that went and came back the same is no change. The last thing it yields may be an error.
func Net(back, way []File, open Open) iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
		all := outcomes{}
		err := all.read(back, open, all.takeBack)
		if err == nil {
			err = all.read(way, open, all.follow)
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

// outcome is what became of one target.
type outcome struct {
	was, is       bool
	before, after blocklist.Entry
}

type outcomes map[string]outcome

func (all outcomes) read(files []File, open Open, do func(*blocklist.ReleaseReader) error) error {
	for r, err := range Readers(files, open) {
		if err == nil {
			err = do(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (all outcomes) follow(r *blocklist.ReleaseReader) error {
	for c, err := range r.Changes() {
		if err != nil {
			return err
		}
		all.note(c)
	}
	return nil
}

// takeBack reads a delta from its end: what it put in place of another entry goes first.
func (all outcomes) takeBack(r *blocklist.ReleaseReader) error {
	var changes []blocklist.Change
	for c, err := range r.Changes() {
		if err != nil {
			return err
		}
		changes = append(changes, c)
	}
	for _, c := range slices.Backward(changes) {
		c.Removed = !c.Removed
		all.note(c)
	}
	return nil
}

func (all outcomes) note(c blocklist.Change) {
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
		return o.before.String() == o.after.String() || tell(0, o.before, o.after, yield)
	case o.was:
		return tell(-1, o.before, o.after, yield)
	}
	return !o.is || tell(1, o.before, o.after, yield)
}
