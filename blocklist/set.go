package blocklist

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"github.com/argine-dns/argine/blocklist/internal/disk"
)

// set is a list compiled for lookup: a Bloom filter, and behind it a sorted table of digests. It is immutable and
// stored in one mapped file. Only the table pages of possible matches are read.
type set struct {
	secret *secret
	filter *bloomFilter
	index  []uint32 // number of table rows before each bucket, then the total; the first bits of a row give its bucket
	shift  uint     // 64 minus the number of bucket bits
	table  []byte   // rows of 16 bytes
	number []byte   // for each row, the index of its attributes in infos, in header.Width bytes
	infos  []matchInfo
	path   string
	header setHeader
}

// find returns the attributes of an entry, or nil if the set does not have it.
func (s *set) find(scope Scope, key []byte, hash uint64) *matchInfo {
	if !s.filter.mayContain(hash) {
		return nil
	}
	return s.at(s.secret.tableKey(scope, key))
}

// at returns the attributes of a row, or nil if there is no such row.
func (s *set) at(k tableKey) *matchInfo {
	bucket := k.hi >> s.shift
	end := min(s.index[bucket+1], uint32(s.header.Rows)) // nothing outside the table is read, even if the file is wrong
	for row := s.index[bucket]; row < end; row++ {
		if s.row(row) == k {
			a := &s.infos[min(int(s.infoNumber(row)), len(s.infos)-1)]
			runtime.KeepAlive(s) // keeps the mapping until here
			return a
		}
	}
	runtime.KeepAlive(s)
	return nil
}

// blocks reports whether the set has a row that blocks and has not expired.
func (s *set) blocks(k tableKey) bool {
	a := s.at(k)
	return a != nil && !a.monitor && !a.expired()
}

func (s *set) row(i uint32) tableKey {
	return decodeKey(s.table[int(i)*rowSize:])
}

func (s *set) infoNumber(row uint32) uint32 {
	switch s.header.Width {
	case 1:
		return uint32(s.number[row])
	case 2:
		return uint32(binary.LittleEndian.Uint16(s.number[2*uint64(row):]))
	case 4:
		return binary.LittleEndian.Uint32(s.number[4*uint64(row):])
	}
	return 0
}

// openSet checks a set file and maps it. It fails with [ErrDamaged] if a checksum is wrong. If sec is nil, it uses the
// secret in the file.
func openSet(path string, sec *secret) (*set, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the set: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	h, err := checkSet(f)
	if err != nil {
		return nil, err
	}
	_, size := h.offsets()
	data, err := disk.Map(f, int(size))
	if err != nil {
		return nil, fmt.Errorf("mapping the set: %w", err)
	}
	s, err := newSet(data, h, sec)
	if err != nil {
		return nil, fmt.Errorf("opening the set: %w (%w)", err, disk.Unmap(data))
	}
	s.path = path
	// No caller is left that could get the error.
	runtime.AddCleanup(s, func(data []byte) { disk.Unmap(data) }, data) //nolint:errcheck // see above
	return s, nil
}

// openSetBytes is openSet for a set in memory. It does not copy data.
func openSetBytes(data []byte) (*set, error) {
	h, err := checkSet(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return newSet(aligned(data), h, nil)
}

// newSet returns a set that uses the bytes of a file without copying them.
func newSet(data []byte, h setHeader, sec *secret) (*set, error) {
	if sec == nil {
		sec = newSecret(h.Salt)
	}
	if h.Salt != sec.salt {
		return nil, fmt.Errorf("opening the set: %w: made by another store", ErrDamaged)
	}
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return nil, fmt.Errorf("opening the set: big-endian machines: %w", errors.ErrUnsupported)
	}
	at, _ := h.offsets()
	sizes := h.sections()
	section := func(i int) []byte { return data[at[i]:][:sizes[i]:sizes[i]] }
	words := section(0)
	s := &set{
		secret: sec, header: h, shift: 64 - uint(h.IndexBits),
		filter: newBloomFilter(unsafe.Slice((*uint64)(unsafe.Pointer(&words[0])), len(words)/8)),
		table:  section(1), number: section(2),
		index: unsafe.Slice((*uint32)(unsafe.Pointer(&section(3)[0])), len(section(3))/4),
	}
	var err error
	s.infos, err = decodeInfos(section(4))
	return s, err
}

// aligned returns data, or a copy if data is not aligned to words. Embedded data may be unaligned.
func aligned(data []byte) []byte {
	if uintptr(unsafe.Pointer(&data[0]))%8 == 0 {
		return data
	}
	words := make([]uint64, (len(data)+7)/8)
	return wordBytes(words)[:copy(wordBytes(words), data)]
}
