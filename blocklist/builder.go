package blocklist

import (
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"sync"

	"github.com/argine-dns/argine/blocklist/internal/offheap"
)

// builder collects the entries of a set. It stores them outside the Go heap, 32 bytes each, so that compiling a long
// list does not load the garbage collector. Rows are distributed over shards by the first bits of their keys, so that
// sorting one shard stays in the processor's cache.
type builder struct {
	secret   *secret
	shards   [1 << shardBits]shard
	free     []record // allocated records that no shard uses yet
	releases []func()
	hosts    []uint64 // filter hashes of the hosts of url entries
	urls     []urlOfHost
	features features
	infos    *matchInfoTable
	walk     suffixes

	before    *set        // the set to replace; nil: none
	reviewNew func(Entry) // called with each entry that the old set does not block; may be nil
}

const (
	shardBits = 8
	chunkRows = 256
	slabRows  = 64 * chunkRows
)

// record is a row of the set, with its hash for the Bloom filter.
type record struct {
	setRow
	hash uint64
}

type shard struct {
	chunks [][]record // slices of chunkRows records each
	n      int        // number of records
}

func newBuilder(s *secret) *builder { return &builder{secret: s, infos: newMatchInfoTable()} }

// close releases the memory of the builder. The result of the method content must not be used after that.
func (b *builder) close() {
	for _, release := range b.releases {
		release()
	}
	*b = builder{}
}

const (
	batchEntries = 512 // number of entries in a batch
	batches      = 6   // number of batches that the goroutines of addAll share
)

// addAll adds entries, in their order. Reading the entries, computing their digests and reviewing new entries take
// about the same time, so there are three goroutines.
func (b *builder) addAll(entries iter.Seq2[Entry, error]) error {
	if entries == nil {
		return fmt.Errorf("the iterator of entries is nil: %w: to list nothing, yield nothing", ErrMalformed)
	}
	full, added := make(chan []preparedRow, batches), make(chan []preparedRow, batches)
	empty := make(chan []preparedRow, batches)
	for range batches {
		empty <- nil
	}
	var adding sync.WaitGroup
	adding.Go(func() {
		defer close(added)
		for batch := range full {
			for i := range batch {
				b.add(&batch[i])
			}
			added <- batch
		}
	})
	adding.Go(func() {
		for batch := range added {
			b.review(batch)
			empty <- batch[:0]
		}
	})
	defer adding.Wait()
	defer close(full)
	batch := <-empty
	for e, err := range entries {
		if err != nil {
			return err
		}
		if !e.IsValid() {
			return fmt.Errorf("an entry of scope %s: %w: its target is not of that scope; "+
				"make entries with ParseEntry or a constructor", e.Scope, ErrMalformed)
		}
		if batch = append(batch, b.prepare(&e)); len(batch) == batchEntries {
			full <- batch
			batch = <-empty
		}
	}
	full <- batch
	return nil
}

// review calls reviewNew with each new entry of a batch. It looks up all rows of the batch first, so that their cache
// misses overlap.
func (b *builder) review(batch []preparedRow) {
	if b.reviewNew == nil {
		return
	}
	var held [batchEntries]bool
	if b.before != nil {
		for i := range batch {
			held[i] = b.before.blocks(batch[i].row)
		}
	}
	for i := range batch {
		if t := &batch[i]; !held[i] {
			b.reviewNew(Entry{Scope: t.scope, key: t.key, Attributes: Attributes{Monitor: t.monitor}})
		}
	}
}

// preparedRow is a row whose digest is computed later, by the method add: this takes long, so [builder.addAll] calls
// add in another goroutine.
type preparedRow struct {
	key     string
	hash    uint64
	info    uint32
	scope   Scope
	monitor bool
	row     tableKey // digest of the scope and the key; computed by the method add
}

// prepare returns the row of an entry, without the digest. It also records the attributes and the kind of the entry
// in the builder.
func (b *builder) prepare(e *Entry) preparedRow {
	hash, host := b.secret.filterHash(&b.walk, e)
	if n := len(b.hosts); host != 0 && (n == 0 || b.hosts[n-1] != host) { // most lists have the URLs of one host in sequence
		b.hosts = append(b.hosts, host)
	}
	b.features.add(e)
	if e.Scope == ScopeURL {
		b.countURL(e, host)
	}
	info := b.infos.add(matchInfoOf(&e.Attributes))
	return preparedRow{key: e.key, hash: hash, info: info, scope: e.Scope, monitor: e.Monitor}
}

// add computes the digest of a prepared row, and adds the row.
func (b *builder) add(t *preparedRow) {
	t.row = b.secret.tableKey(t.scope, []byte(t.key))
	b.put(record{setRow{t.row, t.info}, t.hash})
}

