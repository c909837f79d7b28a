package dnsfilter

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// How long answers are kept, in seconds, whatever their records say (RFC 2308, sections 5 and 7.1; RFC 8767, section 4).
const (
	maxTTL      = 24 * 3600
	negativeTTL = 3600
	failureTTL  = 5
)

const (
	cacheShards = 64
	firstArena  = 16 << 10 // bytes a shard begins with
	entryHeader = 8 + 4 + 4 + 2 + 2
)

// cache keeps answers as packed messages. Each shard is a ring of bytes in which the newest overwrites the oldest, with an
// index from the hash of a key to its place: few objects and no pointers inside, so the garbage collector has nothing to
// walk. The size bounds the rings; the index comes on top, about a tenth of it.
type cache struct {
	seed   maphash.Seed
	epoch  time.Time
	shards [cacheShards]shard
}

// shard holds entries as: hash, time stored, time of expiry, length of key, length of body, key, body.
type shard struct {
	mu    sync.Mutex
	most  int // bytes
	ring  []byte
	head  int // where the next entry goes
	tail  int // the oldest entry that is still whole, where the ring has wrapped
	end   int // where the entries before the wrap end
	index map[uint64]int
}

// newCache makes a cache of at most size bytes; it grows to that as it fills.
func newCache(size int64) *cache {
	c := &cache{seed: maphash.MakeSeed(), epoch: time.Now()}
	for i := range c.shards {
		c.shards[i].most = int(size / cacheShards)
		c.shards[i].index = make(map[uint64]int)
	}
	return c
}

func (c *cache) now() uint32 { return uint32(time.Since(c.epoch) / time.Second) }

func (c *cache) shard(key []byte) (*shard, uint64) {
	hash := maphash.Bytes(c.seed, key)
	return &c.shards[hash%cacheShards], hash
}

// get appends to dst the answer to key, its TTLs counted down; false if there is none.
func (c *cache) get(dst, key []byte) ([]byte, bool) {
	s, hash := c.shard(key)
	now := c.now()
	out, stored, ok := s.get(dst, hash, key, now)
	if age := now - stored; ok && age > 0 {
		for r := range records(out[len(dst):]) {
			ttl := binary.BigEndian.Uint32(r.ttl)
			binary.BigEndian.PutUint32(r.ttl, ttl-min(age, ttl))
		}
	}
	return out, ok
}

func (s *shard) get(dst []byte, hash uint64, key []byte, now uint32) (out []byte, stored uint32, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	off, ok := s.index[hash]
	if !ok {
		return dst, 0, false
	}
	e := s.ring[off:]
	start, end := entryHeader+count(e, 16), entryHeader+count(e, 16)+count(e, 18)
	if now >= binary.BigEndian.Uint32(e[12:]) || !bytes.Equal(e[entryHeader:start], key) {
		return dst, 0, false
	}
	return append(dst, e[start:end]...), binary.BigEndian.Uint32(e[8:]), true
}

// put keeps an answer for the given seconds.
func (c *cache) put(key, body []byte, seconds uint32) {
	s, hash := c.shard(key)
	size := entryHeader + len(key) + len(body)
	if seconds == 0 || size > s.most/4 || len(body) > dns.MaxMsgSize {
		return
	}
	now := c.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.room(size)
	s.index[hash] = s.head
	s.head += size
	e = binary.BigEndian.AppendUint64(e, hash)
	e = binary.BigEndian.AppendUint32(e, now)
	e = binary.BigEndian.AppendUint32(e, now+seconds)
	e = binary.BigEndian.AppendUint16(e, uint16(len(key)))
	e = binary.BigEndian.AppendUint16(e, uint16(len(body)))
	_ = append(append(e, key...), body...)
}

// room makes place for size bytes at the head, at the cost of the oldest entries, and returns it.
func (s *shard) room(size int) []byte {
	if s.head+size > len(s.ring) && len(s.ring) < s.most {
		grown := make([]byte, min(max(2*len(s.ring), s.head+size, firstArena), s.most))
		copy(grown, s.ring[:s.head])
		s.ring = grown
	}
	if s.head+size > len(s.ring) {
		s.evict(len(s.ring)) // what is left beyond the head
		s.end, s.head, s.tail = s.head, 0, 0
	}
	s.evict(s.head + size)
	return s.ring[s.head : s.head : s.head+size]
}

// evict forgets the entries that begin before the given place.
func (s *shard) evict(before int) {
	for s.tail < before && s.tail < s.end {
		e := s.ring[s.tail:]
		hash := binary.BigEndian.Uint64(e)
		if s.index[hash] == s.tail {
			delete(s.index, hash)
		}
		s.tail += entryHeader + count(e, 16) + count(e, 18)
	}
}

// lifetime returns for how many seconds an answer may be kept, 0 for not at all, and sets TTLs that are longer to it or
// to a day.
func lifetime(body []byte) uint32 {
	shortest, most, negative := uint32(maxTTL), uint32(maxTTL), false
	for r := range records(body) {
		ttl := binary.BigEndian.Uint32(r.ttl)
		if ttl >= 1<<31 { // RFC 2181, section 8
			ttl = 0
			binary.BigEndian.PutUint32(r.ttl, ttl)
		}
		if r.authority && r.rrtype == dns.TypeSOA && len(r.data) > 20 {
			negative, most = true, negativeTTL
			ttl = min(ttl, binary.BigEndian.Uint32(r.data[len(r.data)-4:]))
		}
		shortest = min(shortest, ttl)
	}
	for r := range records(body) {
		binary.BigEndian.PutUint32(r.ttl, min(binary.BigEndian.Uint32(r.ttl), most))
	}
	rcode := count(body, 2) & maskRcode
	switch {
	case rcode == dns.RcodeServerFailure:
		return min(failureTTL, shortest)
	case rcode == dns.RcodeSuccess && count(body, 6) > 0:
		return min(shortest, most)
	case negative && (rcode == dns.RcodeSuccess || rcode == dns.RcodeNameError):
		return min(shortest, most)
	}
	return 0
}
