package blocklist

import (
	"fmt"
	"iter"
	"runtime"
	"time"
)

// LocalChange says how the entries that are to be set differ from those that are in force, by their targets.
type LocalChange struct {
	Before  uint64 // entries in force; 0 if there are none, or their files are damaged
	After   uint64 // entries to come
	Added   uint64 // of these: those that are not in force
	Removed uint64 // of those in force: those that are not to come
}

// LocalReview looks at what is to become the state of a local list, before it does. Both functions may be nil.
type LocalReview struct {
	// New is given each entry to come that is not in force, or that only monitors there, with its target and its status
	// alone; again where it is listed again. It is called by another goroutine than the one that reads the entries.
	New func(Entry)
	// Approve is called once all is read. On an error the old state stays, and that is the error. The metadata, valid
	// JSON of at most 1 MiB, is kept with the new state, see [Store.Metadata]; nil: none.
	Approve func(LocalChange) (metadata []byte, err error)
}

// SetLocal makes entries the state of an unsigned list: the operator's own file. They may come in any order; of
// entries with the same target the stronger stays. Source identifies where they came from (a file's size and time,
// say): see [ListInfo]. Changes of other lists do not wait while the entries are read; another local list does. It
// fails with [ErrSigned] for the name of a signed list, and with [ErrMalformed] for a nil iterator and for an entry
// that no constructor made; then the list stays as it was. An iterator without entries makes the list empty.
func (s *Store) SetLocal(list, source string, entries iter.Seq2[Entry, error]) error {
	return s.ReviewLocal(list, source, entries, LocalReview{})
}

// ReviewLocal is SetLocal for entries that somebody looks at before they count.
func (s *Store) ReviewLocal(list, source string, entries iter.Seq2[Entry, error], review LocalReview) error {
	s.local.Lock()
	defer s.local.Unlock()
	next := state{Header: Header{List: list, Created: time.Now().UTC().Truncate(time.Second)}, Source: source}
	var before *set
	free := func(st *state) error {
		next.dir = st.dir
		if st.Header.Serial > 0 {
			return fmt.Errorf("setting the local list %s: %w", list, ErrSigned)
		}
		if st.list != nil {
			before = st.list.base
		}
		return nil
	}
	if err := s.change(list, free); err != nil {
		return err
	}
	if err := next.rebuild(s.view.Load().secret, entries, before, review); err != nil {
		return err
	}
	return s.change(list, func(st *state) error {
		if err := free(st); err != nil {
			return err
		}
		return s.put(st, next)
	})
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

// blocks reports whether the set has a row that has not expired and does more than to monitor.
func (s *set) blocks(k tableKey) bool {
	a := s.at(k)
	return a != nil && !a.monitor && !a.expired()
}
