package blocklist

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
)

// Apply makes a release the state of its list: durably, then for lookups, in one step each, however many deltas lead to
// it. On an error the old state stays: [ErrRollback] for a serial below the one held, [ErrUntrusted] for the same serial
// with another digest, [ErrGap] for a delta with another base than the state before it, [ErrDigest], [ErrMalformed].
// Applying what is held again, from a snapshot, is allowed and mends damage.
func (s *Store) Apply(r *VerifiedRelease) error {
	return s.change(r.to.List, func(st *state) error {
		if err := st.fits(r.to); err != nil {
			return err
		}
		next, changes, err := st.follow(s.view.Load().secret, r)
		if err == nil {
			return s.putRelease(st, next, changes, r)
		}
		if next.Set != st.Set {
			err = errors.Join(err, os.Remove(filepath.Join(next.dir, next.Set)))
		}
		return err
	})
}

// follow takes the steps of a release: what they lead to, and the changes that its set lacks.
func (st state) follow(sec *secret, r *VerifiedRelease) (next state, changes []Change, err error) {
	next = st
	for step, err := range r.steps {
		if err == nil && step.Header().IsDelta() {
			changes, err = next.step(step, changes)
		} else if err == nil {
			next.Header, changes = step.Header(), nil
			err = next.rebuild(sec, step.entries(), nil, LocalReview{})
		}
		if err != nil {
			return next, nil, err
		}
	}
	if got := next.Header; got.List != r.to.List || got.Serial != r.to.Serial || got.Digest != r.to.Digest {
		return next, nil, fmt.Errorf("%s: %w: the steps lead to serial %d, not to %d", r.to.List, ErrGap, got.Serial, r.to.Serial)
	}
	return next, changes, nil
}

// step reads a delta and proves that it leads from the state to the one that it names.
func (st *state) step(r *ReleaseReader, changes []Change) ([]Change, error) {
	h := r.Header()
	if h.Base != st.Header.Serial || st.list == nil || st.list.info.Err != nil {
		return nil, &SerialError{List: h.List, Held: st.Header.Serial, Base: h.Base, Got: h.Serial, Err: ErrGap}
	}
	for c, err := range r.Changes() {
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	if err := r.Yields(st.Header.Digest, st.Header.Entries); err != nil {
		return nil, err
	}
	st.Header = h
	return changes, nil
}

// entries yields the lines of a snapshot.
func (r *ReleaseReader) entries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for c, err := range r.Changes() {
			if !yield(c.Entry, err) {
				return
			}
		}
	}
}

// rebuild compiles entries into a new set that holds the state, in place of the set before, unless the review is against it.
func (st *state) rebuild(sec *secret, entries iter.Seq2[Entry, error], before *set, review LocalReview) error {
	b := newBuilder(sec)
	b.before, b.reviewNew = before, review.New
	defer b.close()
	if err := b.addAll(entries); err != nil {
		return fmt.Errorf("compiling %s: %w", st.Header.List, err)
	}
	content := b.content()
	if st.Header.Serial == 0 {
		st.Header.Entries = uint64(content.count - content.hosts)
	}
	if err := st.approve(before, &content, review); err != nil {
		return fmt.Errorf("compiling %s: %w", st.Header.List, err)
	}
	if err := st.compile(content); err != nil {
		return fmt.Errorf("compiling %s: %w", st.Header.List, err)
	}
	return st.open(sec).info.Err
}

// putRelease puts what a release has led to in force: a new set with the changes since, or the changes alone.
func (s *Store) putRelease(st *state, next state, changes []Change, r *VerifiedRelease) error {
	next.Evidence = r.evidence
	next.setUrgent(r.urgent)
	next.Source = ""
	if len(changes) > 0 {
		if err := next.journal(changes); err != nil {
			return err
		}
	}
	base := next.list
	next.list = &list{info: ListInfo{Header: next.Header}, base: base.base, overlay: base.overlay.with(base.base, changes)}
	return s.put(st, next)
}

// put makes a state durable and puts it in force.
func (s *Store) put(st *state, next state) error {
	if err := next.save(); err != nil {
		return err
	}
	rebuilt := next.Set != st.Set
	*st = next
	s.publish(st.inForce(s.view.Load().secret))
	if rebuilt {
		st.sweep()
	}
	return nil
}
