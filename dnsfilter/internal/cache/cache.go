// Package cache stores answers as packed messages outside the Go heap, with S3-FIFO eviction (Yang et al., 2023).
// Lookups take no lock. They write only the use counter of an entry, up to its maximum of 3, so processors do not
// contend.
package cache

import (
	"encoding/binary"
	"hash/maphash"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

const (
	maxShards     = 64
	shardSegments = 32      // minimum number of segments of a shard
	segmentWords  = 4 << 10 // maximum size of a segment in words: 32 KiB
	setSlots      = 8       // number of slots in the index that an entry may be in: one cache line
	wordsPerSlot  = 6
)

// Cache stores answers by key. A key is a question (name in lower case, type, class) and one more byte for other
// properties of the query. The size of the cache limits all its memory: answers, index, and hashes of evicted answers.
//
// The cache stores a message from its question on. Of the header, it stores the flags, the counts and the lower byte of
// the ID, which has the extended error of the answer.
type Cache struct {
	seed   maphash.Seed
	epoch  time.Time
	shards []shard

	maxStale atomic.Uint32 // how long expired answers are kept for serve-stale, in seconds
}

// DefaultStale is how long expired answers are kept for serve-stale, in seconds, unless SetStale is called (RFC 8767,
// section 5).
const DefaultStale = 24 * 3600

// SetStale sets how long expired answers are kept for serve-stale, in seconds. With 0, they are not kept.
func (c *Cache) SetStale(seconds uint32) { c.maxStale.Store(seconds) }

// New creates a cache that uses at most size bytes. If the size does not suffice for an answer, the cache stores none.
// The system provides the memory as the cache fills.
func New(size int64) *Cache {
	c := &Cache{seed: maphash.MakeSeed(), epoch: time.Now()}
	c.SetStale(DefaultStale)
	words := int(size) / 8 * wordsPerSlot * 2 / (wordsPerSlot*2 + 3) // a slot is one word, a ghost half a word
	shards := 1
	for shards < maxShards && words/(2*shards) >= shardSegments*segmentWords {
		shards *= 2
	}
	per := min(words/shards/shardSegments, segmentWords)
	if per < minEntry {
		return c
	}
	segments := words / shards / per
	slots := max(segments*per/wordsPerSlot/setSlots, 1) * setSlots
	memory, release := allocate(shards * (segments*per + slots))
	c.shards = make([]shard, shards)
	runtime.AddCleanup(&c.shards[0], func(release func()) { release() }, release)
	for i := range c.shards {
		s := &c.shards[i]
		s.words, memory = memory[:segments*per], memory[segments*per:]
		s.slots, memory = memory[:slots], memory[slots:]
		s.per, s.used = per, make([]int, segments)
		s.ghosts = make([]uint32, slots)
		for n := range segments {
			s.free = append(s.free, segments-1-n)
		}
	}
	return c
}

// Now returns the current time in seconds, for the argument now of the other methods.
func (c *Cache) Now() uint32 { return uint32(time.Since(c.epoch)/time.Second) + 1 }

func (c *Cache) hash(key []byte) uint64 { return maphash.Bytes(c.seed, key) }

func (c *Cache) shard(hash uint64) *shard { return &c.shards[hash>>32%uint64(len(c.shards))] }

// Get returns the answer for a key and its state. It writes the answer to the memory of dst if that is large enough. It
// reduces the TTLs by the age of the answer. It replaces the question by the given one, which may differ in letter case
// only. Flags and the lower byte of the ID are those of the message given to Put.
func (c *Cache) Get(dst, key, question []byte, now uint32) ([]byte, State) {
	if len(c.shards) == 0 {
		return nil, NotFound
	}
	hash := c.hash(key)
	m, e := c.shard(hash).get(dst[:0], hash, key)
	state := e.state(now, c.maxStale.Load())
	if state == NotFound || state >= Stale && dnswire.IsFailure(m) {
		return nil, NotFound
	}
	copy(m[dnswire.HeaderSize:], question)
	if now > e.stored { // another goroutine may have read the clock later
		for r := range dnswire.Records(m) {
			ttl := binary.BigEndian.Uint32(r.TTL)
			binary.BigEndian.PutUint32(r.TTL, ttl-min(now-e.stored, ttl))
		}
	}
	return m, state
}

// Put stores the answer for a key. The answer expires after the given number of seconds; with 0, Put stores nothing.
// The question of the message must be that of the key. A message with a failure rcode does not replace an answer
// without one, fresh or expired. Instead, it delays the next refresh of that answer by the given number of seconds (see
// [Cache.HoldDown]).
func (c *Cache) Put(key, message []byte, seconds, now uint32) {
	if seconds == 0 || len(c.shards) == 0 || len(message) < dnswire.HeaderSize+len(key)-1 {
		return
	}
	hash := c.hash(key)
	s := c.shard(hash)
	if dnswire.IsFailure(message) {
		if old, e := s.get(nil, hash, key); e.state(now, c.maxStale.Load()) != NotFound && !dnswire.IsFailure(old) {
			s.holdDown(hash, key, uint16(now+seconds))
			return
		}
	}
	s.put(hash, key, message, entry{stored: now, expires: now + seconds})
}

// HoldDown records that refreshing the answer for a key has failed. The next attempt has to wait for the given number
// of seconds (RFC 8767, section 5).
func (c *Cache) HoldDown(key []byte, seconds, now uint32) {
	if len(c.shards) > 0 {
		hash := c.hash(key)
		c.shard(hash).holdDown(hash, key, uint16(now+seconds))
	}
}

// Flush removes the answers for a name and for all names below it, and returns their number. The name is in lower-case
// wire form.
func (c *Cache) Flush(name []byte) (n int) {
	for i := range c.shards {
		n += c.shards[i].flush(name)
	}
	return n
}
