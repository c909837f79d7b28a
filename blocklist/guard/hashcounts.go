package guard

import (
	"math/bits"
	"slices"
)

// hashCounts is a collection of hashes, with a count of events for each. There may be millions of hashes, but events
// occur for few of them. A sorted table takes a third of the memory of a map.
type hashCounts struct {
	// parts are the unsorted hashes, until complete is called. A single slice would leave garbage as it grows.
	parts  [][]uint64
	added  []uint64 // hashes, sorted; empty until complete is called
	shift  int      // right shift that turns a hash into its index in starts
	starts []uint32 // index in added of the first hash with each prefix; the last element is len(added)
	counts map[uint64]uint32
}

func (t *hashCounts) add(hash uint64) {
	n := len(t.parts)
	if n == 0 || len(t.parts[n-1]) == cap(t.parts[n-1]) {
		t.parts = append(t.parts, make([]uint64, 0, 16<<min(2*n, 12)))
		n++
	}
	t.parts[n-1] = append(t.parts[n-1], hash)
}

func (t *hashCounts) empty() bool { return len(t.parts) == 0 }

// complete sorts the added hashes and builds the index. Each prefix in starts has about eight hashes.
func (t *hashCounts) complete() {
	t.added, t.parts = slices.Concat(t.parts...), nil
	slices.Sort(t.added)
	t.added = slices.Compact(t.added)
	width := max(bits.Len(uint(len(t.added)))-3, 1)
	t.shift, t.starts = 64-width, make([]uint32, 1<<width+1)
	for _, h := range t.added {
		t.starts[h>>t.shift+1]++
	}
	for i := range t.starts[1:] {
		t.starts[i+1] += t.starts[i]
	}
}

// has reports whether a hash was added.
func (t *hashCounts) has(hash uint64) bool {
	at := hash >> t.shift
	return slices.Contains(t.added[t.starts[at]:t.starts[at+1]], hash)
}
