package rpz

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// itemReader reads items in sorted order. It returns io.EOF at the end. An item is valid until the next call.
type itemReader interface {
	next() (item, error)
}

// runSize is the maximum size of the part of a list that is sorted in memory, in bytes. Longer lists are sorted in
// parts (runs), in temporary files, which are merged.
const runSize = 4 << 20

// sorter sorts items. Its memory is limited, see runSize.
type sorter struct {
	dir  string
	buf  []byte   // items of the current run, each after its length
	at   []uint32 // offsets of the items in buf
	runs []*os.File
}

// add adds an item.
func (s *sorter) add(it item) error {
	if len(s.buf)+len(it)+2 > runSize {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.at = append(s.at, uint32(len(s.buf)))
	s.buf = appendFramed(s.buf, it)
	return nil
}

func appendFramed(dst []byte, it item) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(it))), it...)
}

func (s *sorter) item(at uint32) item {
	return item(s.buf[at+2:][:binary.BigEndian.Uint16(s.buf[at:])])
}

func (s *sorter) sort() {
	slices.SortFunc(s.at, func(a, b uint32) int { return bytes.Compare(s.item(a), s.item(b)) })
}

// spill sorts the current run and writes it to a temporary file.
func (s *sorter) spill() error {
	f, err := os.CreateTemp(s.dir, tempPrefix+"run-*")
	if err != nil {
		return err
	}
	s.runs = append(s.runs, f)
	s.sort()
	w := bufio.NewWriterSize(f, bufferSize)
	for _, at := range s.at {
		if _, err := w.Write(s.buf[at:][:2+len(s.item(at))]); err != nil {
			return err
		}
	}
	s.buf, s.at = s.buf[:0], s.at[:0]
	return w.Flush()
}

// settle frees memory: if many items are left in memory, it writes them to a temporary file.
func (s *sorter) settle() error {
	if len(s.buf) <= 4*bufferSize {
		return nil
	}
	err := s.spill()
	s.buf, s.at = nil, nil
	return err
}

// sorted returns all items in order. If an entry was added several times, the item with the latest expiry remains.
func (s *sorter) sorted() (itemReader, error) {
	s.sort()
	m := &runMerger{runs: []itemReader{&memoryRun{s: s}}}
	for _, f := range s.runs {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		m.runs = append(m.runs, &fileReader{in: bufio.NewReaderSize(f, bufferSize)})
	}
	return &distinct{from: m}, nil
}

// close removes the temporary files that still exist.
func (s *sorter) close() error {
	var err error
	for _, f := range s.runs {
		err = errors.Join(err, f.Close())
		if gone := os.Remove(f.Name()); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

// memoryRun reads the sorted items that a sorter has in memory.
type memoryRun struct {
	s *sorter
	n int
}

func (r *memoryRun) next() (item, error) {
	if r.n == len(r.s.at) {
		return nil, io.EOF
	}
	r.n++
	return r.s.item(r.s.at[r.n-1]), nil
}

// fileReader reads items from a file. The error is [blocklist.ErrDamaged] if the file is damaged.
type fileReader struct {
	in  *bufio.Reader
	buf []byte
}

func (r *fileReader) next() (item, error) {
	head, err := r.in.Peek(2)
	if err != nil {
		if len(head) == 0 && errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("reading a table: %w", blocklist.ErrDamaged)
	}
	n := int(binary.BigEndian.Uint16(head))
	if n <= tailSize || n > maxItem {
		return nil, fmt.Errorf("reading a table: %w: an entry of %d bytes", blocklist.ErrDamaged, n)
	}
	r.buf = slices.Grow(r.buf[:0], n)[:n]
	_, _ = r.in.Discard(2) // they are buffered
	if _, err := io.ReadFull(r.in, r.buf); err != nil {
		return nil, fmt.Errorf("reading a table: %w: %w", blocklist.ErrDamaged, err)
	}
	return r.buf, nil
}

// maxItem is the maximum length of an item, in bytes: a key in which each byte is escaped, a record (in the items of
// appendRecordItem), and the tail.
const maxItem = 2*blocklist.MaxName + fixedData + blocklist.MaxName + tailSize

// runMerger merges sorted readers into one.
type runMerger struct {
	runs  []itemReader
	heads []item
	last  int // index of the run whose item was returned last
}

func (m *runMerger) next() (item, error) {
	if m.heads == nil {
		m.heads = make([]item, len(m.runs))
		for i := range m.runs {
			if err := m.advance(i); err != nil {
				return nil, err
			}
		}
	} else if err := m.advance(m.last); err != nil {
		return nil, err
	}
	m.last = -1
	for i, head := range m.heads {
		if head != nil && (m.last < 0 || bytes.Compare(head, m.heads[m.last]) < 0) {
			m.last = i
		}
	}
	if m.last < 0 {
		m.last = 0
		return nil, io.EOF
	}
	return m.heads[m.last], nil
}

func (m *runMerger) advance(i int) (err error) {
	if m.heads[i], err = m.runs[i].next(); errors.Is(err, io.EOF) {
		m.heads[i], err = nil, nil
	}
	return err
}

// distinct returns one item for each target of a sorted reader: the one with the latest expiry.
type distinct struct {
	from    itemReader
	current []byte
	ahead   item
	err     error
}

func (d *distinct) next() (item, error) {
	if d.ahead == nil && d.err == nil {
		d.ahead, d.err = d.from.next()
	}
	if d.err != nil {
		return nil, d.err
	}
	d.current = append(d.current[:0], d.ahead...)
	for {
		if d.ahead, d.err = d.from.next(); d.err != nil || !bytes.Equal(d.ahead.target(), item(d.current).target()) {
			return d.current, nil
		}
		if d.ahead.outlasts(d.current) {
			d.current = append(d.current[:0], d.ahead...)
		}
	}
}
