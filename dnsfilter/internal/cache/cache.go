// Package cache stores answers as packed messages outside the Go heap, with S3-FIFO eviction (Yang et al., 2023).
// Lookups take no lock. They write only an entry's use counter, which stops at 3, so processors do not contend.
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
	shardSegments = 32      // segments of a shard, at least
	segmentWords  = 4 << 10 // at most: 32 KiB
	setSlots      = 8       // slots that an entry may have in the index: one cache line
	wordsPerSlot  = 6
)

// Cache stores answers by key. A key is a question (name in lower case, type, class) and one more byte for other
// properties of the query. The size limits all memory: answers, index, and hashes of evicted answers.
//
// A message is stored from its question on, with the flags and counts of its header. The lower byte of its ID is stored
// as well; it has the extended error of the answer.
type Cache struct {
	seed   maphash.Seed
	epoch  time.Time
	shards []shard

	maxStale atomic.Uint32 // how long expired answers are kept for serve-stale, in seconds
}

// DefaultStale is how long expired answers are kept unless SetStale says otherwise, in seconds (RFC 8767, section 5).
const DefaultStale = 24 * 3600

// SetStale sets how long expired answers are kept, in seconds; 0: not at all.
func (c *Cache) SetStale(seconds uint32) { c.maxStale.Store(seconds) }

// New creates a cache of at most size bytes. A cache that is too small for an answer stores none. The system allocates
// the memory as the cache fills.
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

// Now returns the current time for the other methods, in seconds.
func (c *Cache) Now() uint32 { return uint32(time.Since(c.epoch)/time.Second) + 1 }

func (c *Cache) hash(key []byte) uint64 { return maphash.Bytes(c.seed, key) }

func (c *Cache) shard(hash uint64) *shard { return &c.shards[hash>>32%uint64(len(c.shards))] }

// Get returns the answer for a key, in the memory of dst if that is large enough. TTLs are reduced by the age of the
// answer. The question is replaced by the given one, which may differ in letter case only. ID and flags are those given
// to Put.
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

// Put stores the answer for a key for a number of seconds; 0 stores nothing. The message has the question of the key. A
// failure does not replace an expired answer. Instead, it delays the next lookup for the same number of seconds (see
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

// HoldDown records a failed attempt to refresh the answer for a key. The next attempt has to wait for the given seconds
// (RFC 8767, section 5).
func (c *Cache) HoldDown(key []byte, seconds, now uint32) {
	if len(c.shards) > 0 {
		hash := c.hash(key)
		c.shard(hash).holdDown(hash, key, uint16(now+seconds))
	}
}

// Flush removes the answers about a name, in lower-case wire form, and all names below it. It returns the number of
// removed answers.
func (c *Cache) Flush(name []byte) (n int) {
	for i := range c.shards {
		n += c.shards[i].flush(name)
	}
	return n
}
