package blocklist

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"github.com/argine-dns/argine/blocklist/internal/verified"
)

// SignedList is a signed list of a store, as package subscribe changes it. Lookups go to the [Store].
type SignedList struct {
	store *Store
	name  string
	dir   string
}

// Signed returns a signed list, whether or not the store holds anything of it, and makes its folder. It is for package
// subscribe, which verifies what it applies: other programs can't make the first argument. They use [Store.SetLocal]
// for lists that are not signed.
func (s *Store) Signed(_ verified.Token, list string) (*SignedList, error) {
	dir, err := s.listDir(list)
	if err != nil {
		return nil, err
	}
	return &SignedList{store: s, name: list, dir: dir}, nil
}

// Dir returns the list's folder. The files whose names begin with "release" are those of the subscription.
func (l *SignedList) Dir() string { return l.dir }

// InForce returns what lookups see of the list at this moment, and false if it is not served. It takes no lock.
func (l *SignedList) InForce() (ListInfo, bool) {
	for _, have := range l.store.view.Load().lists {
		if have.info.List == l.name {
			return have.info, true
		}
	}
	return ListInfo{}, false
}

// Metadata returns what Apply or Save last kept with the list, nil if nothing.
func (l *SignedList) Metadata() []byte { return l.store.Metadata(l.name) }

// Save keeps other metadata with the state in force, or for a list of which nothing is held yet, and puts the entries
// of urgent orders on top of it in force, in place of those before. The metadata is valid JSON of at most 1 MiB.
func (l *SignedList) Save(urgent []Entry, metadata []byte) error {
	return l.store.change(l.name, func(st *state) error {
		next := *st
		next.setUrgent(urgent)
		next.Metadata = metadata
		if err := next.save(); err != nil {
			return err
		}
		*st = next
		if st.list != nil {
			l.store.publish(st.inForce(l.store.view.Load().secret))
		}
		return nil
	})
}

// Apply makes a release the state of the list: durably, then for lookups, in one step each. Where the header has a
// base, the changes lead from the state in force, of that serial, to the one of the header, which Apply proves by
// digest and count. Else they are the whole list, each target once, and anyone who yields them has proved the digest,
// as [ReleaseReader.Changes] does. Urgent are the entries of urgent orders on top, each with an expiry; the metadata is
// kept with the state, in the same durable step.
//
// On an error the old state stays: [ErrRollback] for a serial below the one in force, [ErrUntrusted] for the same
// serial with another digest, [ErrGap] for another base than the serial in force, [ErrDigest], [ErrMalformed], or the
// error that the changes yield. Applying the state in force again as a whole is allowed, and repairs damage.
func (l *SignedList) Apply(h Header, changes iter.Seq2[Change, error], urgent []Entry, metadata []byte) error {
	return l.store.change(l.name, func(st *state) error {
		if err := st.accepts(h); err != nil {
			return err
		}
		next := *st
		next.Source, next.Metadata = "", metadata
		next.setUrgent(urgent)
		err := next.apply(l.store.view.Load().secret, h, changes)
		if err == nil {
			return l.store.put(st, next)
		}
		if next.Set != st.Set {
			err = errors.Join(err, os.Remove(filepath.Join(next.dir, next.Set)))
		}
		return fmt.Errorf("applying serial %d of %s: %w", h.Serial, l.name, err)
	})
}
