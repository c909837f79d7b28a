package blocklist

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"
)

const (
	// mergeAt is the number of changes from which a merge pays: copying the overlay for one more change then costs
	// about a millisecond.
	mergeAt = 10_000
	// maxFed bounds how far a filter may outgrow its size before a snapshot has to make it anew: it can't be made
	// from digests.
	maxFed = 3
)

// Merge folds the changes since the last snapshot into the set of a list, if there are enough of them, and reports whether
// it did. It reads and writes the set as a stream, beside lookups and changes, which do not wait for it. [ErrGap] says that
// a snapshot must be applied first: the filter has outgrown its size.
func (s *Store) Merge(name string) (merged bool, err error) {
	s.mu.Lock()
	st, ok := s.states[name]
	if !ok || s.closed || s.lock == nil || st.list == nil || st.list.base == nil || st.list.over.size() < mergeAt {
		s.mu.Unlock()
		return false, nil
	}
	held := *st
	s.mu.Unlock()

	next, err := held.merge()
	err = s.change(name, func(st *state) error {
		if st.list.base != held.list.base {
			return nil // a snapshot has overtaken the merge, and removed what it read
		}
		if err != nil {
			return fmt.Errorf("merging %s: %w", name, err)
		}
		merged = true
		return s.putMerged(st, held, next)
	})
	return merged, err
}

// merge writes the merged set.
func (st state) merge() (state, error) {
	m := newMerger(st.list.base, st.list.over)
	content, err := m.content()
	if err == nil {
		err = st.compile(content)
	}
	return st, errors.Join(err, m.err)
}

// putMerged puts a merged set in force, with the changes that came while it was written.
func (s *Store) putMerged(st *state, held, next state) error {
	defer st.sweep()
	changes, err := st.replay()
	if err != nil {
		return err
	}
	folded, err := held.replay()
	if err != nil {
		return err
	}
	next.Header, next.Evidence, next.Urgent, next.urgent = st.Header, st.Evidence, st.Urgent, st.urgent
	if later := changes[len(folded):]; len(later) > 0 {
		if err := next.journal(later); err != nil {
			return err
		}
	}
	l := next.open(s.view.Load().secret)
	if l.info.Err != nil {
		return l.info.Err
	}
	if err := next.save(); err != nil {
		return err
	}
	*st = next
	s.publish(st.inForce(s.view.Load().secret))
	return nil
}

// merger joins the rows of a base set with the changes of an overlay.
type merger struct {
	base  *set
	over  *overlay
	order []tableKey // of the changes
	attrs []attrs    // those of the base, then those of the overlay
	err   error      // of reading the base
}

func newMerger(base *set, over *overlay) *merger {
	order := slices.SortedFunc(maps.Keys(over.changes), tableKey.compare)
	return &merger{base: base, over: over, order: order, attrs: slices.Concat(base.attrs, over.attrs)}
}

// content counts the rows, leaves out attributes that none has any more, and feeds a copy of the filter.
func (m *merger) content() (c setContent, err error) {
	used := make([]bool, len(m.attrs))
	for r := range m.rows {
		used[r.attrs] = true
		c.count++
		if m.attrs[r.attrs].category == hostMark {
			c.hosts++
		}
	}
	if m.err != nil {
		return c, m.err
	}
	number := make([]uint32, len(m.attrs))
	for i, a := range m.attrs {
		if used[i] || i == 0 {
			number[i] = uint32(len(c.attrs))
			c.attrs = append(c.attrs, a)
		}
	}
	c.rows = renumbered(m.rows, number)
	c.salt = m.base.secret.salt
	c.kinds = m.base.header.Kinds.and(m.over.kinds)
	c.words = slices.Clone(m.base.filter.bloom.BitSet().Words())
	c.fed = m.base.header.Fed + uint64(len(m.over.maybe))
	if c.fed > maxFed*uint64(len(c.words))*64/bitsPerEntry {
		return c, ErrGap
	}
	inHalves(newFilter(c.words).feedHalf(maps.Keys(m.over.maybe)))
	return c, nil
}

func renumbered(rows iter.Seq[setRow], number []uint32) iter.Seq[setRow] {
	return func(yield func(setRow) bool) {
		for r := range rows {
			r.attrs = number[r.attrs]
			if !yield(r) {
				return
			}
		}
	}
}

// rows yields the merged rows in order of their keys.
func (m *merger) rows(yield func(setRow) bool) {
	next := m.order
	changed := func(k tableKey) bool {
		c := m.over.changes[k]
		return c.removed || yield(setRow{k, uint32(len(m.base.attrs)) + c.attrs})
	}
	for r := range m.baseRows {
		for len(next) > 0 && next[0].compare(r.key) < 0 {
			if !changed(next[0]) {
				return
			}
			next = next[1:]
		}
		if len(next) > 0 && next[0] == r.key {
			continue // the overlay's word for it comes next
		}
		if !yield(r) {
			return
		}
	}
	for _, k := range next {
		if !changed(k) {
			return
		}
	}
}

// baseRows reads the rows from the file rather than from the mapping, whose pages would then count as our memory.
func (m *merger) baseRows(yield func(setRow) bool) {
	f, err := os.Open(m.base.path)
	if err != nil {
		m.err = err
		return
	}
	defer f.Close() //nolint:errcheck // it was only read
	h := &m.base.header
	at, _ := h.offsets()
	size := h.sections()
	keys := bufio.NewReaderSize(io.NewSectionReader(f, int64(at[1]), int64(size[1])), 64<<10)
	numbers := bufio.NewReaderSize(io.NewSectionReader(f, int64(at[2]), int64(size[2])), 16<<10)
	var key [rowSize]byte
	var number [4]byte
	for range h.Rows {
		if _, m.err = io.ReadFull(keys, key[:]); m.err == nil {
			_, m.err = io.ReadFull(numbers, number[:h.Width])
		}
		if m.err != nil || !yield(setRow{decodeKey(key[:]), binary.LittleEndian.Uint32(number[:])}) {
			return
		}
	}
}
