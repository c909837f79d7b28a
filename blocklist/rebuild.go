package blocklist

import (
	"fmt"
	"iter"
	"runtime"
)

// LocalChange says how the entries that are to be set differ from those that are in force, by their targets.
type LocalChange struct {
	Before  uint64 // entries in force; 0 if there are none, or their files are damaged
	After   uint64 // entries to come
	Added   uint64 // of these: those that are not in force
	Removed uint64 // of those in force: those that are not to come
}

// LocalReview examines the new state of a local list before it takes effect. Both functions may be nil.
type LocalReview struct {
	// New is given each entry to come that is not in force, or that only monitors there, with its target and its status
	// alone; again where it is listed again. It is called by another goroutine than the one that reads the entries.
	New func(Entry)
	// Approve is called once all is read. On an error the old state stays, and that is the error. The metadata, valid
	// JSON of at most 1 MiB, is kept with the new state, see [Store.Metadata]; nil: none.
	Approve func(LocalChange) (metadata []byte, err error)
}

// rebuild compiles entries into a new set that holds the state, in place of the set before, unless the review is
// against it.
func (st *state) rebuild(sec *secret, entries iter.Seq2[Entry, error], before *set, review LocalReview) error {
	b := newBuilder(sec)
	b.before, b.reviewNew = before, review.New
	defer b.close()
	if err := b.addAll(entries); err != nil {
		return fmt.Errorf("compiling %s: %w", st.Header.List, err)
	}
	content := b.content()
	if n := uint64(content.count - content.hosts); st.Header.Serial == 0 {
		st.Header.Entries = n
	} else if n != st.Header.Entries {
		return fmt.Errorf("%w: %d entries, the header says %d", ErrDigest, n, st.Header.Entries)
	}
	if err := st.approve(before, &content, review); err != nil {
		return fmt.Errorf("compiling %s: %w", st.Header.List, err)
	}
	if err := st.compile(content); err != nil {
		return fmt.Errorf("compiling %s: %w", st.Header.List, err)
	}
	return st.open(sec).info.Err
}

// approve asks about the rows of a builder, and keeps the metadata for them.
func (st *state) approve(before *set, c *setContent, review LocalReview) (err error) {
	if review.Approve != nil {
		st.Metadata, err = review.Approve(before.change(c))
	}
	return err
}

// change compares the rows of a set with those that are to take their place; both are in order of their keys.
func (s *set) change(next *setContent) LocalChange {
	change := LocalChange{After: uint64(next.count - next.hosts)}
	var row, rows uint32
	if s != nil {
		change.Before, rows = s.header.Rows-s.header.Hosts, uint32(s.header.Rows)
	}
	kept := uint64(0)
	for r := range next.rows {
		for row < rows && s.row(row).compare(r.key) < 0 {
			row++
		}
		if row < rows && s.row(row) == r.key && next.infos[r.info].category != urlHostCategory {
			kept++
		}
	}
	runtime.KeepAlive(s)
	change.Added, change.Removed = change.After-kept, change.Before-kept
	return change
}
