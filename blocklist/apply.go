package blocklist

import (
	"fmt"
	"iter"
)

// accepts returns an error if a release with the header h can't follow the current state: another list, an older
// serial, the current serial with another digest, or an invalid header.
func (st *state) accepts(h Header) error {
	held := st.Header
	switch {
	case h.List != held.List:
		return fmt.Errorf("applying a release of %q to %s: %w", h.List, held.List, ErrMalformed)
	case h.Serial < held.Serial:
		return &SerialError{List: h.List, Held: held.Serial, Base: h.Base, Got: h.Serial, Err: ErrRollback}
	case h.Serial == held.Serial && h.Digest != held.Digest:
		return fmt.Errorf("%s: serial %d with another digest than the one held: %w: the history forks", h.List, h.Serial,
			ErrUntrusted)
	}
	return h.check()
}

// apply changes the state to the state of a release: a snapshot makes a new set, a delta changes the current set.
func (st *state) apply(sec *secret, h Header, changes iter.Seq2[Change, error]) error {
	if h.IsDelta() {
		return st.applyDelta(h, changes)
	}
	st.Header = h
	return st.rebuild(sec, entriesOf(changes), nil, LocalReview{})
}

// applyDelta first checks that the changes lead to the digest and the number of entries in the header h. Then it writes
// the changes to the journal and to a new overlay.
func (st *state) applyDelta(h Header, changes iter.Seq2[Change, error]) error {
	if h.Base != st.Header.Serial || st.list == nil || st.list.base == nil {
		return &SerialError{List: h.List, Held: st.Header.Serial, Base: h.Base, Got: h.Serial, Err: ErrGap}
	}
	base, next := st.list.base, st.list.overlay.clone()
	digest, entries := st.Header.Digest, st.Header.Entries
	var w suffixes
	var lines []byte
	for c, err := range changes {
		if err != nil {
			return err
		}
		start := len(lines)
		lines = appendChange(lines, &c)
		digest.count(c.Removed, lines[start+1:len(lines)-1])
		if next.add(base, &w, &c); c.Removed {
			entries--
		} else {
			entries++
		}
	}
	if digest != h.Digest || entries != h.Entries {
		return fmt.Errorf("%w: the changes lead to %d entries, %s, not to %d, %s", ErrDigest, entries, digest, h.Entries,
			h.Digest)
	}
	if st.Header = h; len(lines) == 0 {
		next = st.list.overlay
	} else if err := st.journal(lines); err != nil {
		return err
	}
	st.list = &list{info: ListInfo{Header: h}, base: base, overlay: next}
	return nil
}

// appendChange appends a change as a line of a delta, with its line end.
func appendChange(b []byte, c *Change) []byte {
	return append(c.Entry.Append(append(b, sign(c.Removed))), '\n')
}

// entriesOf yields the entry of each change of a snapshot, which has no removals.
func entriesOf(changes iter.Seq2[Change, error]) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for c, err := range changes {
			if !yield(c.Entry, err) {
				return
			}
		}
	}
}
