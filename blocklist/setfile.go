package blocklist

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"math"
	"math/bits"
	"os"
	"unsafe"

	"github.com/argine-dns/argine/blocklist/internal/disk"
)

// setMagic begins a set file. A set file has a header of one page, then the sections: filter, table, attribute
// numbers, index and attribute rows. Each section begins on a page. Numbers are little-endian, except in rows of the
// table, which are big-endian, so that they sort as bytes.
const (
	setMagic = "argine-set-2\x00\x00\x00\x00"
	pageSize = 4096
	rowSize  = 16 // size of a table row in bytes
	// writeSize is the number of bytes of a section that are written at once.
	writeSize = 64 << 10
)

// setHeader is the beginning of the first page: the lengths that determine the layout. The last four bytes of the
// page are the CRC-32C of the page.
type setHeader struct {
	Magic     [16]byte
	Salt      [saltSize]byte
	Rows      uint64
	Hosts     uint64 // number of rows that count the url entries of a host; included in Rows
	Blocks    uint64
	Inserted  uint64 // number of hashes inserted into the filter since it was built
	IndexBits uint64
	Width     uint64
	InfosSize uint64
	Features  features
	Sum       uint32 // CRC-32C of the sections
	List      [MaxListName]byte
}

// castagnoli returns the table of the Castagnoli polynomial. Package crc32 makes it once.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// sections returns the sizes of all sections in bytes, in the order of the file.
func (h *setHeader) sections() [5]uint64 {
	return [5]uint64{h.Blocks * blockBits / 8, h.Rows * rowSize, h.Rows * h.Width, (1<<h.IndexBits + 1) * 4, h.InfosSize}
}

// offsets returns the offsets of all sections, and the size of the file, in bytes.
func (h *setHeader) offsets() (at [5]uint64, size uint64) {
	size = pageSize
	for i, n := range h.sections() {
		at[i] = size
		size += (n + pageSize - 1) / pageSize * pageSize
	}
	return at, size
}

// setContent is the content of a set file. Writing the file iterates over the rows twice.
type setContent struct {
	list     string
	salt     [saltSize]byte
	rows     iter.Seq[setRow] // sorted by key, without duplicates
	count    int              // number of rows
	hosts    int              // number of rows that count the url entries of a host; included in count
	words    []uint64         // bits of the filter
	inserted uint64           // number of hashes inserted into the filter since it was built
	features features
	infos    []matchInfo
}

// setRow is one row of the table. The field info is the index of its attributes in setContent.infos.
type setRow struct {
	key  tableKey
	info uint32
}

// writeSet writes a set file. It replaces an existing file atomically.
func writeSet(path string, mode os.FileMode, c setContent) error {
	table := encodeInfos(c.infos)
	h := setHeader{
		Salt: c.salt, Rows: uint64(c.count), Hosts: uint64(c.hosts), Blocks: uint64(len(c.words)) * 64 / blockBits,
		Inserted:  c.inserted,
		IndexBits: uint64(bits.Len(uint(c.count / 8))), Width: uint64(numberWidth(len(c.infos))),
		InfosSize: uint64(len(table)),
		Features:  c.features,
	}
	copy(h.Magic[:], setMagic)
	copy(h.List[:], c.list)
	return disk.Write(path, mode, func(w io.Writer) error {
		out := &sectionWriter{w: bufio.NewWriterSize(w, 256<<10)}
		out.page(make([]byte, pageSize)) // a placeholder: the header is written last, since it has the checksum
		out.sum = 0
		out.page(wordBytes(c.words))
		index := writeRows(out, c, h.IndexBits)
		writeNumbers(out, c, int(h.Width))
		out.page(index)
		out.page(table)
		h.Sum = out.sum
		return finish(w, out, h)
	})
}

// writeRows writes the table, and returns the index of its buckets.
func writeRows(out *sectionWriter, c setContent, indexBits uint64) (index []byte) {
	index = make([]byte, 0, (1<<indexBits+1)*4)
	b := make([]byte, 0, writeSize)
	n := uint32(0)
	for r := range c.rows {
		for uint64(len(index)/4) <= r.key.hi>>(64-indexBits) {
			index = binary.LittleEndian.AppendUint32(index, n)
		}
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, r.key.hi), r.key.lo)
		if len(b) == cap(b) {
			b = out.flush(b)
		}
		n++
	}
	out.page(b)
	for len(index) < cap(index) {
		index = binary.LittleEndian.AppendUint32(index, n)
	}
	return index
}

