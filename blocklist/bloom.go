package blocklist

import (
	"iter"
	"math/bits"

	"github.com/bits-and-blooms/bloom/v3"
)

// bloomFilter is a blocked Bloom filter: all bits of an entry are in one block, which is a cache line. The bloom
// library stores the bits. This type computes the positions of the bits and tests the bits itself, for speed: the
// library would hash each parent of a name separately, and divide by the filter size for each bit.
type bloomFilter struct {
	bloom  *bloom.BloomFilter
	blocks uint64
}

const (
	blockBits    = 512
	filterHashes = 7 // bits set per entry; 7 x 9 bits of one hash give their positions in the block
	// bitsPerEntry is the filter size. With it, about 1 in 1,000 hashes is a false positive, which costs one table
	// lookup.
	bitsPerEntry = 16
	filterBatch  = 64 // maximum number of hashes in one call of add
)

// mergeAt is the number of changes in the overlay from which it pays to merge the overlay into a new set: with so many,
// copying the overlay for one more change takes about a millisecond.
const mergeAt = 10_000

// bloomWords returns the filter size for a set, in words of 64 bits. It leaves room for [mergeAt] more entries, so that
// small lists can grow.
func bloomWords(entries int) int {
	return ((entries+mergeAt)*bitsPerEntry/blockBits + 1) * blockBits / 64
}

// newBloomFilter returns a filter whose bits are the given words. Their number must be a multiple of the block size.
func newBloomFilter(words []uint64) *bloomFilter {
	bits := uint(len(words)) * 64
	return &bloomFilter{bloom: bloom.FromWithM(words, bits, filterHashes), blocks: uint64(len(words)) * 64 / blockBits}
}

// locate returns the block of a hash, and the positions of the hash in this block: each group of 9 bits in rest is the
// position of one bit.
func (f *bloomFilter) locate(hash uint64) (block, rest uint64) {
	block, _ = bits.Mul64(hash, f.blocks)
	return block, mix(hash, 0x9e3779b97f4a7c15)
}

// mayContain reports whether all bits of a hash are set. If not, no entry has this hash.
func (f *bloomFilter) mayContain(hash uint64) bool {
	words := f.bloom.BitSet().Words()
	block, rest := f.locate(hash)
	for range filterHashes {
		if words[block*blockBits/64+rest%blockBits/64]&(1<<(rest%64)) == 0 {
			return false
		}
		rest /= blockBits
	}
	return true
}

// add adds up to filterBatch hashes.
func (f *bloomFilter) add(hashes []uint64) {
	words := f.bloom.BitSet().Words()
	var block, rest [filterBatch]uint64
	for i, hash := range hashes {
		block[i], rest[i] = f.locate(hash)
	}
	for range filterHashes { // one bit of each hash at a time, so that the cache misses overlap
		for i := range hashes {
			words[block[i]*blockBits/64+rest[i]%blockBits/64] |= 1 << (rest[i] % 64)
			rest[i] /= blockBits
		}
	}
}

// insertHalf returns a function that adds the hashes that belong to one half of the filter. Half a filter fits better
// into the processor's cache.
func (f *bloomFilter) insertHalf(hashes iter.Seq[uint64]) func(half int) {
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
