package blocklist

import (
	"fmt"
	"iter"
	"runtime"
)

// LocalChange counts the differences between the current state of a local list and its new state. Entries with the
// same target are the same entry.
type LocalChange struct {
	Before  uint64 // number of current entries; 0 if the list is empty, new or damaged
	After   uint64 // number of entries in the new state
	Added   uint64 // entries of the new state that are not in the current one
	Removed uint64 // entries of the current state that are not in the new one
}

// LocalReview reviews the new state of a local list before it takes effect. Both functions may be nil.
type LocalReview struct {
	// New is called with each new entry that is not yet listed, or is so far only monitored. The entry has only its
	// target and its status. If the new list repeats an entry, New may be called again. The call is not in the
	// goroutine that reads the entries.
	New func(Entry)
	// Approve is called after all entries were read. If it fails, the old state stays, and the error is returned. The
	// metadata is stored with the new state; see [Store.Metadata]. It must be valid JSON of at most 1 MiB, or nil for
	// none.
	Approve func(LocalChange) (metadata []byte, err error)
}

// rebuild compiles entries into a new set and makes it the base of the state. The review compares them with the
// previous set, which may be nil. If the review fails, rebuild returns its error, and the state on disk stays as it is.
func (st *state) rebuild(sec *secret, entries iter.Seq2[Entry, error], previous *set, review LocalReview) error {
	b := newBuilder(sec)
	b.before, b.reviewNew = previous, review.New
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
	if err := st.approve(previous, &content, review); err != nil {
		return fmt.Errorf("compiling %s: %w", st.Header.List, err)
	}
	if err := st.compile(content); err != nil {
		return fmt.Errorf("compiling %s: %w", st.Header.List, err)
	}
	return st.open(sec).info.Err
}

// approve calls the review with the differences, and stores its metadata in the state.
func (st *state) approve(before *set, c *setContent, review LocalReview) (err error) {
	if review.Approve != nil {
		st.Metadata, err = review.Approve(before.change(c))
	}
	return err
}

// change counts the differences between the rows of a set, which may be nil, and new rows. Both are sorted by key.
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
