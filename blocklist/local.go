package blocklist

import (
	"fmt"
	"iter"
	"time"
)

// SetLocal replaces the entries of an unsigned list, such as a file of the operator. The entries may have any order. If
// several have the same target, a blocking entry takes precedence over one with status monitor, and of entries with the
// same status, the one that expires last counts. The argument source describes where the entries are from, such as size
// and time of a file; see [ListInfo]. Reading the entries delays changes to other local lists, but not to signed ones.
// SetLocal fails with [ErrSigned] if a signed list has the name, and with [ErrMalformed] for a nil iterator and for an
// invalid entry. After an error, the list is unchanged. An iterator without entries makes the list empty.
func (s *Store) SetLocal(list, source string, entries iter.Seq2[Entry, error]) error {
	return s.ReviewLocal(list, source, entries, LocalReview{})
}

// ReviewLocal is SetLocal with a review of the entries before they take effect.
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
