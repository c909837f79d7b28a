package blocklist

import (
	"fmt"
	"iter"
	"time"
)

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
