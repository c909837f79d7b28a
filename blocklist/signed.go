package blocklist

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"github.com/argine-dns/argine/blocklist/internal/verified"
)

// SignedList gives package subscribe access to a signed list of a store. Lookups use the [Store].
type SignedList struct {
	store *Store
	name  string
	dir   string
}

// Signed returns the signed list with a name and creates its folder. The store need not have the list yet. Only package
// subscribe, which verifies releases, can provide the token. Other programs use [Store.SetLocal], for unsigned lists.
func (s *Store) Signed(_ verified.Token, list string) (*SignedList, error) {
	dir, err := s.listDir(list)
	if err != nil {
		return nil, err
	}
	return &SignedList{store: s, name: list, dir: dir}, nil
}

// Dir returns the list's folder. Files in it whose names begin with "release" or "equivocation" belong to the
// subscription.
func (l *SignedList) Dir() string { return l.dir }

// InForce returns the list as lookups currently see it. It returns false if the list is not served. It takes no lock.
func (l *SignedList) InForce() (ListInfo, bool) {
	for _, have := range l.store.view.Load().lists {
		if have.info.List == l.name {
			return have.info, true
		}
	}
	return ListInfo{}, false
}

// Metadata returns the metadata that Apply or Save stored last, or nil.
func (l *SignedList) Metadata() []byte { return l.store.Metadata(l.name) }

// Save stores metadata with the current state, also before the first release. It also replaces the entries of urgent
// orders by those in urgent. The metadata must be valid JSON of at most 1 MiB.
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

// Apply changes the list to the state of a release: on disk, then for lookups, each in one step. If the header has a
// base, the release is a delta: base must be the current serial, and the changes must result in the digest and the
// number of entries of the header. Otherwise the changes are the whole list, with each target once, and the iterator
// must check the digest, like [ReleaseReader.Changes]. The argument urgent has the entries of urgent orders in addition
// to the release; each must have an expiry. The metadata is stored in the same step.
//
// If Apply fails, the old state stays. It fails with [ErrRollback] for a serial below the current one, [ErrUntrusted]
// for the current serial with another digest, [ErrGap] if the base is not the current serial, [ErrDigest] if the
// result is not that of the header, [ErrMalformed], or the error of the iterator. Applying the current state again as
// a whole is allowed, and repairs damaged files.
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