// put adds a record to its shard.
func (b *builder) put(r record) {
	s := &b.shards[r.key.hi>>(64-shardBits)]
	if s.n > 0 && s.at(s.n-1).setRow == r.setRow { // a list may repeat one line any number of times
		return
	}
	if s.n == len(s.chunks)*chunkRows {
		s.chunks = append(s.chunks, b.chunk())
	}
	*s.at(s.n) = r
	s.n++
}

// urlOfHost has the host and the expiry of one url entry, for counting the entries by host.
type urlOfHost struct {
	host    tableKey
	hash    uint64 // filter hash of the host
	expires int64
}

// countURL records the host of a url entry, for addHosts. It skips monitoring entries.
func (b *builder) countURL(e *Entry, hash uint64) {
	var buf [1 + MaxName]byte
	key := appendURLHost(buf[:0], e.key)
	if e.Monitor {
		return
	}
	b.urls = append(b.urls, urlOfHost{b.secret.tableKey(scopeURLHost, key), hash, matchInfoOf(&e.Attributes).expires})
}

// addHosts adds one row for each host of url entries, with the number of its entries. It returns the number of these
// rows. Repeated entries of a local list are counted twice. That is harmless, since a local list is never changed
// entry by entry.
func (b *builder) addHosts() (rows int) {
	slices.SortFunc(b.urls, func(x, y urlOfHost) int { return x.host.compare(y.host) })
	for i := 0; i < len(b.urls); rows++ {
		first := b.urls[i]
		var n urlCount
		for ; i < len(b.urls) && b.urls[i].host == first.host; i++ {
			n = n.count(b.urls[i].expires, false)
		}
		b.put(record{setRow{first.host, b.infos.add(n.info())}, first.hash})
	}
	b.urls = nil
	return rows
}

// mergeDuplicate reports whether a record and a row have the same target. If so, and if the row takes precedence
// ([matchInfo.outranks]), the row replaces the content of the record.
func (b *builder) mergeDuplicate(have *record, row setRow) bool {
	if have.key != row.key {
		return false
	}
	if b.infos.all[row.info].outranks(&b.infos.all[have.info]) {
		have.setRow = row
	}
	return true
}

func (b *builder) chunk() []record {
	if len(b.free) == 0 {
		slab, release := offheap.Make[record](slabRows)
		b.free, b.releases = slab, append(b.releases, release)
	}
	chunk := b.free[:chunkRows:chunkRows]
	b.free = b.free[chunkRows:]
	return chunk
}

func (s *shard) at(i int) *record { return &s.chunks[i/chunkRows][i%chunkRows] }

// records yields the records, in the order of storage.
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

// content sorts the rows, removes duplicates, and builds the filter. It returns the content for a set file. Of several
// rows with the same target, the one that outranks the others stays.
func (b *builder) content() setContent {
	hosts := b.addHosts()
	parallelHalves(b.sortHalf)
	count := 0
	for i := range b.shards {
		count += b.shards[i].n
	}
	inserted := count + len(b.hosts)
	words, release := offheap.Make[uint64](bloomWords(inserted))
	b.releases = append(b.releases, release)
	parallelHalves(newBloomFilter(words).insertHalf(b.hashes))
	return setContent{
		salt: b.secret.salt, rows: b.rows(), count: count, hosts: hosts, words: words,
		inserted: uint64(inserted), features: b.features, infos: b.infos.all,
	}
}

// sortHalf sorts half of the shards.
func (b *builder) sortHalf(half int) {
	const n = len(b.shards) / 2
	shards, longest := b.shards[half*n:][:n], 0
	for i := range shards {
		longest = max(longest, shards[i].n)
	}
	scratch, release := offheap.Make[record](longest)
	defer release()
	for i := range shards {
		b.sort(&shards[i], scratch)
	}
}

// hashes yields all hashes for the Bloom filter.
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

// rows yields the rows, in the order of the shards.
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

// sort sorts the records of a shard and removes duplicates. Keys are digests with a secret salt, so they are uniformly
// distributed: distributing them to buckets by their next bits nearly sorts them.
func (b *builder) sort(s *shard, scratch []record) {
	scratch = scratch[:s.n]
	width := bits.Len(uint(s.n))
	next := make([]uint32, 1<<width+1) // index of the next record of each bucket
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
		if s.n == 0 || !b.mergeDuplicate(s.at(s.n-1), r.setRow) {
			*s.at(s.n) = r
			s.n++
		}
	}
}

// parallelHalves calls do for both halves, in parallel.
func parallelHalves(do func(half int)) {
	var other sync.WaitGroup
	other.Go(func() { do(1) })
	do(0)
	other.Wait()
}
