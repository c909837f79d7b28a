package dnsfilter

import (
	"encoding/binary"
	"hash/maphash"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist/arena"
)

// maxStale is for how many seconds an answer that has expired may still stand in for one that can't be had (RFC 8767).
const maxStale = 24 * 3600

const (
	maxShards     = 64
	shardSegments = 32      // segments of a shard, at least
	segmentWords  = 4 << 10 // at most: 32 KiB
	setSlots      = 8       // places that an entry may have in the index: one cache line
	wordsPerSlot  = 6
)

// cache keeps answers as packed messages, in memory that the garbage collector does not see. Lookups take no lock and write
// nothing but a name's first few marks of use, so processors do not wait for each other. What is asked for once passes
// through without driving out what is asked for often (see shard).
//
// The size bounds everything: answers, index and what is remembered of answers that were driven out.
type cache struct {
	seed   maphash.Seed
	epoch  time.Time
	shards []shard
}

// found says how the cache knows an answer.
type found uint8

const (
	notFound found = iota
	fresh
	due     // fresh, but popular and near its end: time to ask again
	stale   // expired: good if nothing better can be had
	ailing  // expired, and nothing better could be had a moment ago: good, but time to ask again
	resting // likewise, and too early to ask again (RFC 8767, section 5)
)

// newCache makes a cache of at most size bytes. The system gives it memory as it fills.
func newCache(size int64) *cache {
	c := &cache{seed: maphash.MakeSeed(), epoch: time.Now()}
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
	memory, release := arena.Make[atomic.Uint64](shards * (segments*per + slots))
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

// now returns the time that get and put want, in seconds.
func (c *cache) now() uint32 { return uint32(time.Since(c.epoch)/time.Second) + 1 }

// hash tells keys apart, nearly always.
func (c *cache) hash(key []byte) uint64 { return maphash.Bytes(c.seed, key) }

func (c *cache) shard(hash uint64) *shard { return &c.shards[hash>>32%uint64(len(c.shards))] }

// get returns the answer to a query as its body was put, in the memory of dst if there is enough, its TTLs counted down and
// the question as the client wrote it. What is the client's own in the header is yet to be put in.
func (c *cache) get(dst []byte, q *query, now uint32) ([]byte, found) {
	if len(c.shards) == 0 {
		return nil, notFound
	}
	hash := c.hash(q.key)
	m, e := c.shard(hash).get(dst[:0], hash, q.key)
	how := e.state(now)
	if how == notFound || how >= stale && isFailure(m) {
		return nil, notFound
	}
	copy(m[headerSize:], q.question)
	if now > e.stored { // or else another goroutine's clock was read later than ours
		for r := range records(m) {
			ttl := binary.BigEndian.Uint32(r.ttl)
			binary.BigEndian.PutUint32(r.ttl, ttl-min(now-e.stored, ttl))
		}
	}
	return m, how
}

// state says what an entry is good for.
func (e *entry) state(now uint32) found {
	switch {
	case e.words == 0 || now >= e.expires+maxStale:
		return notFound
	case now >= e.expires:
		return e.expired(now)
	case !e.rests(now) && e.used > 1 && uint64(e.expires-now)*10 < uint64(e.expires-e.stored):
		return due
	}
	return fresh
}

// expired says what an entry is good for that has expired.
func (e *entry) expired(now uint32) found {
	switch {
	case e.rests(now):
		return resting
	case e.retry != 0 && uint16(now)-e.retry < ailingFor:
		return ailing
	}
	return stale
}

// rests reports whether a look-up has failed so lately that another is not tried yet. The time is told from its last 16 bits, of
// which no failure that counts is far away.
func (e *entry) rests(now uint32) bool { return e.retry != 0 && e.retry-uint16(now)-1 < failureTTL }

// put keeps the answer to a key for the given seconds. The body has the question of the key, in lower case. A failure takes no place
// of an answer that may stand in for a better one, but has it not looked up again for as long.
func (c *cache) put(key, body []byte, seconds, now uint32) {
	if seconds == 0 || len(c.shards) == 0 || len(body) < headerSize+len(key)-1 {
		return
	}
	hash := c.hash(key)
	s := c.shard(hash)
	if isFailure(body) {
		if held, e := s.get(nil, hash, key); e.state(now) != notFound && !isFailure(held) {
			s.rest(hash, key, uint16(now+seconds))
			return
		}
	}
	s.put(hash, key, body, entry{stored: now, expires: now + seconds})
}

// rest notes that the answer to a key could not be looked up again, and is not to be tried for the given seconds.
func (c *cache) rest(key []byte, seconds, now uint32) {
	if len(c.shards) > 0 {
		hash := c.hash(key)
		c.shard(hash).rest(hash, key, uint16(now+seconds))
	}
}

// isFailure reports whether the upstream has found no answer: neither what the name has nor that it does not exist (RFC 8767, section
// 4), nor that a DNAME record makes it too long (RFC 6672, section 2.2).
func isFailure(body []byte) bool {
	switch count(body, 2) & maskRcode {
	case dns.RcodeSuccess, dns.RcodeNameError, dns.RcodeYXDomain:
		return false
	}
	return true
}
