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

// maxInserted limits the growth of a filter by merges, as a multiple of its planned size. Beyond it, a snapshot must
// build a new filter: the filter can't be rebuilt from the digests in the table.
const maxInserted = 3

// Merge merges the changes since the last snapshot into the set if that pays off, and reports whether it did. It
// streams the set from file to file. Lookups and changes go on meanwhile. It returns [ErrGap] if the filter is too
// full: then apply a snapshot first.
func (l *SignedList) Merge() (merged bool, err error) {
	s, name := l.store, l.name
	s.mu.Lock()
	st, ok := s.states[name]
	if !ok || s.closed || s.lock == nil || st.list == nil || st.list.base == nil || st.list.overlay.size() < mergeAt {
		s.mu.Unlock()
		return false, nil
	}
	held := *st
	s.mu.Unlock()

	next, err := held.merge()
	err = s.change(name, func(st *state) error {
		if st.list.base != held.list.base {
			return nil // a snapshot replaced the set during the merge
		}
		if err != nil {
			return fmt.Errorf("merging %s: %w", name, err)
		}
		merged = true
		return s.putMerged(st, held, next)
	})
	return merged, err
}

// merge writes a new set from the base set and the changes since that set was written. It returns the state with the
// new set.
func (st state) merge() (state, error) {
	m := newMerger(st.list.base, st.list.overlay)
	content, err := m.content()
	if err == nil {
		err = st.compile(content)
	}
	return st, errors.Join(err, m.err)
}

// putMerged replaces the current state st by next, the state with the merged set. The argument held is the state from
// which that set was merged. Changes that were applied since then are added to the journal of the merged set.
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
	next.Header, next.Metadata, next.Urgent, next.urgent = st.Header, st.Metadata, st.Urgent, st.urgent
	if later := changes[len(folded):]; len(later) > 0 {
		var lines []byte
		for i := range later {
			lines = appendChange(lines, &later[i])
		}
		if err := next.journal(lines); err != nil {
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

// merger merges the rows of a base set with the changes of an overlay.
type merger struct {
	base    *set
	overlay *overlay
	order   []tableKey  // sorted keys of the changes
	infos   []matchInfo // attributes of the base, then those of the overlay
	err     error       // error from reading the base
}

func newMerger(base *set, o *overlay) *merger {
	order := slices.SortedFunc(maps.Keys(o.changes), tableKey.compare)
	return &merger{base: base, overlay: o, order: order, infos: slices.Concat(base.infos, o.infos)}
}

// content returns the content of the merged set: it counts the rows, drops unused attributes, and adds the hashes of
// the changes to a copy of the filter. It fails with [ErrGap] if the filter is too full.
func (m *merger) content() (c setContent, err error) {
	used := make([]bool, len(m.infos))
	for r := range m.rows {
		used[r.info] = true
		c.count++
		if m.infos[r.info].category == urlHostCategory {
			c.hosts++
		}
	}
	if m.err != nil {
		return c, m.err
	}
	number := make([]uint32, len(m.infos))
	for i, a := range m.infos {
		if used[i] || i == 0 {
			number[i] = uint32(len(c.infos))
			c.infos = append(c.infos, a)
		}
	}
	c.rows = renumbered(m.rows, number)
	c.salt = m.base.secret.salt
	c.features = m.base.header.Features.union(m.overlay.features)
	c.words = slices.Clone(m.base.filter.bloom.BitSet().Words())
	c.inserted = m.base.header.Inserted + uint64(len(m.overlay.hashes))
	if c.inserted > maxInserted*uint64(len(c.words))*64/bitsPerEntry {
		return c, ErrGap
	}
	parallelHalves(newBloomFilter(c.words).insertHalf(maps.Keys(m.overlay.hashes)))
	return c, nil
}

func renumbered(rows iter.Seq[setRow], number []uint32) iter.Seq[setRow] {
	return func(yield func(setRow) bool) {
		for r := range rows {
			r.info = number[r.info]
			if !yield(r) {
				return
			}
		}
	}
}

// rows yields the merged rows, in the order of their keys.
func (m *merger) rows(yield func(setRow) bool) {
	next := m.order
	changed := func(k tableKey) bool {
		c := m.overlay.changes[k]
		return c.removed || yield(setRow{k, uint32(len(m.base.infos)) + c.info})
	}
	for r := range m.baseRows {
		for len(next) > 0 && next[0].compare(r.key) < 0 {
			if !changed(next[0]) {
				return
			}
			next = next[1:]
		}
		if len(next) > 0 && next[0] == r.key {
			continue // the overlay's version of this row follows
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

// baseRows yields the rows of the base. It reads them from the file instead of the mapping, so that they do not count
// as memory of the process.
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
