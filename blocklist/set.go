package blocklist

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"runtime"

	"github.com/bits-and-blooms/bloom/v3"
)

// set is one list compiled for lookup: a Bloom filter in front of a sorted table of digests. It is immutable, and lies in
// one mapped file; of the table only the pages that a hit needs are ever touched.
type set struct {
	secret *secret
	filter *filter
	index  []uint32 // table rows before each bucket, and their total; the bucket of a row is its first bits
	shift  uint     // 64 less the number of those bits
	table  []byte   // rows of 16 bytes
	number []byte   // number of each row's attributes, header.Width bytes each
	attrs  []attrs
	path   string
	header setHeader
}

const rowSize = 16

// find returns the attributes of an entry; nil where there is no such entry.
func (s *set) find(scope Scope, key []byte, hash uint64) *attrs {
	if !s.filter.maybe(hash) {
		return nil
	}
	return s.at(s.secret.tableKey(scope, key))
}

// at returns the attributes of a row; nil where there is no such row.
func (s *set) at(k tableKey) *attrs {
	bucket := k.hi >> s.shift
	end := min(s.index[bucket+1], uint32(s.header.Rows)) // whatever the file says, nothing outside of it is read
	for row := s.index[bucket]; row < end; row++ {
		if s.row(row) == k {
			a := &s.attrs[min(int(s.attrsNumber(row)), len(s.attrs)-1)]
			runtime.KeepAlive(s) // the mapping lives as long as its set
			return a
		}
	}
	runtime.KeepAlive(s)
	return nil
}

func (s *set) row(i uint32) tableKey {
	return decodeKey(s.table[int(i)*rowSize:])
}

func (s *set) attrsNumber(row uint32) uint32 {
	switch s.header.Width {
	case 1:
		return uint32(s.number[row])
	case 2:
		return uint32(binary.LittleEndian.Uint16(s.number[2*row:]))
	case 4:
		return binary.LittleEndian.Uint32(s.number[4*row:])
	}
	return 0
}

// filter is a blocked Bloom filter: the bits of an entry lie in one cache line. The bits themselves are held by the bloom
// library; where they lie is decided here, because its own hash would be computed anew for each parent of a name, and they are
// tested here, because it divides by the size of the filter for each of them, which is most of the time that a lookup takes.
type filter struct {
	bloom  *bloom.BloomFilter
	blocks uint64
}

const (
	blockBits    = 512
	filterHashes = 7  // bits an entry: 7 x 9 bits of one hash choose them within a block
	bitsPerEntry = 16 // about 1 false maybe in 1,000, each of which costs one look into the table
	filterBatch  = 64 // hashes added at once
)

// filterWords leaves room for the first merge, so that small lists can grow.
func filterWords(entries int) int {
	return ((entries+mergeAt)*bitsPerEntry/blockBits + 1) * blockBits / 64
}

// newFilter uses words, whose number is a multiple of a block, as they are.
func newFilter(words []uint64) *filter {
	m := uint(len(words)) * 64
	return &filter{bloom: bloom.FromWithM(words, m, filterHashes), blocks: uint64(m) / blockBits}
}

// place returns the block of a hash, and what chooses its bits there.
func (f *filter) place(hash uint64) (block, rest uint64) {
	block, _ = bits.Mul64(hash, f.blocks)
	return block, mix(hash, 0x9e3779b97f4a7c15)
}

// maybe reports whether all bits of a hash are set.
func (f *filter) maybe(hash uint64) bool {
	words := f.bloom.BitSet().Words()
	block, rest := f.place(hash)
	for range filterHashes {
		if words[block*blockBits/64+rest%blockBits/64]&(1<<(rest%64)) == 0 {
			return false
		}
		rest /= blockBits
	}
	return true
}

// add sets the bits of up to filterBatch hashes.
func (f *filter) add(hashes []uint64) {
	words := f.bloom.BitSet().Words()
	var block, rest [filterBatch]uint64
	for i, hash := range hashes {
		block[i], rest[i] = f.place(hash)
	}
	for range filterHashes { // a bit of each at a time, so that the processor waits for the memory of all at once
		for i := range hashes {
			words[block[i]*blockBits/64+rest[i]%blockBits/64] |= 1 << (rest[i] % 64)
			rest[i] /= blockBits
		}
	}
}

// feedHalf returns what sets the bits of the hashes in one half of the filter, which so stays in the processor's cache.
func (f *filter) feedHalf(hashes iter.Seq[uint64]) func(half int) {
	middle := f.blocks / 2
	return func(half int) {
		var batch [filterBatch]uint64
		n := 0
		for hash := range hashes {
			if block, _ := bits.Mul64(hash, f.blocks); (block >= middle) == (half == 1) {
				batch[n] = hash
				if n++; n == len(batch) {
					f.add(batch[:])
					n = 0
				}
			}
		}
		f.add(batch[:n])
	}
}
