package blocklist

import (
	"iter"
	"math/bits"

	"github.com/argine-dns/argine/blocklist/arena"
)

// builder collects the entries of a set, 32 bytes an entry, beside the heap: compiling a long list next to lookups must not keep
// the garbage collector busy. Rows are dealt out to shards by the first bits of their keys, so that each can be sorted
// within the processor's cache.
type builder struct {
	secret   *secret
	shards   [1 << shardBits]shard
	free     []record // of the last slab
	releases []func()
	hosts    []uint64 // filter hashes of the hosts of url entries
	urls     []countedURL
	kinds    kinds
	attrs    *attrsTable
	walk     suffixes

	before *set        // that the new one is to take the place of; nil if there is none
	fresh  func(Entry) // is given what that one does not block; nil: nobody asks
}

const (
	shardBits = 8
	chunkRows = 256
	slabRows  = 64 * chunkRows
)

// record is a row before it is written, with what the filter is fed for it.
type record struct {
	setRow
	hash uint64
}

type shard struct {
	chunks [][]record // each of chunkRows
	n      int        // records in them
}

func newBuilder(s *secret) *builder { return &builder{secret: s, attrs: newAttrsTable()} }

// close gives the memory back; what came of content must not be used any more.
func (b *builder) close() {
	for _, release := range b.releases {
		release()
	}
	*b = builder{}
}

// target is what is left of an entry once it was looked at: what its row is made from.
type target struct {
	key     string
	hash    uint64
	attrs   uint32
	scope   Scope
	monitor bool
	row     tableKey // is made last
}

// target takes note of all but the row of an entry.
func (b *builder) target(e *Entry) target {
	hash, host := b.secret.filterHash(&b.walk, e)
	if n := len(b.hosts); host != 0 && (n == 0 || b.hosts[n-1] != host) { // most lists have the URLs of a host together
		b.hosts = append(b.hosts, host)
	}
	b.kinds.add(e)
	if e.Scope == ScopeURL {
		b.countURL(e, host)
	}
	return target{key: e.key, hash: hash, attrs: b.attrs.add(attrsOf(&e.Attributes)), scope: e.Scope, monitor: e.Monitor}
}

// add adds the row of an entry.
func (b *builder) add(t *target) {
	t.row = b.secret.tableKey(t.scope, []byte(t.key))
	b.put(record{setRow{t.row, t.attrs}, t.hash})
}

// put deals a row out to its shard.
func (b *builder) put(r record) {
	s := &b.shards[r.key.hi>>(64-shardBits)]
	if s.n > 0 && s.at(s.n-1).setRow == r.setRow { // a list may repeat itself at any length
		return
	}
	if s.n == len(s.chunks)*chunkRows {
		s.chunks = append(s.chunks, b.chunk())
	}
	*s.at(s.n) = r
	s.n++
}

// same reports whether two rows are for the same target; the stronger stays.
func (b *builder) same(have *record, row setRow) bool {
	if have.key != row.key {
		return false
	}
	if b.attrs.all[row.attrs].stronger(&b.attrs.all[have.attrs]) {
		have.setRow = row
	}
	return true
}

func (b *builder) chunk() []record {
	if len(b.free) == 0 {
		slab, release := arena.Make[record](slabRows)
		b.free, b.releases = slab, append(b.releases, release)
	}
	chunk := b.free[:chunkRows:chunkRows]
	b.free = b.free[chunkRows:]
	return chunk
}

func (s *shard) at(i int) *record { return &s.chunks[i/chunkRows][i%chunkRows] }

// records yields the records in the order in which they lie there.
func (s *shard) records(yield func(*record) bool) {
	left := s.n
	for _, chunk := range s.chunks {
		for i := range min(left, chunkRows) {
			if !yield(&chunk[i]) {
				return
			}
		}
		left -= chunkRows
	}
}

// content sorts the rows, leaves the strongest of those for the same target, and makes the filter.
func (b *builder) content() setContent {
	hosts := b.addHosts()
	inHalves(b.sortHalf)
	count := 0
	for i := range b.shards {
		count += b.shards[i].n
	}
	fed := count + len(b.hosts)
	words, release := arena.Make[uint64](filterWords(fed))
	b.releases = append(b.releases, release)
	inHalves(newFilter(words).feedHalf(b.hashes))
	return setContent{salt: b.secret.salt, rows: b.rows(), count: count, hosts: hosts, words: words, fed: uint64(fed), kinds: b.kinds, attrs: b.attrs.all}
}

// sortHalf sorts half of the shards.
func (b *builder) sortHalf(half int) {
	const n = len(b.shards) / 2
	shards, longest := b.shards[half*n:][:n], 0
	for i := range shards {
		longest = max(longest, shards[i].n)
	}
	scratch, release := arena.Make[record](longest)
	defer release()
	for i := range shards {
		b.sort(&shards[i], scratch)
	}
}

// hashes yields all that the filter is fed with.
func (b *builder) hashes(yield func(uint64) bool) {
	for i := range b.shards {
		for r := range b.shards[i].records {
			if !yield(r.hash) {
				return
			}
		}
	}
	for _, hash := range b.hosts {
		if !yield(hash) {
			return
		}
	}
}

// rows yields the rows in the order of the shards.
func (b *builder) rows() iter.Seq[setRow] {
	return func(yield func(setRow) bool) {
		for i := range b.shards {
			for r := range b.shards[i].records {
				if !yield(r.setRow) {
					return
				}
			}
		}
	}
}

// sort puts the records of a shard in order, and leaves one for each target. Since keys are digests with a secret salt, and
// hence spread evenly, dealing them out by their next bits leaves hardly anything to be sorted.
func (b *builder) sort(s *shard, scratch []record) {
	scratch = scratch[:s.n]
	width := bits.Len(uint(s.n))
	next := make([]uint32, 1<<width+1) // where the next record of a bucket goes
	bucket := func(r *record) uint64 { return r.key.hi << shardBits >> (64 - width) }
	for r := range s.records {
		next[bucket(r)+1]++
	}
	for i := range len(next) - 1 {
		next[i+1] += next[i]
	}
	for r := range s.records {
		at := &next[bucket(r)]
		scratch[*at] = *r
		*at++
	}
	for i := range scratch {
		for ; i > 0 && scratch[i].key.compare(scratch[i-1].key) < 0; i-- {
			scratch[i], scratch[i-1] = scratch[i-1], scratch[i]
		}
	}
	s.n = 0
	for _, r := range scratch {
		if s.n == 0 || !b.same(s.at(s.n-1), r.setRow) {
			*s.at(s.n) = r
			s.n++
		}
	}
}
