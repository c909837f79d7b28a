package blocklist

import (
	"iter"
	"math/bits"

	"github.com/bits-and-blooms/bloom/v3"
)

// bloomFilter is a blocked Bloom filter: the bits of an entry lie in one cache line. The bits themselves are held by
// the bloom library; where they lie is decided here, because its own hash would be computed again for each parent of
// a name, and they are tested here, because it divides by the size of the filter for each of them, which is most of
// the time that a lookup takes.
type bloomFilter struct {
	bloom  *bloom.BloomFilter
	blocks uint64
}

const (
	blockBits    = 512
	filterHashes = 7  // bits an entry: 7 x 9 bits of one hash choose them within a block
	bitsPerEntry = 16 // about 1 false maybe in 1,000, each of which costs one look into the table
	filterBatch  = 64 // hashes added at once
)

// mergeAt is the number of changes from which a merge pays: copying the overlay for one more change then costs about a
// millisecond.
const mergeAt = 10_000

// bloomWords returns the size of the Bloom filter of a set, in words of 64 bits. It leaves room for the first merge,
// so that small lists can grow.
func bloomWords(entries int) int {
	return ((entries+mergeAt)*bitsPerEntry/blockBits + 1) * blockBits / 64
}

// newBloomFilter uses words, whose number is a multiple of a block, as they are.
func newBloomFilter(words []uint64) *bloomFilter {
	bits := uint(len(words)) * 64
	return &bloomFilter{bloom: bloom.FromWithM(words, bits, filterHashes), blocks: uint64(len(words)) * 64 / blockBits}
}

// locate returns the block of a hash, and what chooses its bits there.
func (f *bloomFilter) locate(hash uint64) (block, rest uint64) {
	block, _ = bits.Mul64(hash, f.blocks)
	return block, mix(hash, 0x9e3779b97f4a7c15)
}

// mayContain reports whether all bits of a hash are set.
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

// add sets the bits of up to filterBatch hashes.
func (f *bloomFilter) add(hashes []uint64) {
	words := f.bloom.BitSet().Words()
	var block, rest [filterBatch]uint64
	for i, hash := range hashes {
		block[i], rest[i] = f.locate(hash)
	}
	for range filterHashes { // a bit of each at a time, so that the processor waits for the memory of all at once
		for i := range hashes {
			words[block[i]*blockBits/64+rest[i]%blockBits/64] |= 1 << (rest[i] % 64)
			rest[i] /= blockBits
		}
	}
}

// insertHalf returns what sets the bits of the hashes in one half of the filter, which so stays in the processor's
// cache.
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
