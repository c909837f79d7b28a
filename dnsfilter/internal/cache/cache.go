// Package cache keeps answers as packed messages, off the heap, with the eviction of S3-FIFO (Yang et al., 2023).
// Lookups take no lock and write nothing but the first few marks of use of an entry, so processors do not wait for each
// other.
package cache

import (
	"encoding/binary"
	"hash/maphash"
	"runtime"
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

// Cache keeps answers by key. A key is a question (name in lower case, type, class) and one byte more for what else the
// answer depends on. The size bounds everything: answers, index, and the hashes of evicted answers.
//
// A message is kept from its question on, with flags and counts of its header. The lower byte of its ID is kept as
// well, for the extended error that goes with the answer.
type Cache struct {
	seed   maphash.Seed
	epoch  time.Time
	shards []shard
}

// New makes a cache of at most size bytes; one that is too small for an answer keeps none. The system gives it memory
// as it fills.
func New(size int64) *Cache {
	c := &Cache{seed: maphash.MakeSeed(), epoch: time.Now()}
	words := int(size) / 8 * wordsPerSlot * 2 / (wordsPerSlot*2 + 3) // a slot is a word, a ghost half of one
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

// Now returns the time that the other methods want, in seconds.
func (c *Cache) Now() uint32 { return uint32(time.Since(c.epoch)/time.Second) + 1 }

func (c *Cache) hash(key []byte) uint64 { return maphash.Bytes(c.seed, key) }

func (c *Cache) shard(hash uint64) *shard { return &c.shards[hash>>32%uint64(len(c.shards))] }

// Get returns the answer to a key, in the memory of dst if there is enough, its TTLs counted down and with the question
// as given, which is that of the key in any case. ID and flags are those of the message that was put.
func (c *Cache) Get(dst, key, question []byte, now uint32) ([]byte, State) {
	if len(c.shards) == 0 {
		return nil, NotFound
	}
	hash := c.hash(key)
	m, e := c.shard(hash).get(dst[:0], hash, key)
	state := e.state(now)
	if state == NotFound || state >= Stale && dnswire.IsFailure(m) {
		return nil, NotFound
	}
	copy(m[dnswire.HeaderSize:], question)
	if now > e.stored { // or else another goroutine's clock was read later than ours
		for r := range dnswire.Records(m) {
			ttl := binary.BigEndian.Uint32(r.TTL)
			binary.BigEndian.PutUint32(r.TTL, ttl-min(now-e.stored, ttl))
		}
	}
	return m, state
}

// Put keeps the answer to a key for the given seconds; 0 keeps nothing. The message has the question of the key. A
// failure does not replace an expired answer, but holds the next look-up down for as long (see [Cache.HoldDown]).
func (c *Cache) Put(key, message []byte, seconds, now uint32) {
	if seconds == 0 || len(c.shards) == 0 || len(message) < dnswire.HeaderSize+len(key)-1 {
		return
	}
	hash := c.hash(key)
	s := c.shard(hash)
	if dnswire.IsFailure(message) {
		if old, e := s.get(nil, hash, key); e.state(now) != NotFound && !dnswire.IsFailure(old) {
			s.holdDown(hash, key, uint16(now+seconds))
			return
		}
	}
	s.put(hash, key, message, entry{stored: now, expires: now + seconds})
}

// HoldDown notes that the answer to a key could not be looked up again, and that the next look-up has to wait for the
// given seconds (RFC 8767, section 5).
func (c *Cache) HoldDown(key []byte, seconds, now uint32) {
	if len(c.shards) > 0 {
		hash := c.hash(key)
		c.shard(hash).holdDown(hash, key, uint16(now+seconds))
	}
}

// Flush forgets the answers about a name, in lower-case wire form, and all names below it, and returns how many there
// were.
func (c *Cache) Flush(name []byte) (n int) {
	for i := range c.shards {
		n += c.shards[i].flush(name)
	}
	return n
}