func writeNumbers(out *sectionWriter, c setContent, width int) {
	if width == 0 {
		return
	}
	b := make([]byte, 0, writeSize)
	for r := range c.rows {
		b = binary.LittleEndian.AppendUint32(b, r.info)[:len(b)+width]
		if cap(b)-len(b) < 4 {
			b = out.flush(b)
		}
	}
	out.page(b)
}

// sectionWriter writes sections: it pads them to pages, computes the checksum and keeps the first error.
type sectionWriter struct {
	w    *bufio.Writer
	size int
	sum  uint32
	err  error
}

func (w *sectionWriter) write(b []byte) {
	if w.err == nil {
		w.sum = crc32.Update(w.sum, castagnoli(), b)
		w.size += len(b)
		_, w.err = w.w.Write(b)
	}
}

// flush writes a part of a section. It returns the buffer b, emptied for reuse.
func (w *sectionWriter) flush(b []byte) []byte {
	w.write(b)
	return b[:0]
}

func (w *sectionWriter) pad() { w.write(make([]byte, -w.size&(pageSize-1))) }

func (w *sectionWriter) page(b []byte) {
	w.write(b)
	w.pad()
}

// finish flushes the sections, then writes the header at the beginning.
func finish(w io.Writer, out *sectionWriter, h setHeader) error {
	if out.err == nil {
		out.err = out.w.Flush()
	}
	if out.err != nil {
		return out.err
	}
	_, err := w.(io.WriterAt).WriteAt(h.encode(), 0)
	return err
}

func (h *setHeader) encode() []byte {
	page := make([]byte, pageSize)
	binary.Encode(page, binary.LittleEndian, h) //nolint:errcheck // fixed-size fields that fit
	binary.LittleEndian.PutUint32(page[pageSize-4:], crc32.Checksum(page[:pageSize-4], castagnoli()))
	return page
}

func decodeSetHeader(page []byte) (h setHeader, err error) {
	_, err = binary.Decode(page, binary.LittleEndian, &h)
	sum := binary.LittleEndian.Uint32(page[pageSize-4:])
	if err != nil || string(h.Magic[:]) != setMagic || crc32.Checksum(page[:pageSize-4], castagnoli()) != sum {
		return h, fmt.Errorf("header of the set: %w", ErrDamaged)
	}
	if h.Rows > 1<<32-1 || h.Hosts > h.Rows || h.Blocks == 0 || h.Blocks > 1<<32 || h.IndexBits > 32 ||
		h.Width > 4 || h.Width == 3 || h.InfosSize > 1<<40 {
		return h, fmt.Errorf("header of the set: %w", ErrDamaged)
	}
	return h, nil
}

// checkSet reads a set once and verifies its checksums. Call checkSet for a file before the file is mapped, so that the
// pages read do not count as memory of the process.
func checkSet(r io.Reader) (h setHeader, err error) {
	page := make([]byte, pageSize)
	n, err := io.ReadFull(r, page)
	switch {
	case !bytes.HasPrefix(page[:n], []byte(setMagic)):
		return h, fmt.Errorf("reading the set: %w or none: its beginning is %w", ErrDamaged, ErrMalformed)
	case err != nil:
		return h, fmt.Errorf("reading the set: %w: cut short", ErrDamaged)
	}
	if h, err = decodeSetHeader(page); err != nil {
		return h, err
	}
	_, size := h.offsets()
	if size > math.MaxInt {
		return h, fmt.Errorf("reading the set: %w: a 32-bit program has no room for its %d bytes", ErrTooLarge, size)
	}
	sum := crc32.New(castagnoli())
	rest, err := io.CopyBuffer(sum, struct{ io.Reader }{r}, make([]byte, 256<<10))
	if err != nil {
		return h, fmt.Errorf("reading the set: %w", err)
	}
	if uint64(rest)+pageSize != size || sum.Sum32() != h.Sum {
		return h, fmt.Errorf("reading the set: %w: its checksum does not match", ErrDamaged)
	}
	return h, nil
}

// wordBytes returns the memory of words as bytes.
func wordBytes(words []uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*8)
}
